"""Where a value begins in a text, and what its name and sign say about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from logweir.redaction.names import Secrecy

__all__ = ["Place", "Span", "behind", "lowered"]

#: Where the secret begins and ends.
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value begins, and what its name and sign say about it.

    Attributes:
        text: The text.
        at: Behind the sign.
        secrecy: How secret the name is.
        colon: Whether the sign is a colon, as in prose, and no ``=``.
        quote: The quote that stands before the name and closes behind the value; empty where there is none.
        line: Whether the name begins a line or a quoted text, so that blanks may be part of the value.
        header: Whether the name is a header's.
        many: Whether the name is a plural.
        indent: How far the name is indented.
        session: Whether the name is a session's, whose id is the secret.
        counts: Whether a bare number is rather a number than a code, as beside plurals and in JSON.
    """

    text: str
    at: int
    secrecy: Secrecy
    colon: bool = False
    quote: str = ""
    line: bool = False
    header: bool = False
    many: bool = False
    indent: int = 0
    session: bool = False
    counts: bool = False


def behind(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where what begins here ends; the same place if nothing does."""
    found = pattern.match(text, at)
    return found.end() if found else at


def lowered(text: str) -> str:
    """Return a text in lower case, each sign at its place."""
    lower = text.lower()
    # Only one capital letter becomes two signs.
    return lower if len(lower) == len(text) else text.replace("\u0130", "I").lower()
