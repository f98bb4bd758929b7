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
    "Guarded",
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


class Guarded:
    """A pattern that tries at many places, and another one that finds at once that there is nothing for it.

    Args:
        pattern: Finds secrets, in its named groups.
        guard: Finds something in every text that the pattern does.
        flags: Of the pattern.
    """

    def __init__(self, pattern: str, guard: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        self._pattern = re.compile(pattern, flags)
        self._guard = re.compile(guard)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Return what the pattern finds."""
        return self._pattern.finditer(text) if self._guard.search(text) else iter(())


#: For each pattern a word that is in every text it finds something in, and what of it is in the vocabulary.
Places = Sequence[tuple[str, str, re.Pattern[str] | Guarded]]


def places(rows: Iterable[tuple[str, str] | tuple[str, str, str]], flags: re.RegexFlag = re.NOFLAG) -> Places:
    """Return a table of places: of words, patterns, and guards where there are any."""
    return [
        (
            row[0],
            part_of(row[0]),
            Guarded(row[1], row[2], flags) if len(row) > 2 else re.compile(row[1], flags),  # noqa: PLR2004
        )
        for row in rows
    ]


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
    text: str, pattern: re.Pattern[str] | Guarded, scan: Scan, rule: str, *, said: bool = False
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
