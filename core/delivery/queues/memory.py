"""The memory queue: bounded by events and bytes, fastest, gone with the process.

Promises: ``put`` costs well under a microsecond and takes one re-entrant lock for a few instructions
(what a signal handler or a finaliser puts in the middle of that waits until it is over); nothing is
called while the lock is held; consumers are woken only when there is a reason, so a burst costs one
wake-up and not one for each event.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from logweir.delivery.queue import (
    DropReason,
    Lease,
    OnDurable,
    PutResult,
    QueueStatistics,
    Wake,
)
from logweir.delivery.queues.bounded import BoundedQueue, sooner
from logweir.delivery.set_aside import PutOff, SetAside, given_back, set_aside
from logweir.event import Event
from logweir.process.reentry import Deferred, registered
from logweir.settings.delivery import QueueConfig, WhenFull

__all__ = ["MemoryQueue"]

_NEVER = 2**63
_ACCEPTED = PutResult.ACCEPTED


class MemoryQueue(BoundedQueue):
    """A bounded queue in memory.

    Args:
        config: Its bounds.
        when_full: What a full queue does.
        wake: How to run a callback on the consumers' loop from any thread.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        config: QueueConfig,
        when_full: WhenFull,
        wake: Wake,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        lock = registered(threading.RLock())
        super().__init__(
            config.bounds("memory"), config.block_timeout, when_full, wake, lock, Deferred(lock), clock
        )
        self._is_inside, self._left = self._deferred.inside, self._deferred.work
        self._take_lock, self._release_lock = self._deferred.take, self._deferred.release
        self._events: deque[Event] = deque()
        self._size = 0
        # Events leased or dropped so far: the position of the first that waits.
        self._taken = 0
        self._since = 0.0
        self._interrupted = False
        # A put wakes the consumer only when the depth or the size that it waits for is reached; nobody is
        # woken a second time before the consumer has looked again. A burst costs one wake-up.
        self._wake_at = 1
        self._wake_size = _NEVER
        # An entry for each call between "must wake" and the wake: what interrupts it can do it in its place.
        self._promised: list[None] = []
        self._leases: set[Lease] = set()
        self._aside = SetAside()
        # What the bounds leave to the events that wait in their turn: less by what is set aside.
        self._most_events, self._most_bytes = self._max_events, self._max_bytes

    # -- producers: any thread ---------------------------------------------------------------------

    def put(self, event: Event, on_durable: OnDurable | None = None) -> PutResult:
        """See :meth:`EventQueue.put`."""
        # The hot path is written out: each call of our own would cost a tenth of it.
        if self._is_inside():
            return self._put_aside(event, on_durable)
        try:
            if not (self._take_lock(False) or self._deferred.wait()) or (
                self._left and not self._closed and not self._deferred.catch_up()
            ):
                return self._put_aside(event, on_durable)
            events = self._events
            depth = len(events)
            if depth < self._most_events and self._size < self._most_bytes and not self._closed:
                events.append(event)
                self._size += event.size
                if depth and depth + 1 < self._wake_at and self._size < self._wake_size:
                    return _ACCEPTED
                must_wake = self._note_append(depth)
            else:
                must_wake = None
        finally:
            # Asked, for a signal's handler may have raised before the answer to the question for the lock.
            if self._deferred.is_held():
                self._release_lock()
        if must_wake is None:
            return PutResult.CLOSED if self._closed else self._put_when_full(event, on_durable)
        if must_wake:
            self._wake_as_promised()
        return _ACCEPTED

    def put_all(self, events: Sequence[Event]) -> None:
        """Put events beyond any bound, for who has bounds of its own; a closed queue takes none."""
        if not events:
            return
        with self._lock:
            if self._closed:
                return
            depth = len(self._events)
            self._events.extend(events)
            self._size += sum([event.size for event in events])
            if not depth:
                self._since = self._clock()
            must_wake = self._note_append(depth + len(events) - 1)
        if must_wake:
            self._wake_as_promised()

    @property
    def lock(self) -> threading.RLock:
        """What guards it; a queue that has this one as a part uses it too."""
        return self._lock

    def offer(self, event: Event) -> PutResult | None:
        """Take the event, under the lock, if there is room; None when the queue is full."""
        if self._closed:
            return PutResult.CLOSED
        if not self._has_room():
            return None
        if self._append(event):
            self._wake_as_promised()
        return PutResult.ACCEPTED

    def _offer(self, event: Event, on_durable: OnDurable | None) -> PutResult | None:
        """See :meth:`BoundedQueue._offer`."""
        with self._deferred as entered:
            return self.offer(event) if entered else self._put_aside(event, on_durable)

    def ensure_awake(self) -> None:
        """See :meth:`EventQueue.ensure_awake`."""
        if self._promised:
            self._wake(self._on_wake)

    def _wake_as_promised(self) -> None:
        self._wake(self._on_wake)
        self._promised.pop()

    def _take_in(self, event: Event, on_durable: OnDurable | None) -> None:
        """See :meth:`BoundedQueue._take_in`."""
        if self._append(event):
            self._wake_as_promised()

    def _append(self, event: Event) -> bool:
        """Append under the lock; whether a consumer must be woken."""
        depth = len(self._events)
        self._events.append(event)
        self._size += event.size
        return self._note_append(depth)

    def _note_append(self, depth: int) -> bool:
        """Note, under the lock, an append to a queue of this depth; whether a consumer must be woken."""
        if not depth:
            self._since = self._clock()
        if depth + 1 < self._wake_at and self._size < self._wake_size:
            return False
        self._promised.append(None)
        self._wake_at = self._wake_size = _NEVER
        return True

    def _put_forgetting_oldest(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        forgotten: list[Event] = []
        with self._deferred as entered:
            if not entered:
                return self._put_aside(event, on_durable)
            if self._closed:
                return PutResult.CLOSED
            while not self._has_room(event.size) and (self._events or self._aside.waiting):
                forgotten.append(self._forget_oldest())
            self._drops[DropReason.QUEUE_FULL_OLDEST] += len(forgotten)
            must_wake = self._append(event)
        if must_wake:
            self._wake_as_promised()
        if self.on_forgotten is not None:
            for old in forgotten:
                self.on_forgotten(old)
        return PutResult.ACCEPTED

    def _forget_oldest(self) -> Event:
        # What is set aside came before all that waits in its turn.
        if self._aside.waiting:
            (event,) = self._aside.drop_oldest().events
            self._note_aside()
        else:
            event = self._events.popleft()
            self._size -= event.size
            self._taken += 1
        return event

    def _note_aside(self) -> None:
        self._most_events = self._max_events - self._aside.count
        self._most_bytes = self._max_bytes - self._aside.size

    def _has_room(self, size: int = 1) -> bool:
        return len(self._events) < self._most_events and self._size + size <= self._most_bytes

    def _is_closed(self) -> bool:
        return self._closed

    # -- consumers: the runtime's loop --------------------------------------------------------------

    async def take(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """See :meth:`EventQueue.take`."""
        async with self._turn:
            while True:
                pause = self._pause(max_events, max_bytes, linger)
                wait = self._aside.wait(self._clock())
                if wait == 0 and not (pause == 0 and self._aside.yields):
                    return self._lease_aside(max_events, max_bytes)
                if pause == 0 or self._interrupted:
                    break
                await self._wait_for_wake(sooner(pause, wait))
            self._interrupted = False
            return self._lease(max_events, max_bytes) if pause == 0 else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, nor is set aside."""
        return not self._events and not self._aside.waiting

    def _note_close(self) -> None:
        self._aside.hurry()

    def interrupt(self) -> None:
        """Let a consumer that waits go, with None; called on the consumers' loop."""
        self._interrupted = True
        self._on_wake()

    def _pause(self, max_events: int, max_bytes: int, linger: float) -> float | None:
        """Seconds to wait for company, 0 when a batch is due, None when there is nothing at all."""
        with self._lock:
            # Together with what follows: a put that finds the queue open leaves nothing behind the last look.
            self._deferred.run_inside()
            depth = len(self._events)
            # Closed and empty, there is nothing to wait for but what is set aside.
            if self._closed and (depth or not self._aside.waiting):
                return 0
            if depth >= max_events or self._size >= max_bytes:
                return 0
            if depth:
                left = self._since + linger - self._clock()
                if left <= 0 or self._taken < self._hurry_until:
                    return 0
                self._wake_at, self._wake_size = max_events, max_bytes
            else:
                left = None
                self._wake_at, self._wake_size = 1, _NEVER
            self._waiter = asyncio.get_running_loop().create_future()
            return left

    def _lease(self, max_events: int, max_bytes: int) -> Lease | None:
        with self._lock:
            batch = self._pop(max_events, max_bytes)
            if not batch:
                return None
            lease = Lease(batch, self._taken)
            self._taken += len(batch)
            self._leases.add(lease)
            self._since = self._clock()
            self._aside.yields = False
            if self._blocked:
                self._room.notify(len(batch))
            return lease

    def _lease_aside(self, max_events: int, max_bytes: int) -> Lease:
        with self._lock:
            group = self._aside.take(self._clock(), max_events, max_bytes)
            attempts = dict(zip(map(id, group.events), group.attempts, strict=True))
            lease = Lease(group.events, min(group.positions), attempts)
            self._leases.add(lease)
            return lease

    def _pop(self, max_events: int, max_bytes: int) -> list[Event]:
        events = self._events
        count = min(len(events), max_events)
        if self._size <= max_bytes and count == len(events):
            batch = list(events)
            events.clear()
            self._size = 0
            return batch
        if self._size <= max_bytes:
            batch = [events.popleft() for _ in range(count)]
            self._size -= sum([event.size for event in batch])
            return batch
        batch = []
        size = 0
        while len(batch) < count and (not batch or size + events[0].size <= max_bytes):
            event = events.popleft()
            size += event.size
            batch.append(event)
        self._size -= size
        return batch

    def settle(self, lease: Lease, unsettled: Sequence[Event] = (), put_off: Sequence[PutOff] = ()) -> None:
        """See :meth:`EventQueue.settle`."""
        with self._lock:
            self._leases.remove(lease)
            if lease.attempts or put_off:
                self._settle_aside(lease, unsettled, put_off)
            elif unsettled:
                self._give_back(unsettled)
        self._resolve_flushes()
        if unsettled or lease.attempts or put_off:
            self._on_wake()

    def _settle_aside(self, lease: Lease, unsettled: Sequence[Event], put_off: Sequence[PutOff]) -> None:
        aside, tried, now = self._aside, self._aside.tried, self._clock()
        if lease.attempts and tried is not None:
            positions = dict(zip(map(id, tried.events), tried.positions, strict=True))
            put_off = [*put_off, given_back(lease.attempts, unsettled)]
            aside.end(now, passed=sum(len(item.attempts) for item in put_off) < len(lease.events))
        else:
            positions = {id(event): lease.number + index for index, event in enumerate(lease.events)}
            self._give_back(unsettled)
        set_aside(aside, put_off, positions, now, keep=True)
        self._note_aside()
        if self._blocked:
            self._room.notify_all()

    def _give_back(self, unsettled: Sequence[Event]) -> None:
        self._events.extendleft(reversed(unsettled))
        self._size += sum(event.size for event in unsettled)
        self._taken -= len(unsettled)

    def _reached(self, mark: int) -> bool:
        with self._lock:
            if (aside := self._aside.first()) is not None and aside < mark:
                return False
            return min((lease.number for lease in self._leases), default=self._taken) >= mark

    # -- any thread ---------------------------------------------------------------------------------

    def remove_unsaved(self) -> list[Event]:
        """See :meth:`EventQueue.remove_unsaved`: everything that waits."""
        with self._lock:
            self._deferred.run_inside()
            self._taken += len(self._events)
            waiting = [*self._aside.clear(), *self._events]
            self._events.clear()
            self._size = 0
            self._note_aside()
        self._resolve_flushes()
        return waiting

    @property
    def depth(self) -> int:
        """Events waiting."""
        return len(self._events)

    def mark(self) -> int:
        """See :meth:`EventQueue.mark`."""
        self._deferred.run(unless=self._is_closed)
        with self._lock:
            return self._taken + len(self._events)

    def statistics(self) -> QueueStatistics:
        """See :meth:`EventQueue.statistics`."""
        self._deferred.run(unless=self._is_closed)
        with self._lock:
            aside = self._aside
            times = [] if (oldest := aside.oldest()) is None else [oldest]
            if self._events:
                times.append(self._events[0].time)
            return QueueStatistics(
                depth=len(self._events) + aside.waiting,
                in_flight=sum(len(lease.events) for lease in self._leases),
                size=self._size + aside.waiting_size,
                accepted=self._taken + len(self._events),
                dropped=dict(+self._drops),
                oldest=max(0.0, time.time() - min(times) / 1e9) if times else 0.0,
                set_aside=aside.count,
                reason=aside.reason if aside.count else "",
            )
