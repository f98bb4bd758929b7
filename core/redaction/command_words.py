"""What the searches for secrets at a place of their own share: how words, blanks and values are written.

A command is logged as a line, as a list of its words, or each word in quotes; a pattern is written once, with
``BLANK`` between its words, and finds all of them. ``value(1)`` is a secret; what it holds is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from logweir.redaction.names import Secrecy
from logweir.redaction.prose import is_placeholder
from logweir.redaction.scan import Scan
from logweir.redaction.values import is_kept
from logweir.redaction.vocabulary import part_of

__all__ = [
    "ARGUMENT",
    "BLANK",
    "ENDS",
    "VALUE",
    "WORD",
    "PlacePattern",
    "Places",
    "mask_groups",
    "mask_places",
    "places",
    "value",
]

#: Between two words, also of a list, in which they stand in quotes.
BLANK = r"(?:[ \t]{1,8}+|\\{0,4}[\"'],?[ \t\n]{0,8}[bu]?\\{0,4}[\"'](?=\S))"
#: One word, which is not quoted.
ARGUMENT = r"[^\s\"',]{1,256}+"
#: A word; quotes and brackets belong to it unless they close, as they do before a blank.
WORD = r"(?:[^\s\"'\\)\]}|;]|[\"')\]}](?![\s,;:.)\]}|\"']|\Z)|[|;](?=[\w$#!*^])|\\(?![rn\"']))++"
ENDS = r"(?=[\"')\],;\r\n]|\\[rn]|[ ]*+(?:\Z|[\r\n]))"

#: What stands for a secret: of a usage, of a shell.
_STANDS_FOR = re.compile(r"<[\w -]{1,32}>|\$\w{1,64}|\$\{\w{1,64}\}|%\w{1,64}%|\$\(.*|\[\w{1,32}\]|\.\.\.|-")
_SHORTEST_NUMBER = 4
_LONGEST_READ = 64


def value(number: int) -> str:
    """Return the pattern of a secret; the number tells those of one pattern apart."""
    return (
        rf"(?:\\?\"(?P<d{number}>[^\"\\\n]{{1,512}}+)\\?\""
        rf"|'(?P<s{number}>[^'\n]{{1,512}}+)'(?!\w)|(?P<b{number}>{WORD}))"
    )


VALUE = value(1)


class PlacePattern:
    """A pattern that is compiled when a text may need it first: hardly any of the tables' hundred ever does.

    Args:
        pattern: Finds secrets, in its named groups.
        flags: Of the pattern.
        guard: Finds something in every text that the pattern does; for one that tries at many places.
    """

    __slots__ = ("_compiled", "_sources")

    def __init__(self, pattern: str, flags: re.RegexFlag = re.NOFLAG, guard: str | None = None) -> None:
        self._sources = pattern, flags, guard
        self._compiled: tuple[re.Pattern[str], re.Pattern[str] | None] | None = None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Return what the pattern finds."""
        pattern, guard = self._compiled or self.compile()
        return iter(()) if guard is not None and not guard.search(text) else pattern.finditer(text)

    def compile(self) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
        """Compile both; a second thread that does so meanwhile does the same."""
        pattern, flags, guard = self._sources
        compiled = re.compile(pattern, flags), None if guard is None else re.compile(guard)
        self._compiled = compiled
        return compiled


#: For each pattern a word that is in every text it finds something in, and what of it is in the vocabulary.
Places = Sequence[tuple[str, str, PlacePattern]]


def places(rows: Iterable[tuple[str, str] | tuple[str, str, str]], flags: re.RegexFlag = re.NOFLAG) -> Places:
    """Return a table of places: of words, patterns, and guards where there are any."""
    return [(row[0], part_of(row[0]), PlacePattern(row[1], flags, *row[2:])) for row in rows]


def mask_places(text: str, table: Places, scan: Scan, *, said: bool = False) -> str:
    """Mask what stands at the places of a table; see `mask_groups`."""
    absent = ""
    known = scan.words
    for word, part, pattern in table:
        # What is alike stands side by side, and hardly any word is in a text.
        if (known is None or part in known) and word != absent and word in text:
            text = mask_groups(text, pattern, scan, f"text: {word.strip()}", said=said)
            absent = ""
        else:
            absent = word
    return text


def mask_groups(
    text: str, pattern: re.Pattern[str] | PlacePattern, scan: Scan, rule: str, *, said: bool = False
) -> str:
    """Mask all named groups of each match.

    Args:
        text: The text.
        pattern: Has named groups only for secrets.
        scan: The search.
        rule: By which they are found.
        said: Whether a word may stand there that says how things are, and is kept.
    """
    parts, done = [], 0
    for match in pattern.finditer(text):
        scan.look()
        for start, end in sorted(span for span in map(match.span, match.groupdict()) if span[0] >= done):
            found = text[start : min(end, start + _LONGEST_READ + 1)]
            if start == end or is_placeholder(found) or _STANDS_FOR.fullmatch(found):
                continue
            is_code = found.isdigit() and len(found) >= _SHORTEST_NUMBER
            if said and not is_code and is_kept(found, Secrecy.CREDENTIAL):
                continue
            parts += [text[done:start], scan.found(rule)]
            done = end
    return "".join([*parts, text[done:]]) if parts else text
