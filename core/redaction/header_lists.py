"""Headers as a flat list of names and values, as in Node's ``rawHeaders``: ``["Host", "h", "Cookie", "S"]``.

Names and values take turns, so the list must look like headers: every other item is a header's name, two of
them known ones, and none stands where a value should. A list of names alone is none, such as the values of
``Access-Control-Allow-Headers``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from logweir.redaction.names import Secrecy
from logweir.redaction.scan import Scan
from logweir.redaction.text_names import mask_behind, value_behind
from logweir.redaction.text_places import Span

__all__ = ["is_header_list", "is_secret_header", "mask_header_lists"]

_SECRET = frozenset({"authorization", "cookie"})
_KNOWN = _SECRET | frozenset(
    """
    accept accept-charset accept-encoding accept-language cache-control connection content-encoding
    content-length content-type cookie date dnt etag expect expires forwarded from host
    if-modified-since if-none-match keep-alive last-modified location origin pragma proxy-authorization range
    referer sec-fetch-mode server
    set-cookie te trailer transfer-encoding upgrade user-agent vary via www-authenticate
    """.split()  # noqa: SIM905 - a column of quoted words is harder to read
)
_NAME = re.compile(r"[A-Za-z][\w-]{0,63}")
_SHORTEST, _LONGEST, _ENOUGH = 4, 512, 2

_QUOTE = r"\\{0,16}[\"']"
#: A quoted name in a list, and the comma before its value.
_ITEM = re.compile(rf"[\"'](?<=[\[,\s\\][\"'])([\w-]{{1,64}}+){_QUOTE}\s?,\s{{0,16}}(?={_QUOTE})")
_BEHIND = re.compile(rf"{_QUOTE}\s{{0,16}}[,\]]")
_ANY_HEADER = re.compile(rf"[\"'](?i:host|user-agent|accept|connection|content-type|date|origin){_QUOTE}\s?,")
_SIGNS = ("ost", "OST", "gent", "ccept", "onnection", "ontent-", "ate", "rigin")
_NEAR = 1024


def _is_header(name: object) -> bool:
    if type(name) is not str or len(name) > _NEAR:
        return False
    lowered = name.lower()
    return lowered in _KNOWN or (lowered.startswith("x-") and _NAME.fullmatch(lowered) is not None)


def is_header_list(items: Sequence[object]) -> bool:
    """Return whether a list holds the names and values of headers, in turn."""
    if len(items) < _SHORTEST or len(items) % 2 or len(items) > _LONGEST:
        return False
    first = items[0]
    if type(first) is not str or not _NAME.fullmatch(first):
        return False
    names = items[::2]
    if not all(type(name) is str and _NAME.fullmatch(name) for name in names):
        return False
    return sum(map(_is_header, names)) >= _ENOUGH and not any(map(_is_header, items[1::2]))


def is_secret_header(name: str) -> bool:
    """Return whether a secret name can be a header's; ``password`` is a word of other lists."""
    return "-" in name or name.lower() in _SECRET


def mask_header_lists(text: str, scan: Scan) -> str:
    """Mask the values of secret headers in such lists in a text."""
    if "," not in text or not any(sign in text for sign in _SIGNS) or not _ANY_HEADER.search(text):
        return text
    return mask_behind(text, _ITEM, scan, _value)


def _value(match: re.Match[str], secrecy: Secrecy, scan: Scan) -> Span | None:
    text = match.string
    if not is_secret_header(match[1]) or not _ANY_HEADER.search(
        text, max(0, match.start() - _NEAR), match.end() + _NEAR
    ):
        return None
    span = value_behind(match, secrecy, scan)
    if span is None or _is_header(text[span[0] : span[1]]) or not _BEHIND.match(text, span[1]):
        return None
    return span
