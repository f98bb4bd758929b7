"""The ledger: which rows of a sink wait on disk for another process, in few bytes for each. Pure.

It is exact: what is reported twice, or was dropped meanwhile, counts once. So the bounds of the queue hold,
and only rows that are known to wait are ever deleted.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence

__all__ = ["Ledger"]

#: Rows of one chunk.
_ROWS = 4096
#: What fits the four bytes that a chunk has for each number.
_MOST = 2**32 - 1
_ALIVE, _GONE = b"\1", b"\0"


class _Chunk:
    """Rows in the order of their positions, which are kept as distances from the first."""

    __slots__ = ("ages", "alive", "base", "first", "left", "sizes", "steps", "time")

    def __init__(self, base: int, time: int) -> None:
        self.base = base
        self.time = time
        self.steps = array("I")
        self.sizes = array("I")
        #: Milliseconds after ``time``.
        self.ages = array("I")
        self.alive = bytearray()
        self.left = 0
        #: No row before this index waits.
        self.first = 0

    def room(self, positions: Sequence[int], start: int) -> int:
        """How many of these positions, from the index ``start`` on, fit in here."""
        some = min(len(positions) - start, _ROWS - len(self.steps))
        return bisect_right(positions, self.base + _MOST, start, start + some) - start

    def extend(self, positions: Sequence[int], sizes: Sequence[int], times: Sequence[int]) -> None:
        base, time = self.base, self.time
        self.steps.extend([seq - base for seq in positions])
        self.sizes.extend(sizes)
        self.ages.extend([min(max(0, (each - time) // 1_000_000), _MOST) for each in times])
        self.alive += _ALIVE * len(positions)
        self.left += len(positions)

    def oldest(self) -> int:
        """The index of the first row that waits; there is one."""
        self.first = self.alive.index(_ALIVE, self.first)
        return self.first

    def settle(self, first: int, last: int) -> tuple[list[int], int]:
        """Strike out what waits from one position to another; returns the positions and their size."""
        start = bisect_left(self.steps, max(0, first - self.base))
        end = bisect_right(self.steps, min(last - self.base, _MOST))
        waiting = self.alive[start:end]
        if not any(waiting):
            return [], 0
        self.alive[start:end] = _GONE * (end - start)
        if all(waiting):  # nearly always
            chosen = range(start, end)
            size = sum(self.sizes[start:end])
        else:
            chosen = [start + index for index, alive in enumerate(waiting) if alive]  # type: ignore[assignment]
            size = sum([self.sizes[index] for index in chosen])
        self.left -= len(chosen)
        return [self.base + self.steps[index] for index in chosen], size


class Ledger:
    """The rows that wait, oldest first.

    Attributes:
        count: How many.
        size: Their bytes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self._chunks: deque[_Chunk] = deque()

    def extend(self, positions: Sequence[int], sizes: Sequence[int], times: Sequence[int]) -> None:
        """Add rows behind all others, in the order of their positions."""
        if max(sizes, default=0) > _MOST:
            sizes = [min(size, _MOST) for size in sizes]
        start = 0
        while start < len(positions):
            room = self._chunks[-1].room(positions, start) if self._chunks else 0
            if room:
                rows = slice(start, start + room)
                self._chunks[-1].extend(positions[rows], sizes[rows], times[rows])
                start += room
            else:
                self._chunks.append(_Chunk(positions[start], times[start]))
        self.count += len(positions)
        self.size += sum(sizes)

    def settle(self, first: int, last: int) -> list[int]:
        """Strike out what waits from one position to another, both included; returns the positions."""
        settled: list[int] = []
        emptied = False
        for chunk in self._chunks:
            if chunk.base > last:
                break
            positions, size = chunk.settle(first, last)
            settled += positions
            self.size -= size
            emptied = emptied or not chunk.left
        self.count -= len(settled)
        if emptied:
            self._chunks = deque(chunk for chunk in self._chunks if chunk.left)
        return settled

    def pop_oldest(self) -> tuple[int, int]:
        """Strike out the oldest row; returns its position and its size.

        Raises:
            IndexError: None waits.
        """
        # Not by `settle`: a full queue comes by here at each put.
        chunk = self._chunks[0]
        index = chunk.oldest()
        chunk.alive[index] = _GONE[0]
        chunk.left -= 1
        if not chunk.left:
            self._chunks.popleft()
        size = chunk.sizes[index]
        self.count -= 1
        self.size -= size
        return chunk.base + chunk.steps[index], size

    def oldest_time(self) -> int | None:
        """When the oldest waiting event happened, to the millisecond; None when none waits."""
        if not self._chunks:
            return None
        chunk = self._chunks[0]
        return chunk.time + chunk.ages[chunk.oldest()] * 1_000_000
