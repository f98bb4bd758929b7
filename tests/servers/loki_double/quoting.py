"""Texts in quotes, as label sets and LogQL write them: with the escapes of Go."""

import json
import re

#: A text in double quotes or backticks.
QUOTED = r'"(?:[^"\\\n]|\\.)*"|`[^`]*`'

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"',
}  # fmt: skip
_SURROGATES = range(0xD800, 0xE000)


def quote(text: str) -> str:
    """The text in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def unquote(text: str) -> str:
    """The text that stands in quotes.

    Raises:
        ValueError: It has an escape that Go does not know.
    """
    if text.startswith("`") or "\\" not in text:
        return text[1:-1]
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if escape in _SIMPLE:
        return _SIMPLE[escape]
    if escape[0] in "xuU":
        code = int(escape[1:], 16) if len(escape) > 1 else -1
    else:
        code = int(escape, 8) if escape.isdecimal() else -1
    if code < 0 or code in _SURROGATES or code > 0x10FFFF:
        raise ValueError("invalid syntax")
    return chr(code)
