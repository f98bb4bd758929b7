"""Secrets in XML and HTML: the text or ``value`` of an element with a secret name, cells beside labels."""

from __future__ import annotations

import re

from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_placeholder, plain_value
from logweir.redaction.scan import Scan
from logweir.redaction.text_names import mask_behind, value_behind
from logweir.redaction.text_places import Span
from logweir.redaction.values import is_kept

__all__ = ["mask_elements"]

_OPEN, _CLOSE = r"(?:<|&lt;|\\u003[cC])", r"(?:>|&gt;|\\u003[eE])"
_ATTRIBUTES = r"(?:\s[^<>&]{0,1000}+)?"
_ELEMENT = re.compile(rf"{_OPEN}(?:[\w\-]{{1,64}}+:)?([\w.\-]{{1,128}}+){_ATTRIBUTES}{_CLOSE}")
_NAMED_ELEMENT = re.compile(
    r"<[\w.:\-]{1,128}+\s(?:[^<>]{0,200}\s)?(?i:name|key|id)=[\"']([\w.\-]{1,128}+)[\"'][^<>]{0,200}+>"
    r"(?:\s{0,64}<(?:value|string|val|v)(?:\s[^<>]{0,200})?>)?"
)
_LABEL = re.compile(
    r">\s{0,64}([\w.\-]{1,64}+(?: [\w.\-]{1,64}+){0,2}+):?\s{0,64}"
    r"</(?:td|th|dt|b|strong|key|label|name|span|em)>\s{0,64}"
    r"(?:<\w{1,64}+(?:\s[^<>]{0,200}+)?>\s{0,64}){0,2}+"
)
_VALUE_ATTRIBUTE = re.compile(r"[^<>]{0,1000}?\s(?i:value|val|v|content|text)\s?=")
_CDATA = "<![CDATA["
_FAR = 8192
_LONGEST_KEPT = 64


def mask_elements(text: str, scan: Scan) -> str:
    """Mask the text of elements whose names, or whose attribute ``name``, are secret."""
    if "<" not in text and "&lt;" not in text and "\\u003" not in text:
        return text
    text = mask_behind(text, _ELEMENT, scan, _inside)
    text = mask_behind(text, _NAMED_ELEMENT, scan, _inside)
    return mask_behind(text, _LABEL, scan, _inside)


def _inside(match: re.Match[str], secrecy: Secrecy, scan: Scan) -> Span | None:
    text, at = match.string, match.end()
    scan.look()
    scan.look()
    if match.re is _ELEMENT:
        attribute = _VALUE_ATTRIBUTE.match(text, match.end(1), at)
        if attribute is not None:
            return value_behind(attribute, secrecy, scan)
    if text[at - 2 : at] == "/>":
        return None
    end = _end_of_element(match)
    if end is None:
        return None
    while at < end and text[at].isspace():
        at += 1
    end = at + len(text[at:end].rstrip())
    if text.startswith(_CDATA, at):
        at, end = at + len(_CDATA), end - 3 if text.endswith("]]>", at, end) else end
    value = text[at : min(end, at + _LONGEST_KEPT + 1)]
    if not value or is_placeholder(value):
        return None
    if len(value) <= _LONGEST_KEPT and is_kept(value if value.isdigit() else plain_value(value), secrecy):
        return None
    return at, end


def _end_of_element(match: re.Match[str]) -> int | None:
    """Return where the element closes; ``None`` for a placeholder: ``usage: login <user> <password>``."""
    text, at = match.string, match.end()
    opening = text[match.start()]
    if opening == "<":
        closing = text.find(f"</{text[match.start() + 1 : match.end(1)]}", at, at + _FAR)
        if match.re is _ELEMENT and closing >= 0:
            return closing
        if match.re is _ELEMENT and text[at : at + 1] in {
            "",
            " ",
            "\n",
            ",",
            ")",
            ".",
            "]",
            "|",
            "/",
            "@",
            ":",
            "'",
            '"',
        }:
            return None
    sign = {"&": "&lt;", "\\": "\\u003"}.get(opening, "<")
    next_sign = text.find("]]>" if text.startswith(_CDATA, at) else sign, at)
    return next_sign if next_sign >= 0 else len(text)
