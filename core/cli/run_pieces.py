"""What the processes of ``logweir run --jobs`` read: files, pipes, and ranges of files that are divided.

A range begins and ends at the beginning of a line, and never between two lines that make one event together.
What cannot be entered in its middle is one piece: a pipe, a file that is compressed or in another encoding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Self

import msgspec

from logweir.cli.run_inputs import Input, open_file
from logweir.integrations.log_lines import LineParser
from logweir.stores.checkpoints import Checkpoints

__all__ = ["Piece", "boundaries", "pieces_of_file", "pieces_of_gap"]

#: Bytes that are worth a range of their own.
_WORTH = 1 << 18
#: Ranges for each process: whoever is done early takes the next.
_EACH = 4
_CHUNK = 1 << 16
#: Bytes before a boundary in which the beginning of an event is looked for that goes on behind it.
_LOOK_BACK = 1 << 16
_LINES_ON = 1000


class Piece(msgspec.Struct, frozen=True):
    """What one process reads in one go.

    Attributes:
        path: What the file is called: bytes, for a name need not be UTF-8, which messages are.
        start: Where the range begins; None for a pipe, and for a file by its own checkpoint.
        end: Where it ends; None for the end of the file.
        descriptor: Of a pipe that this process was given open.
    """

    path: bytes
    start: int | None = None
    end: int | None = None
    descriptor: int | None = None

    @classmethod
    def of(
        cls, name: str, start: int | None = None, end: int | None = None, descriptor: int | None = None
    ) -> Self:
        """A piece of the file of this name."""
        return cls(os.fsencode(name), start, end, descriptor)

    @property
    def name(self) -> str:
        """What the file is called."""
        return os.fsdecode(self.path)


def pieces_of_file(
    name: str,
    checkpoints: Checkpoints,
    parser: Callable[[], LineParser],
    jobs: int,
    *,
    divides: bool,
    from_start: bool,
) -> tuple[list[Piece], int, str]:
    """What is left to read of a file, how many of its lines are stored, and what is worth saying about it.

    Args:
        name: The file.
        checkpoints: Which this process keeps from others.
        parser: Makes what reads its lines.
        jobs: How many processes there are to be.
        divides: Whether one file may be read by several.
        from_start: Whether it is read from its beginning.

    Raises:
        OSError: The file cannot be read, or its checkpoint not be written.
        MissingDependency: A package is needed to read it.
        Unreadable: It is no log.
    """
    source = open_file(name)
    try:
        read_at = source.read_at if source.converted else None
        whole = checkpoints.open(name, source.descriptor, read_at, from_start=from_start)
        status = os.fstat(source.descriptor)
        ranges = checkpoints.ranges(status)
        gaps = ranges.gaps()
        count = jobs * _EACH if divides and jobs > 1 and not source.converted else 1
        pieces = [
            Piece.of(name, start, end)
            for gap in gaps
            if source.converted or gap[0] < (status.st_size if gap[1] is None else gap[1])
            for start, end in pieces_of_gap(source, gap, status.st_size, count, parser)
        ]
        return pieces, ranges.lines(), whole.note
    finally:
        source.close()


def pieces_of_gap(
    source: Input, gap: tuple[int, int | None], size: int, count: int, parser: Callable[[], LineParser]
) -> Iterator[tuple[int, int | None]]:
    """Divide what is left of a file; the last piece ends where that does.

    Args:
        source: The file.
        gap: From where to where; to the end of the file where that is None.
        size: Of the file.
        count: How many pieces there are to be at most.
        parser: Makes what reads the lines.
    """
    start, end = gap
    until = size if end is None else end
    count = min(count, max((until - start) // _WORTH, 1))
    cuts = list(boundaries(source.read_at, start, until, count, lambda at: _is_begun(source, at, parser)))
    yield from pairwise([start, *cuts, end])


def boundaries(
    read_at: Callable[[int, int], bytes],
    start: int,
    end: int,
    count: int,
    is_begun: Callable[[int], bool] = lambda _: False,
) -> Iterator[int]:
    """The beginnings of lines that divide a range into about equal parts.

    Args:
        read_at: Gives so many bytes at a place.
        start: Where the range begins.
        end: Where it ends.
        count: How many parts there are to be at most; fewer where lines are long.
        is_begun: Whether an event goes on behind a place, which is no boundary then.
    """
    last = start
    for number in range(1, count):
        place = _boundary(read_at, max(last, start + (end - start) * number // count), end, is_begun)
        if place is None:
            return
        yield place
        last = place


def _boundary(
    read_at: Callable[[int, int], bytes], place: int, end: int, is_begun: Callable[[int], bool]
) -> int | None:
    """The first place behind one at which a line begins, and no event goes on."""
    for _ in range(_LINES_ON):
        found = _behind_line(read_at, place, end)
        if found is None or not is_begun(found):
            return found
        place = found
    return None


def _behind_line(read_at: Callable[[int, int], bytes], place: int, end: int) -> int | None:
    """Where the next line begins; None if that is not before the end."""
    while place < end and (data := read_at(min(_CHUNK, end - place), place)):
        found = data.find(b"\n")
        if found >= 0:
            return place + found + 1 if place + found + 1 < end else None
        place += len(data)
    return None


def _is_begun(source: Input, place: int, parser: Callable[[], LineParser]) -> bool:
    """Whether the lines before a place are the beginning of an event, as those that Docker and CRI cut."""
    begin = max(0, place - _LOOK_BACK)
    lines = source.read_at(place - begin, begin).split(b"\n")
    reader = parser()
    for line in lines[begin > 0 :]:
        try:
            reader(line)
        except ValueError:
            continue  # a dead letter, when it is read
    return reader.begun
