"""Staging: what waits for the next commit. No IO; the spool's lock guards it.

An event that several queues take is staged once, with a backlog for each, as long as that keeps the order
of every backlog.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from logweir.delivery.queue import OnDurable
from logweir.delivery.spool.backlog import Backlog
from logweir.delivery.spool.spool_file import Record, Row
from logweir.encoding.events import encode_event
from logweir.event import Event

__all__ = ["Staged", "Staging"]

#: Enough for one commit: that it gets more saves little.
_MUCH, _MUCH_BYTES = 512, 2**20
# Arrivals within the first gathering that make a longer one worth its while.
_COMPANY = 16


class Staged:
    """One event on its way to the disk.

    Attributes:
        seq: Its position.
        time: When it happened.
        size: Its size in the bounds of queues.
        backlogs: Who takes it.
        waiting: Who wants to know when it is durable.
    """

    __slots__ = ("_row", "backlogs", "event", "seq", "size", "time", "waiting")

    def __init__(self, seq: int, time: int, size: int, event: Event | None, row: Row | None = None) -> None:
        self.seq = seq
        self.time = time
        self.size = size
        self.event = event
        self.backlogs: tuple[Backlog, ...] = ()
        self.waiting: tuple[OnDurable, ...] = ()
        self._row = row

    def record(self) -> Record:
        """What is written; encoded once, at the first call."""
        if self._row is None:
            assert self.event is not None  # noqa: S101 - staged with one or the other
            self._row = Row(self.seq, self.time, self.size, encode_event(self.event))
        backlogs = self.backlogs
        one = len(backlogs) == 1  # nearly always
        return Record(self._row, (backlogs[0].sink,) if one else tuple([item.sink for item in backlogs]))


class Staging:
    """The events that wait for the next commit, in their order.

    Attributes:
        size: Bytes staged.
        waiting: Entries that somebody waits for.
        next_seq: The position of the next event.
    """

    def __init__(self) -> None:
        self.size = 0
        self.waiting = 0
        self.next_seq = 0
        self._entries: deque[Staged] = deque()
        self._by_id: dict[str, Staged] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_much(self) -> bool:
        """Whether a commit of what is here is worth its while."""
        return len(self._entries) >= _MUCH or self.size >= _MUCH_BYTES

    @property
    def has_company(self) -> bool:
        """Whether so much is here that more will come soon."""
        return len(self._entries) >= _COMPANY

    @property
    def may_gather(self) -> bool:
        """Whether something is here that nobody waits for, and more of it would save a commit."""
        return bool(self._entries) and not (self.waiting or self.is_much)

    def first(self) -> float:
        """The position of the oldest entry; infinity when there is none."""
        return self._entries[0].seq if self._entries else math.inf

    def add(self, backlog: Backlog, event: Event, on_commit: OnDurable | None) -> None:
        """Stage an event for one backlog."""
        # The entry is shared only if it is this very event (an id may be put twice, with other content), and
        # only if the backlog has nothing newer staged: otherwise it would become durable out of its order.
        entry = self._by_id.get(event.id)
        if entry is None or entry.event is not event or entry.seq <= backlog.last:
            entry = self._by_id[event.id] = self._append(_in_64_bits(event.time), event.size, event)
        entry.backlogs += (backlog,)
        if on_commit is not None:
            self.waiting += not entry.waiting
            entry.waiting += (on_commit,)
        backlog.stage(entry.seq, entry.size, event)

    def add_row(self, row: Row, backlogs: Iterable[Backlog], on_commit: OnDurable) -> None:
        """Stage a row of another file under a position of this one."""
        entry = self._append(row.time, row.size, None, row._replace(seq=self.next_seq))
        entry.backlogs = tuple(backlogs)
        entry.waiting = (on_commit,)
        self.waiting += 1
        for backlog in entry.backlogs:
            backlog.stage(entry.seq, entry.size, None)

    def take(self, most: int) -> list[Staged]:
        """Take the oldest entries for a commit; nobody joins them any more."""
        entries = self._entries
        batch = [entries.popleft() for _ in range(min(most, len(entries)))]
        self._by_id.clear()  # what is being written can no longer get a sink more
        self.size -= sum([entry.size for entry in batch])
        self.waiting -= sum([1 for entry in batch if entry.waiting])
        return batch

    def put_back(self, entries: list[Staged]) -> None:
        """Put entries back to the front, after a commit that failed."""
        self._entries.extendleft(reversed(entries))
        self.size += sum(entry.size for entry in entries)
        self.waiting += sum(1 for entry in entries if entry.waiting)

    def _append(self, time: int, size: int, event: Event | None, row: Row | None = None) -> Staged:
        entry = Staged(self.next_seq, time, size, event, row)
        self.next_seq += 1
        self.size += size
        self._entries.append(entry)
        return entry


def _in_64_bits(number: int) -> int:
    return max(-(2**63), min(number, 2**63 - 1))
