"""The different words of a long text, which are few: what is in none of them is nowhere in the text.

A log of 64 KiB repeats some two hundred words. So a search asks them first whether its own words are there,
at a hundredth of what it costs to ask the text; where they are, the text is searched as before.
"""

from __future__ import annotations

import re

__all__ = ["LONG_TEXT", "part_of", "vocabulary"]

#: For shorter texts it costs as much to make a vocabulary as it saves.
LONG_TEXT = 2048

_LETTERS = re.compile(r"[A-Za-z]+")
_ONLY_LETTERS = bytes(code if chr(code).isalpha() and code < 128 else 32 for code in range(256))  # noqa: PLR2004 - ASCII


def vocabulary(text: str) -> str:
    """Return the different words of ASCII letters in a text, with blanks between."""
    if not text.isascii():
        text = text.lower()  # the sign of Kelvin becomes a letter of ASCII
    words = text.encode("ascii", "replace").translate(_ONLY_LETTERS).split()
    return b" ".join(set(words)).decode("ascii")


def part_of(needle: str) -> str:
    """Return what must be in the vocabulary of each text that holds a needle: its longest word."""
    return max(_LETTERS.findall(needle), key=len, default="").lower()
