"""The different words of a long text, which are few: what is in none of them is nowhere in the text.

A log of 64 KiB repeats some two hundred words. So a search asks them first whether its own words are there,
at a hundredth of what it costs to ask the text; where they are, the text is searched as before. So are its
long runs of signs, one of which a token would be.
"""

from __future__ import annotations

import re

__all__ = ["LONG_TEXT", "long_runs", "part_of", "runs", "vocabulary"]

#: For shorter texts it costs as much to make a vocabulary as it saves.
LONG_TEXT = 2048

#: No token is shorter, but for those that ``eyJ`` begins.
_SHORTEST_TOKEN = 12
#: All signs of tokens, and the backslash of ``\\n``, that one may stand behind.
_SIGNS = re.compile(r"[\w.+~|/!=:$%*@,\\-]", re.ASCII)
_ONLY_SIGNS = bytes(code if _SIGNS.match(chr(code)) else 32 for code in range(256))
#: The sign of Kelvin and the Turkish I, which are letters of ASCII in lower case.
_BECOME_LETTERS = "\u212a\u0130"
#: No word that is looked for has a letter four times in a row, which a word this long may have.
_REPEATED, _LONG_WORD = re.compile(rb"(.)\1{3,}"), 256
_LETTERS = re.compile(r"[A-Za-z]+")
_ONLY_LETTERS = bytes(code if chr(code).isalpha() and code < 128 else 32 for code in range(256))  # noqa: PLR2004 - ASCII


def runs(text: str) -> set[bytes]:
    """Return the different runs of signs in a text that words, paths and tokens are made of."""
    return set(text.encode("ascii", "replace").translate(_ONLY_SIGNS).split())


def vocabulary(text: str, different: set[bytes] | None = None) -> str:
    """Return the different words of ASCII letters in a text, with blanks between.

    Args:
        text: The text.
        different: Its runs, where they are known.
    """
    if different is None or any(sign in text for sign in _BECOME_LETTERS):
        different = runs(text if text.isascii() else text.lower())
    words = set(b" ".join(different).translate(_ONLY_LETTERS).split())
    return b" ".join(
        [_REPEATED.sub(rb"\1\1\1", word) if len(word) > _LONG_WORD else word for word in words]
    ).decode("ascii")


def long_runs(different: set[bytes]) -> str:
    """Return those of the runs that are as long as tokens, each on a line."""
    return b"\n".join([run for run in different if len(run) >= _SHORTEST_TOKEN]).decode("ascii")


def part_of(needle: str) -> str:
    """Return what must be in the vocabulary of each text that holds a needle: its longest word."""
    return max(_LETTERS.findall(needle), key=len, default="").lower()
