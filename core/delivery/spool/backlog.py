"""A backlog: what one process knows of one sink's events on disk. No IO; the spool's lock guards it.

From the oldest to the newest, the waiting events of a backlog are in three parts::

    ready          committed, and still (or again) in memory: handed out next
    on disk        committed, in the file alone, from ``read_next`` on
    uncommitted    on the way to the next commit

``ready`` is a window of bounded size. While consumers keep up, every event passes through it and
nothing is ever read back; when they fall behind, the middle part grows and memory does not.

Positions are the spool's ``seq``: everything below ``read_next`` is in ``ready``, leased, set aside or done.
What is set aside (:mod:`logweir.delivery.set_aside`) is in the file alone, and read back when it is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple

from logweir.delivery.queue import FlushWaiter, Lease
from logweir.delivery.set_aside import Group, PutOff, SetAside, given_back, set_aside
from logweir.event import Event

__all__ = ["Backlog", "Held", "Read"]


class Held(NamedTuple):
    """A committed event in memory."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True)
class Read:
    """What a look into the file brought.

    Attributes:
        held: The events that could be decoded.
        dead: Positions of rows that became dead letters.
        read_next: Everything below was seen.
        complete: Whether there was nothing more in the file.
    """

    held: Sequence[Held]
    dead: Sequence[int]
    read_next: int
    complete: bool


