"""Names and values that were URL-encoded as a whole: ``password%3DS%26x``, ``%22password%22%3A%22S%22``.

The sign and what ends the value are encoded equally often (``%3D`` and ``%26``, ``%253D`` and ``%2526``).
"""

from __future__ import annotations

import re
from functools import cache

from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_placeholder, plain_value
from logweir.redaction.scan import Scan
from logweir.redaction.text_names import judged
from logweir.redaction.text_places import Span
from logweir.redaction.values import is_kept

__all__ = ["mask_encoded"]

# As in `texts`: the reversed text is searched from the sign backwards.
_SIGNED_NAME = re.compile(
    r"[DdAa]3((?:52){0,3})%(?:(?:[27]2|[dD]5|[cC]5|02)(?:52)*+%){0,6}+([\w.\-]{1,128}+)"
)
_BLANKS = re.compile(r"(?:%(?:25)*+20|\+)*+")


@cache
def _ends(level: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what an encoded quote or bracket opens with, and the signs of a bare value, at a level."""
    opening = re.compile(rf"(?:%(?:25)*+5[cC])*+%(?:25)*+2[27]|%{level}(?:5[bB]|7[bB])")
    bare = re.compile(rf"(?:[\w.~*+!$'()/:@-]|%(?!{level}(?:26|2[cC]|7[dD]|5[dD]|3[bB]|0[aAdD]|22|27)))*+")
    return opening, bare


def mask_encoded(text: str, scan: Scan) -> str:
    """Mask the values of secret names that are URL-encoded together with their sign."""
    if "%" not in text:
        return text
    backwards = text[::-1]
    found = [
        (_without_escape(text, len(text) - match.end(), match[2][::-1]), match[1], len(text) - match.start())
        for match in _SIGNED_NAME.finditer(backwards)
    ]
    secret = judged([name for name, _, _ in found], scan)
    parts, done = [], 0
    for name, level, at in reversed(found):
        if name not in secret or at < done:
            continue
        scan.look()
        span = _value(text, at, level[::-1], secret[name])
        if span is not None:
            parts += [text[done : span[0]], scan.found(f"text: {name}")]
            done = span[1]
    return "".join([*parts, text[done:]]) if parts else text


def _without_escape(text: str, start: int, name: str) -> str:
    """Return a name without the end of the escape before it, as in ``%26password``."""
    if start == 0 or text[start - 1] != "%":
        return name
    while name.startswith("25"):
        name = name[2:]
    return name[2:]


def _value(text: str, at: int, level: str, secrecy: Secrecy) -> Span | None:
    opening, bare = _ends(level)
    blanks = _BLANKS.match(text, at)
    at = blanks.end() if blanks else at
    quote = opening.match(text, at)
    if quote is None:
        signs = bare.match(text, at)
        end = signs.end() if signs else at
    else:
        at = quote.end()
        closing = quote.group()
        if closing[-2:].lower() in {"5b", "7b"}:
            at, closing = quote.start(), closing[:-1] + ("D" if closing[-1] == "B" else "d")
        end = text.find(closing, at)
        end = len(text) if end < 0 else end
    word = text[at : min(end, at + 64)]
    if not word or is_placeholder(word) or is_kept(plain_value(word), secrecy):
        return None
    return at, end
