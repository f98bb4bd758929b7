"""What is set aside: events that a sink put off, on a clock of their own, while the others pass.

A queue keeps them within its own bounds until they are settled. Here are only positions, sizes and times
(and the events themselves where the queue has no other place for them), so that a million of them cost a
disk queue some ten megabytes.

Events that were put off together wait together, each group until it is due. What is due is handed out as one
lease, at most one at a time, and in turn with what was never tried. While nothing of it passes there is at
most one such lease in ``_PACE`` seconds, growing to ``_SLOWEST_PACE``: however many groups wait, a backend
that is short of breath is not asked more often. No lock: the queue's own guards it.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from logweir.event import Event

__all__ = ["Group", "PutOff", "SetAside", "given_back", "set_aside"]

_PACE = 0.1
_SLOWEST_PACE = 1.0
_NEVER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PutOff:
    """Events of one lease that the sink put off.

    Attributes:
        attempts: Each event, with how often it was tried.
        pause: Seconds until the next attempt.
        reason: Why, in the sink's words.
    """

    attempts: Sequence[tuple[Event, int]]
    pause: float
    reason: str


def _integers() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Group:
    """Events that wait together.

    Attributes:
        positions: Where they are in the queue's history.
        sizes: Their bytes.
        attempts: How often each was tried.
        events: The events, or nothing where they are read back when they are due.
        oldest: When the oldest of them happened, in nanoseconds since 1970.
        first: The first position.
    """

    positions: array[int] = field(default_factory=_integers)
    sizes: array[int] = field(default_factory=_integers)
    attempts: array[int] = field(default_factory=_integers)
    events: list[Event] = field(default_factory=list)
    oldest: int = _NEVER
    first: int = _NEVER

    @property
    def size(self) -> int:
        """Bytes of them all."""
        return sum(self.sizes)

    def add(self, position: int, event: Event, attempts: int, *, keep: bool) -> None:
        """Add an event; ``keep`` it where it cannot be read back."""
        self.positions.append(position)
        self.sizes.append(event.size)
        self.attempts.append(attempts)
        self.oldest = min(self.oldest, event.time)
        self.first = min(self.first, position)
        if keep:
            self.events.append(event)

    def take(self, number: int) -> Group:
        """Split off the first ones."""
        taken = Group(
            self.positions[:number],
            self.sizes[:number],
            self.attempts[:number],
            self.events[:number],
            self.oldest,
        )
        del self.positions[:number], self.sizes[:number], self.attempts[:number], self.events[:number]
        for part in (self, taken):
            part.first = min(part.positions, default=_NEVER)
        return taken

    def extend(self, other: Group) -> None:
        """Add those of another group."""
        self.positions += other.positions
        self.sizes += other.sizes
        self.attempts += other.attempts
        self.events += other.events
        self.oldest = min(self.oldest, other.oldest)
        self.first = min(self.first, other.first)

    def without(self, lost: Collection[int]) -> Group:
        """Those that are at none of these positions; only where the events are not kept."""
        there = Group(oldest=self.oldest)
        for position, size, attempts in zip(self.positions, self.sizes, self.attempts, strict=True):
            if position not in lost:
                there.positions.append(position)
                there.sizes.append(size)
                there.attempts.append(attempts)
        there.first = min(there.positions, default=_NEVER)
        return there

    def fitting(self, max_events: int, max_bytes: int) -> int:
        """How many of the first ones fit."""
        size = 0
        for number, one in enumerate(self.sizes[:max_events]):
            size += one
            if size > max_bytes:
                return number
        return min(len(self.sizes), max_events)


class SetAside:
    """What one queue has set aside.

    Attributes:
        count: Events set aside; those that are being tried again count until they are settled.
        size: Their bytes.
        reason: Why the latest of them were put off.
        yields: Whether it is the turn of what was never tried.
        tried: What is being tried again just now.
    """

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self.reason = ""
        self.yields = False
        self._numbers = count()
        self._groups: dict[int, Group] = {}
        # By the time when they are due; a number whose group is gone is skipped when it is met.
        self._due: list[tuple[float, int]] = []
        self.tried: Group | None = None
        self._not_before = 0.0
        self._fruitless = 0

    @property
    def waiting(self) -> int:
        """Events set aside that are not being tried just now."""
        return self.count - (len(self.tried.positions) if self.tried else 0)

    @property
    def waiting_size(self) -> int:
        """Bytes of those."""
        return self.size - (self.tried.size if self.tried else 0)

    def put(self, group: Group, due: float) -> None:
        """Set a group aside until it is ``due``."""
        if group.positions:
            self.count += len(group.positions)
            self.size += group.size
            self._insert(group, due)

    def _insert(self, group: Group, due: float) -> None:
        number = next(self._numbers)
        self._groups[number] = group
        heapq.heappush(self._due, (due, number))

    def wait(self, now: float) -> float | None:
        """Seconds until something can be tried, 0 for now; None while nothing can."""
        if not self._groups or self.tried is not None:
            return None
        while self._due[0][1] not in self._groups:
            heapq.heappop(self._due)
        return max(0.0, self._due[0][0] - now, self._not_before - now)

    def take(self, now: float, max_events: int, max_bytes: int) -> Group:
        """Hand out what is due; :meth:`end` is to be called before any more is.

        Args:
            now: Monotonic seconds; infinite for all there is.
            max_events: The most events.
            max_bytes: The most bytes; a single larger event goes alone.
        """
        taken = Group()
        while self._due and self._due[0][0] <= now:
            group = self._groups.get(self._due[0][1])
            if group is not None:
                room = max_events - len(taken.positions)
                number = group.fitting(room, max_bytes - taken.size) or (0 if taken.positions else 1)
                taken.extend(group.take(number))
                if group.positions:
                    break
                del self._groups[self._due[0][1]]
            heapq.heappop(self._due)
        self.tried = taken
        self.yields = True
        return taken

    def end(self, now: float, *, passed: bool = True) -> None:
        """Forget what was handed out last: it is settled, or :meth:`put` again.

        Args:
            now: Monotonic seconds.
            passed: Whether the sink took any of it.
        """
        if self.tried is not None:
            self.count -= len(self.tried.positions)
            self.size -= self.tried.size
            self.tried = None
        self._fruitless = 0 if passed else self._fruitless + 1
        self._not_before = (
            0.0 if passed else now + min(_SLOWEST_PACE, _PACE * 2 ** min(self._fruitless - 1, 8))
        )

    def put_back(self, now: float) -> None:
        """Undo :meth:`take`."""
        group = self.tried
        self.end(now)
        if group is not None:
            self.put(group, now)

    def hurry(self) -> None:
        """Let everything be due now, and at once: the queue is closed."""
        self._due = [(0.0, number) for number in self._groups]
        self._not_before = 0.0

    def drop_oldest(self) -> Group:
        """Forget one of those that have waited longest, and return it; only while any is waiting."""
        number, group = next(iter(self._groups.items()))
        dropped = group.take(1)
        if not group.positions:
            del self._groups[number]
        self.count -= 1
        self.size -= dropped.size
        return dropped

    def clear(self) -> list[Event]:
        """Forget all that waits, and return the events that are kept here, in the order of their puts."""
        kept = sorted(
            (
                pair
                for group in self._groups.values()
                for pair in zip(group.positions, group.events, strict=False)
            ),
            key=lambda pair: pair[0],
        )
        for group in self._groups.values():
            self.count -= len(group.positions)
            self.size -= group.size
        self._groups.clear()
        self._due.clear()
        return [event for _, event in kept]

    def forget(self, lost: Collection[int]) -> int:
        """Forget what waits at one of these positions; returns how many."""
        before, size = self.waiting, self.waiting_size
        there = {number: group.without(lost) for number, group in self._groups.items()}
        self._groups = {number: group for number, group in there.items() if group.positions}
        forgotten = before - sum(len(group.positions) for group in self._groups.values())
        self.count -= forgotten
        self.size -= size - sum(group.size for group in self._groups.values())
        return forgotten

    def positions(self) -> Iterator[int]:
        """Where they are, those that are being tried too."""
        for group in self._all():
            yield from group.positions

    def first(self) -> int | None:
        """The first position."""
        return min((group.first for group in self._all() if group.positions), default=None)

    def oldest(self) -> int | None:
        """When the oldest one happened."""
        return min((group.oldest for group in self._all()), default=None)

    def _all(self) -> Iterator[Group]:
        yield from self._groups.values()
        if self.tried is not None:
            yield self.tried


def given_back(lease_attempts: Mapping[int, int], events: Sequence[Event]) -> PutOff:
    """What was being tried and was not answered: it is due as it was."""
    return PutOff([(event, lease_attempts[id(event)]) for event in events], 0.0, "")


def set_aside(
    aside: SetAside, put_off: Sequence[PutOff], positions: Mapping[int, int], now: float, *, keep: bool
) -> None:
    """Set aside what a sink put off, or a worker gives back.

    Args:
        aside: Where.
        put_off: What the worker gives back.
        positions: The position of each event of the lease, by the event's ``id()``.
        now: Monotonic seconds.
        keep: Whether the events have no other place.
    """
    for item in put_off:
        group = Group()
        for event, attempts in item.attempts:
            group.add(positions[id(event)], event, attempts, keep=keep)
        aside.put(group, now + item.pause)
        aside.reason = item.reason or aside.reason