class Backlog:
    """One sink's events.

    Args:
        sink: The sink's name.
        window: The most events that ``ready`` keeps for later.
        window_bytes: The most bytes that it keeps (one event more at most).

    Attributes:
        depth: Events waiting, in all three parts; what is set aside is not among them.
        size: Their bytes; an estimate while dropped events are still on disk.
        accepted: Events that came in.
        open_queues: Queues that put and take here; more than one in the middle of a reload.
        reading: Whether somebody reads from the file just now.
        aside: What its sink put off.
        flushes: Those that wait for events here, at whichever of its queues they asked.
    """

    def __init__(self, sink: str, window: int, window_bytes: int) -> None:
        self.sink = sink
        self.depth = 0
        self.size = 0
        self.accepted = 0
        self.open_queues = 0
        # Those whose books are open: reloads in a row leave several that still deliver from here.
        self._queues: list[object] = []
        self.reading = False
        self.flushes: list[FlushWaiter] = []
        self.ready: deque[Held] = deque()
        self.on_disk = False
        self.read_next = 0
        self._window = window
        self._window_bytes = window_bytes
        # After the newest durable event: a look into the file that got this far has seen all there is.
        self._committed_next = 0
        self._last = -1
        self._uncommitted: dict[int, tuple[int, Event | None]] = {}
        self._uncommitted_size = 0
        self._disk_since = 0
        # The debt: events that were dropped while they were not in memory. The oldest ones are meant,
        # wherever they are when they are met; `depth` no longer counts them, and `size` lacks an average for
        # each.
        self._debt = 0
        self._debt_size = 0
        self._leases: dict[int, tuple[Lease, list[Held]]] = {}
        self.aside = SetAside()

    def open(self, queue: object) -> None:
        """Note a queue; from here on it speaks for the backlog."""
        self.open_queues += 1
        self._queues.append(queue)

    def is_spoken_for_by(self, queue: object) -> bool:
        """Whether what is counted here belongs to the counts of this queue: one queue at a time has them."""
        return bool(self._queues) and self._queues[-1] is queue

    def close_books(self, queue: object) -> None:
        """Let go of a queue, whose counts are in somebody's books now.

        If it spoke for the backlog, what still waits is left to the counts of whoever speaks next.
        """
        if self.is_spoken_for_by(queue):
            self.accepted = self.depth + self.waiting_aside + self.in_flight
        self._queues = [other for other in self._queues if other is not queue]

    def is_attended(self, directory: Path) -> bool:
        """Whether another process delivers what dead processes left for the sink in this directory."""
        del directory
        return False

    # -- coming in ----------------------------------------------------------------------------------

    @property
    def last(self) -> int:
        """The position of the newest event."""
        return self._last

    def stage(self, seq: int, size: int, event: Event | None) -> None:
        """Note an event that will be committed; None when it need not be kept in memory."""
        self._uncommitted[seq] = (size, event)
        self._uncommitted_size += size
        self._last = seq
        self.depth += 1
        self.size += size
        self.accepted += 1

    def commit(self, seq: int, time: int) -> None:
        """Note that an event is durable; once, however often it is said."""
        if seq not in self._uncommitted:
            return
        size, event = self._uncommitted.pop(seq)
        self._uncommitted_size -= size
        self._committed_next = seq + 1
        if seq < self.read_next:
            return  # it was dropped before this note
        # Once there is anything on disk alone, what is newer waits behind it, even if memory has room again:
        # `ready` is always older than the disk's part, and the order is kept.
        fits = len(self.ready) < self._window and self.available_size <= self._window_bytes + size
        if event is not None and not self.on_disk and fits:
            self.ready.append(Held(seq, event))
            self.read_next = seq + 1
        elif not self.on_disk:
            self.on_disk = True
            self._disk_since = time

    def commit_all(self, positions: Sequence[int], times: Sequence[int]) -> None:
        """Note, as :meth:`commit` does, that events are durable, in their order."""
        for seq, time in zip(positions, times, strict=True):
            self.commit(seq, time)

    def fail(self, seq: int) -> None:
        """Note that an event will not be committed; its caller knows. Once, however often it is said."""
        if seq not in self._uncommitted:
            return
        size, _ = self._uncommitted.pop(seq)
        self._uncommitted_size -= size
        self.depth -= 1
        self.size -= size
        self.accepted -= 1

    def give_up(self) -> list[Event]:
        """Forget what is not durable, and return it."""
        events = [event for _, event in self._uncommitted.values() if event is not None]
        self.depth -= len(self._uncommitted)
        self.size -= self._uncommitted_size
        self._uncommitted.clear()
        self._uncommitted_size = 0
        return events

    # -- going out ----------------------------------------------------------------------------------

    @property
    def available(self) -> int:
        """Events that can be leased: committed and not dropped."""
        return max(0, self.depth - len(self._uncommitted))

    @property
    def available_size(self) -> int:
        """Bytes that can be leased."""
        return max(0, self.size - self._uncommitted_size)

    def is_committed_up_to(self, seq: int) -> bool:
        """Whether nothing up to and including ``seq`` is still on the way to the disk."""
        return next(iter(self._uncommitted), seq + 1) > seq

    def lease(self, max_events: int, max_bytes: int) -> Lease | None:
        """Hand out the first events of ``ready``."""
        held: list[Held] = []
        size = 0
        while self.ready and len(held) < max_events:
            following = self.ready[0].event.size
            if held and size + following > max_bytes:
                break
            held.append(self.ready.popleft())
            size += following
        if not held:
            return None
        self.depth -= len(held)
        self.size -= size
        self.aside.yields = False
        return self._leased(Lease([item.event for item in held], held[0].seq), held)

    def _leased(self, lease: Lease, held: list[Held]) -> Lease:
        self._leases[lease.number] = (lease, held)
        return lease

    def lease_aside(self, group: Group, held: Sequence[Held], now: float) -> Lease | None:
        """Hand out what was set aside, with what was read of it; None if nothing is left of it."""
        if not held:
            self.aside.end(now)
            return None
        tries = dict(zip(group.positions, group.attempts, strict=True))
        attempts = {id(item.event): tries[item.seq] for item in held}
        return self._leased(Lease([item.event for item in held], held[0].seq, attempts), list(held))

    def settle(
        self, lease: Lease, unsettled: Sequence[Event] = (), put_off: Sequence[PutOff] = (), now: float = 0.0
    ) -> list[int]:
        """End a lease; what is not settled waits again, in its old place. Returns the positions settled."""
        _, held = self._leases.pop(lease.number)
        if not (unsettled or put_off or lease.attempts):  # nearly always
            return [item.seq for item in held]
        if lease.attempts:
            put_off = [*put_off, given_back(lease.attempts, unsettled)]
            self.aside.end(now, passed=sum(len(item.attempts) for item in put_off) < len(held))
        again = {id(event) for event in unsettled}
        if put_off:
            set_aside(self.aside, put_off, {id(item.event): item.seq for item in held}, now, keep=False)
            again |= {id(event) for item in put_off for event, _ in item.attempts}
        self._give_back([] if lease.attempts else unsettled, held)
        return [item.seq for item in held if id(item.event) not in again]

    def _give_back(self, unsettled: Sequence[Event], held: Sequence[Held]) -> None:
        again = {id(event) for event in unsettled}
        back = [item for item in held if id(item.event) in again]
        if back:
            # By position and not simply in front: another worker may have given back older events meanwhile.
            self.ready = deque(sorted([*back, *self.ready], key=lambda item: item.seq))
            self.depth += len(back)
            self.size += sum(item.event.size for item in back)

    # -- dropping the oldest ------------------------------------------------------------------------

    def drop_oldest(self) -> list[int]:
        """Drop one event; its position if it is known, otherwise it is dropped when it is met."""
        # What is set aside came before all that waits in its turn.
        if self.aside.waiting:
            return list(self.aside.drop_oldest().positions)
        self.depth -= 1
        # With a debt, what `ready` has got since then belongs to it first: see `pay`.
        if self.ready and not self._debt:
            dropped = self.ready.popleft()
            self.size -= dropped.event.size
            return [dropped.seq]
        estimate = self.size // (self.depth + 1)
        self.size -= estimate
        self._debt += 1
        self._debt_size += estimate
        return self.pay()

    def pay(self) -> list[int]:
        """Drop what was to be dropped and is now in ``ready``; returns the positions."""
        paid = []
        while self._debt and self.ready:
            held = self.ready.popleft()
            self._pay_one(held.event.size)
            paid.append(held.seq)
        return paid

    def debt_on_disk(self) -> int:
        """How many events, first on disk, are to be dropped there."""
        return self._debt if self.on_disk and not self.ready and not self.reading else 0

    def pay_on_disk(self, oldest: Sequence[tuple[int, int]]) -> list[int]:
        """Drop the first events on disk, given as ``seq`` and ``size``; returns the positions."""
        paid = []
        # A consumer may have read on since the file was asked: what it has is leased, or has paid already.
        there = [(seq, size) for seq, size in oldest if seq >= self.read_next]
        for seq, size in there[: self.debt_on_disk()]:
            self._pay_one(size)
            self.read_next = seq + 1
            paid.append(seq)
        return paid

    def _pay_one(self, size: int) -> None:
        estimate = self._debt_size // self._debt
        self._debt -= 1
        self._debt_size -= estimate
        self.size += estimate - size

    # -- reading back -------------------------------------------------------------------------------

    def wants_reading(self, max_events: int) -> bool:
        """Whether a batch needs what is on disk."""
        return self.on_disk and not self.reading and len(self.ready) < max_events

    def take_in(self, read: Read) -> list[int]:
        """Add what was read; returns the positions that need no longer be kept."""
        self.ready.extend(read.held)
        self.read_next = max(self.read_next, read.read_next)
        self._note_as_durable(self.read_next)
        # "Nothing more in the file" counts only if nothing was committed since it was read.
        if read.complete and self.read_next >= self._committed_next:
            self.on_disk = False
            self._correct()
        else:
            self.depth -= len(read.dead)
        return [*read.dead, *self.pay()]

    def _note_as_durable(self, end: int) -> None:
        """Note that what was on its way up to a position has arrived: a reader was faster than the committer.

        Counted as read and as on its way, it would be waited for in vain.
        """
        arrived = list(takewhile(lambda seq: seq < end, self._uncommitted))
        for seq in arrived:
            size, _ = self._uncommitted.pop(seq)
            self._uncommitted_size -= size
            self._committed_next = seq + 1

    def count_anew(self, count: int, size: int) -> int:
        """Correct the backlog by what is in the file from ``read_next`` on; returns how many are missing."""
        before = self.depth
        self.on_disk = count > 0
        self._correct(count, size)
        return max(0, before - self.depth)

    def _correct(self, count: int = 0, size: int = 0) -> None:
        """With the disk's part known, every part is known: count instead of trusting sums."""
        everything = len(self.ready) + count + len(self._uncommitted)
        self._debt = min(self._debt, everything)
        self.depth = everything - self._debt
        self.size = (
            sum(item.event.size for item in self.ready) + size + self._uncommitted_size - self._debt_size
        )

    # -- looking ------------------------------------------------------------------------------------

    def first_unsettled(self) -> int | None:
        """The position before which everything is settled; None when nothing is open."""
        open_positions = list(self._leases)
        if (aside := self.aside.first()) is not None:
            open_positions.append(aside)
        if self.ready:
            open_positions.append(self.ready[0].seq)
        elif self.on_disk:
            open_positions.append(self.read_next)
        elif self.depth > 0:
            open_positions.extend(islice(self._uncommitted, 1))
        return min(open_positions, default=None)

    def first_waiting(self) -> int:
        """A position before which nothing waits to be leased."""
        if self.ready:
            return self.ready[0].seq
        return self.read_next if self.on_disk else next(iter(self._uncommitted), self._last + 1)

    @property
    def is_needed(self) -> bool:
        """Whether anything is committed and not settled."""
        return bool(self.available or self._leases or self.aside.count)

    @property
    def waiting_aside(self) -> int:
        """Events set aside that no worker has in hand; one that is being read for its next try waits too."""
        return self.aside.count - sum(len(held) for lease, held in self._leases.values() if lease.attempts)

    @property
    def in_flight(self) -> int:
        """Events leased and not yet settled."""
        return sum(len(held) for _, held in self._leases.values())

    def oldest_time(self) -> int | None:
        """When the oldest waiting event happened, as far as memory knows."""
        times = [time for time in (self.aside.oldest(), self._oldest_in_turn()) if time is not None]
        return min(times, default=None)

    def _oldest_in_turn(self) -> int | None:
        if not self.depth:
            return None
        if self.ready:
            return self.ready[0].event.time
        if self.on_disk:
            return self._disk_since
        return next((event.time for _, event in self._uncommitted.values() if event is not None), None)

    def in_memory(self) -> Iterator[Held]:
        """Committed events that memory holds, leased ones too."""
        yield from self.ready
        for _, held in self._leases.values():
            yield from held
