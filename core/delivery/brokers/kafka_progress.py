"""How far the messages of one partition are settled; pure.

Kafka keeps one number for a group and partition: everything before it is settled. What is settled beyond it
goes as text beside that number (the metadata of the commit), so that whoever takes over the partition is
handed exactly the rest. The text is ``lw1;GIVEN;MISSING;RANGES``: how far messages were handed out, how many
were removed before they were settled, and which of those handed out are not settled, all but the second as
distances from the number. A text that would be too long says less: more comes again, and nothing is lost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from logweir.delivery.brokers.contract import Entry

__all__ = ["Committed", "Given", "Progress"]

#: The longest text of a commit; Kafka's own bound (`offset.metadata.max.bytes`) is 4,096 by default.
_LONGEST = 4000
_MARK = "lw1"
_Range = tuple[int, int]


class Committed(NamedTuple):
    """What a group has noted of a partition.

    Attributes:
        offset: Everything before it is settled.
        given: Everything before it was handed out.
        unsettled: What was handed out and not settled, as ranges whose end is outside.
        missing: Messages that were removed before they were settled.
    """

    offset: int
    given: int
    unsettled: tuple[_Range, ...] = ()
    missing: int = 0

    @classmethod
    def read(cls, offset: int, text: str) -> Committed:
        """Read a commit; one that is not ours knows of nothing beyond its number."""
        try:
            mark, given, missing, ranges = text.split(";")
            if mark != _MARK:
                return cls(offset, offset)
            pairs = tuple(_pair(offset, part) for part in ranges.split(",") if part)
            return cls(offset, offset + int(given), pairs, int(missing))
        except ValueError:
            return cls(offset, offset)

    def text(self, longest: int | None = None) -> str:
        """What to note beside the number, in about so many characters at most."""
        bound = longest or _LONGEST
        head = f"{_MARK};{self.given - self.offset};{self.missing};"
        parts: list[str] = []
        size = len(head)
        for start, end in self.unsettled:
            part = f"{start - self.offset}-{end - self.offset}"
            size += len(part) + 1
            if size > bound - 2 * len(part):  # the rest counts as not settled at all
                parts.append(f"{start - self.offset}-{self.given - self.offset}")
                break
            parts.append(part)
        return head + ",".join(parts)

    def pending(self) -> int:
        """How many were handed out and are not settled."""
        return sum(end - start for start, end in self.unsettled)

    def without(self, start: int) -> Committed:
        """The same of a partition whose first message is ``start``: what is gone before it is missing."""
        if start <= self.offset:
            return self
        lost = sum(max(0, min(end, start) - begin) for begin, end in self.unsettled)
        lost += max(0, start - self.given)
        kept = tuple((max(begin, start), end) for begin, end in self.unsettled if end > start)
        return Committed(start, max(self.given, start), kept, self.missing + lost)


def _pair(offset: int, part: str) -> _Range:
    start, end = part.split("-")
    return offset + int(start), offset + int(end)


@dataclass(slots=True)
class Given:
    """A message that is handed out: since when it is in living hands (monotonic), and its time (ms)."""

    entry: Entry
    since: float
    time: float


@dataclass(slots=True)
class Progress:
    """One partition in the hands of this consumer, from the commit it began with.

    Attributes:
        committed: What the group has noted.
        position: What is read next.
        ours: What this consumer had in hand before the partition was assigned to it anew.
        pending: What was read and is not settled, in order.
    """

    committed: Committed
    ours: dict[int, Given] = field(default_factory=dict)
    position: int = 0
    pending: dict[int, Given] = field(default_factory=dict)
    _before: Committed = field(init=False)
    _starts: list[int] = field(init=False)
    _reopened: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin at the commit; what it knows to be settled is not ours any more."""
        self._before = self.committed
        self.position = self.committed.offset
        self._starts = [start for start, _ in self.committed.unsettled]
        self.ours = {offset: given for offset, given in self.ours.items() if self._is_open(offset)}

    @property
    def catches_up(self) -> bool:
        """Whether what is read next was handed out before."""
        return self.position < self._before.given

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that is read from now on is new here and was not handed out before."""
        return not self.ours and self.position >= self._before.given

    def _is_open(self, offset: int) -> bool:
        """Whether it was not settled when we began."""
        if offset >= self._before.given:
            return True
        place = bisect_right(self._starts, offset) - 1
        return place >= 0 and offset < self._before.unsettled[place][1]

    def read(self, offset: int) -> bool | None:
        """Note that a message was read: None to skip it, else whether it was handed out before."""
        before = offset < self._before.given
        self.position = offset + 1
        mine = self.ours.pop(offset, None)
        if mine is not None:  # it is in hand already
            self.pending[offset] = mine
            return None
        if not before:
            return False
        return True if self._is_open(offset) else None

    def settle(self, offset: int) -> Given | None:
        """Note that a message is settled; returns it if it was in hand."""
        given = self.pending.pop(offset, None)
        if given is None:
            given = self.ours.pop(offset, None)
            if given is not None:  # not read anew yet: what is settled is taken out of what is open
                self._close(offset)
        return given

    def unread(self, offset: int) -> None:
        """Note that what was read is in nobody's hands; it stays unsettled."""
        if self.pending.pop(offset, None) is not None:
            self._reopened.append(offset)

    def _close(self, offset: int) -> None:
        given = max(self._before.given, offset + 1)
        ranges = [*self._before.unsettled]
        if given > self._before.given:
            ranges.append((self._before.given, given))
        cut = [
            part
            for start, end in ranges
            for part in ([(start, offset), (offset + 1, end)] if start <= offset < end else [(start, end)])
            if part[0] < part[1]
        ]
        self._before = self._before._replace(given=given, unsettled=tuple(cut))
        self._starts = [start for start, _ in cut]

    def now(self) -> Committed:
        """What the group is to note."""
        before, position = self._before, self.position
        ranges = list(_ranges(self.pending, position))
        if self._reopened:
            ranges = list(_joined(sorted([*self.pending, *self._reopened])))
        for start, end in before.unsettled:  # what is not read again yet
            if end > position:
                ranges.append((max(start, position), end))
        offset = ranges[0][0] if ranges else max(position, before.given)
        return Committed(offset, max(position, before.given), tuple(ranges), self.committed.missing)

    def oldest(self) -> Given | None:
        """The first message that is not settled, if it was read."""
        return next(iter(self.pending.values()), None)


def _ranges(pending: dict[int, Given], position: int) -> Iterator[_Range]:
    if not pending:
        return
    first = next(iter(pending))
    if position - first == len(pending):  # all of it, as where nothing was settled out of order
        yield first, position
        return
    yield from _joined(pending)


def _joined(offsets: Iterable[int]) -> Iterator[_Range]:
    start = end = -1
    for offset in offsets:
        if offset != end:
            if start >= 0:
                yield start, end
            start = offset
        end = offset + 1
    if start >= 0:
        yield start, end
