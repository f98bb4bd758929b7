"""The values of headers in texts: a header's value is the rest of its line, or of the quote it stands in.

A line that is prose is none: ``authorization: user 42 may read``. Within a sentence only what has the syntax
of cookies is taken as a whole.
"""

from __future__ import annotations

import re

from logweir.redaction.prose import is_said
from logweir.redaction.scan import MASK
from logweir.redaction.text_places import Place, Span, behind

__all__ = ["has_masked_parameters", "header_span"]

_LINE = re.compile(r"(?:[^\r\n\\]|\\(?!\\*[rn]))*+")
#: A line that goes on, as headers were folded once; not the next field of a document or step of a traceback.
_FOLDED = re.compile(
    r"(?:\r?\n|\\r\\n|\\n)[ \t]++(?!at |[\w-]{1,64}+:[ \t])(?=\S)(?:[^\r\n\\]|\\(?!\\*[rn]))*+"
)
_COOKIES = re.compile(r"[^\s=;,\"']{1,128}+=[^\s;\"']*+(?:;[ ]?[^\s=;,\"']{1,128}+(?:=[^\s;\"']*+)?)*+")
_MASKED_PARAMETERS = re.compile(r"[A-Za-z][\w-]{1,24}+[ \t]+\w{1,64}+=[^\r\n]{0,512}?\*{3}")
_SCHEME = re.compile(r"[A-Za-z][\w-]{1,24}+[ \t]+(?=[^\s]*[\d=+/_.-])\S{6,}|\S*\d\S*[ \t]|\S{24,}")
_LONGEST_READ = 4096


def has_masked_parameters(text: str, at: int) -> bool:
    """Whether this is a scheme whose secret parameters are masked already."""
    return _MASKED_PARAMETERS.match(text, at) is not None


def header_span(place: Place, at: int, end: int) -> Span | None:
    """Return the line of a header, up to the quote that it stands in; ``None`` where it is prose."""
    text = place.text
    cookies = _COOKIES.match(text, at)
    if place.line:
        stop = behind(_LINE, text, at)
        if place.quote:
            closing = text.find(place.quote, at, stop)
            stop = closing if closing >= 0 else stop
        words = text[at : min(stop, at + _LONGEST_READ)].rstrip()
        if not is_said(text, at, end, place.secrecy) and (" " not in words or cookies or _scheme(words)):
            folded = _FOLDED.match(text, stop) if place.indent == 0 and not place.quote else None
            stop = folded.end() if folded else stop
            return at, at + len(text[at:stop].rstrip().rstrip("\\"))
    if cookies is not None:
        return at, cookies.end()
    return None


def _scheme(words: str) -> bool:
    """Whether words are a scheme's with its credentials, and no sentence."""
    return MASK not in words and _SCHEME.match(words) is not None
