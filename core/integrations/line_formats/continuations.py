"""Events of several lines: a traceback behind its message, an object printed over many lines. Pure.

Lines are joined before they are read, so a place in a file is still a place between two lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Continuations"]

#: Bytes after which an event is complete, whatever follows.
_MOST = 1 << 20
#: What goes on with the line before: what is indented or blank, and the lines of tracebacks that are not.
_CONTINUES = re.compile(
    rb"[ \t]|\r?$|[}\])],?\r?$"
    rb"|Traceback \(most recent call last\)|During handling of the above|The above exception was"
    rb"|[A-Za-z_][\w.$]*(?:Error|Exception|Exit|Interrupt|Warning|Group)(?:: |\r?$)"
    rb"|Caused by: |Suppressed: |\.\.\. \d+ |goroutine \d+ "
)
_CLOSES = b"}])"


class Continuations:
    """Joins the lines of an event; those that were read last are kept until the next event begins.

    Args:
        begins: An expression for the first line of each event; by default the usual forms of further lines
            are known.
    """

    def __init__(self, begins: str | None = None) -> None:
        self._begins = re.compile(begins.encode()) if begins else None
        self._lines: list[bytes] = []
        self._size = 0

    def __bool__(self) -> bool:
        """Whether lines are kept."""
        return bool(self._lines)

    def add(self, line: bytes) -> bytes | None:
        """Take a line; the event before it, if it begins another."""
        done = None
        if self._lines and (self._size >= _MOST or not self._continues(line)):
            done = self.rest()
        self._lines.append(line)
        self._size += len(line)
        return done

    def rest(self) -> bytes:
        """The event whose lines are kept; from now on they no longer are."""
        lines, self._lines, self._size = self._lines, [], 0
        return b"".join(lines)

    def joined(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """The events that are complete in these lines."""
        for line in lines:
            if done := self.add(line):
                yield done

    def _continues(self, line: bytes) -> bool:
        if self._begins is not None:
            return self._begins.match(line) is None
        first = self._lines[0].rstrip()
        if first.startswith((b"{", b"[")) and first[-1:] not in b"}]":  # an object printed over many lines
            return len(self._lines) == 1 or self._lines[-1][:1] not in _CLOSES
        if first.startswith(b"{"):
            return False
        return _CONTINUES.match(line) is not None
