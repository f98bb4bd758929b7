"""Which times and ids stand in which blocks of a file, noted while it is read for the first time. Pure.

The pages of a long reading follow each other by time. With these notes a page is read from the blocks that
hold its times; without them each page would read the whole file. No order is assumed: where the events of a
file stand in none, every block holds all times and is read for every page, which is slow and still right.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from logweir.sinks.contract import Query
from logweir.sinks.query_match import nanoseconds

__all__ = ["SIZE", "Block", "Blocks", "Wanted"]

#: A block ends with the line that reaches this many bytes: about as many as a small page has.
SIZE = 2**18


class Block(NamedTuple):
    """A stretch of whole lines, at least one of which is an event.

    Attributes:
        start: The offset of its first byte; in a compressed file, of the unpacked bytes.
        end: The offset behind its last byte.
        earliest: No event in it is earlier, nanoseconds.
        latest: No event in it is later.
        lowest: No id in it sorts before this one.
        highest: No id in it sorts after this one.
    """

    start: int
    end: int
    earliest: int
    latest: int
    lowest: str
    highest: str


class Wanted:
    """What of a query decides which blocks are read."""

    def __init__(self, query: Query) -> None:
        self._start = None if query.start is None else nanoseconds(query.start)
        self._end = None if query.end is None else nanoseconds(query.end)
        self._ids = None if query.ids is None else sorted(query.ids)

    def may_be_in(self, block: Block) -> bool:
        """Whether an event that is asked for can stand in a block."""
        if self._start is not None and block.latest < self._start:
            return False
        if self._end is not None and block.earliest >= self._end:
            return False
        if self._ids is None:
            return True
        place = bisect_left(self._ids, block.lowest)
        return place < len(self._ids) and self._ids[place] <= block.highest


class Blocks:
    """The blocks of one file, in the order in which they stand there.

    Attributes:
        end: Where the last block that was noted ends; what follows is read anew.
    """

    def __init__(self) -> None:
        self.end = 0
        self._noted: list[Block] = []

    def all(self) -> Sequence[Block]:
        """The blocks with events."""
        return self._noted

    def as_one(self) -> Sequence[Block]:
        """A single block that holds all of them; none if there are no events."""
        noted = self._noted
        if not noted:
            return ()
        earliest, latest = min(block.earliest for block in noted), max(block.latest for block in noted)
        lowest, highest = min(block.lowest for block in noted), max(block.highest for block in noted)
        return (Block(noted[0].start, self.end, earliest, latest, lowest, highest),)

    @property
    def are_in_order(self) -> bool:
        """Whether a reader who goes by time goes through the file from its beginning to its end."""
        return all(before.earliest <= after.earliest for before, after in pairwise(self._noted))

    def add(self, length: int, times: Sequence[int], ids: Sequence[str]) -> None:
        """Note the next block.

        Args:
            length: Its bytes.
            times: The times of its events; none if there are no events in it.
            ids: Their ids.
        """
        start, self.end = self.end, self.end + length
        if times:
            self._noted.append(Block(start, self.end, min(times), max(times), min(ids), max(ids)))
