"""What the bounded queues share: what happens when they are full, waking consumers, and waiting for a flush.

A queue of its own adds where events are (:mod:`.memory`, :mod:`.disk`): how one is offered, whether there is
room, how the oldest makes room, what is settled.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from logweir.delivery.queue import DropReason, EventQueue, FlushWaiter, OnDurable, PutResult, Wake
from logweir.delivery.spool.leading import pay
from logweir.event import Event
from logweir.process.reentry import Deferred, holds_registered
from logweir.process.threads import on_event_loop
from logweir.settings.delivery import WhenFull

__all__ = ["BoundedQueue", "all_queues", "interrupts_delivery", "prepare_to_wait", "sooner"]


def sooner(one: float | None, other: float | None) -> float | None:
    """The shorter of two waits, either of which may have no end."""
    return min((wait for wait in (one, other) if wait is not None), default=None)


def interrupts_delivery() -> bool:
    """Whether the caller interrupted its own thread in the middle of the delivery's work.

    What it waited for might need what its thread holds there: all delivery would stand still meanwhile.
    """
    return holds_registered() or any(queue.is_interrupted() for queue in all_queues.listed())


def prepare_to_wait() -> bool:
    """Wake whom the calls that this one interrupted were about to wake, in any queue; before waiting.

    Returns:
        What :func:`interrupts_delivery` does.
    """
    interrupts = holds_registered()
    for queue in all_queues.listed():
        interrupts = interrupts or queue.is_interrupted()
        queue.ensure_awake()
    return interrupts


class _Queues:
    """Queues, as long as anybody else has them; every audit call asks all, and a ``WeakSet`` costs more."""

    def __init__(self) -> None:
        self._queues: dict[int, weakref.ref[EventQueue]] = {}

    def add(self, queue: EventQueue) -> None:
        number, queues = id(queue), self._queues
        queues[number] = weakref.ref(queue, lambda _queue: queues.pop(number, None))

    def listed(self) -> list[EventQueue]:
        while True:
            with suppress(RuntimeError):  # another thread has just made one
                return [queue for reference in list(self._queues.values()) if (queue := reference())]


class BoundedQueue(EventQueue):
    """A queue with bounds, a policy for when it is full, and one consumer at a time.

    Args:
        bounds: The most events, and the most bytes.
        block_timeout: Seconds that a blocked producer waits for room.
        when_full: What a full queue does.
        wake: How to run a callback on the consumers' loop from any thread.
        lock: Guards what the queue holds; re-entrant, because a signal handler or a finaliser may log in the
            middle of anything.
        deferred: The puts that came from inside that lock, or must not wait for it.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        bounds: tuple[int, int],
        block_timeout: float,
        when_full: WhenFull,
        wake: Wake,
        lock: threading.RLock,
        deferred: Deferred,
        clock: Callable[[], float],
    ) -> None:
        self._max_events, self._max_bytes = bounds
        self._block_timeout = block_timeout
        self._when_full = when_full
        self._wake = wake
        self._lock = lock
        self._deferred = deferred
        self._clock = clock
        self._closed = False
        self._drops: Counter[DropReason] = Counter()
        # Producers that wait for room; counted, so that a consumer need not notify when there are none.
        self._room = threading.Condition(lock)
        self._blocked = 0
        # One consumer at a time waits and leases; the others queue up at this lock. The waiter is its future.
        self._turn = asyncio.Lock()
        self._waiter: asyncio.Future[None] | None = None
        # Batches with events from before this position do not linger: a flush waits for them.
        self._hurry_until = -1
        self._flushes: list[FlushWaiter] = []
        all_queues.add(self)

    # -- what a queue of its own adds ---------------------------------------------------------------

    @property
    @abstractmethod
    def depth(self) -> int:
        """Events that wait in their turn."""

    @abstractmethod
    def _offer(self, event: Event, on_durable: OnDurable | None) -> PutResult | None:
        """Take the event if there is room; None when the queue is full."""

    @abstractmethod
    def _take_in(self, event: Event, on_durable: OnDurable | None) -> None:
        """Take the event, under the lock, whether there is room or not."""

    @abstractmethod
    def _has_room(self, size: int = 1) -> bool:
        """Whether an event of this size fits; by default, any that may go beyond the bound by itself."""

    @abstractmethod
    def _put_forgetting_oldest(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        """Take the event, and forget as many of the oldest as it needs."""

    @abstractmethod
    def _is_closed(self) -> bool:
        """Whether no more is taken."""

    @abstractmethod
    def _reached(self, mark: int) -> bool:
        """Whether everything put before ``mark`` is settled."""

    def _note_close(self) -> None:
        """Called once, under the lock, when the queue is closed."""

    # -- producers: any thread ----------------------------------------------------------------------

    def is_interrupted(self) -> bool:
        """See :meth:`EventQueue.is_interrupted`."""
        return self._deferred.inside()

    def _put_aside(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        """Leave the event to who is at work here, which may be this very thread, or comes next."""
        if self._is_closed():
            return PutResult.CLOSED
        work = partial(self.put_unasked, event, on_durable)
        self._deferred.add(work)
        # Another thread may have closed the queue meanwhile, and its consumers have looked for the last time.
        if self._is_closed() and self._deferred.take_back(work):
            return PutResult.CLOSED
        self._wake(self._on_wake)
        return PutResult.ACCEPTED

    def put_unasked(self, event: Event, on_durable: OnDurable | None) -> None:
        """Put what was accepted before it could be asked whether there is room."""
        with self._deferred as entered:
            if not entered:
                self._deferred.add(partial(self.put_unasked, event, on_durable))
                self._wake(self._on_wake)
                return
            # It is too late to wait for room, and where callers wait nothing is dropped.
            if self._is_closed() or self._when_full == "block" or self._has_room():
                self._take_in(event, on_durable)
                return
            answer = self._put_when_full(event, on_durable)
        if answer is PutResult.DROPPED and self.on_forgotten is not None:
            self.on_forgotten(event)
        if answer is PutResult.DROPPED and on_durable is not None:
            on_durable(OSError("the queue was full"))

    def _put_when_full(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        match self._when_full:
            case "drop_oldest":
                return self._put_forgetting_oldest(event, on_durable)
            case "block" if on_event_loop():
                return self._drop(DropReason.FULL_ON_EVENT_LOOP)
            case "block" if interrupts_delivery():
                return self._put_beyond_bounds(event, on_durable)
            case "block":
                return self._put_blocking(event, on_durable)
            case _:
                return self._drop(DropReason.QUEUE_FULL_NEWEST)

    def _drop(self, reason: DropReason) -> PutResult:
        with self._deferred as entered:
            if entered:
                self._drops[reason] += 1
            else:
                self._deferred.add(partial(self._drop, reason))
        return PutResult.DROPPED

    def _put_beyond_bounds(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        with self._deferred as entered:
            if not entered:
                return self._put_aside(event, on_durable)
            if self._is_closed():
                return PutResult.CLOSED
            self._take_in(event, on_durable)
        return PutResult.ACCEPTED

    def _put_blocking(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        pay()
        deadline = self._clock() + self._block_timeout
        while True:
            with self._deferred as entered:
                if not entered:
                    return self._put_aside(event, on_durable)
                self._blocked += 1
                try:
                    left = max(0.0, deadline - self._clock())
                    freed = self._room.wait_for(lambda: self._is_closed() or self._has_room(), left)
                finally:
                    self._blocked -= 1
            if not freed:
                return self._drop(DropReason.BLOCK_TIMEOUT)
            # Another producer may have taken the room since: then the wait goes on, up to the same deadline.
            if result := self._offer(event, on_durable):
                return result

    def close(self) -> None:
        """See :meth:`EventQueue.close`."""
        with self._room:
            if not self._closed:
                self._note_close()
            self._closed = True
            self._room.notify_all()
        self._wake(self._on_wake)

    # -- consumers: the loop thread -----------------------------------------------------------------

    def has_leisure(self) -> bool:
        """See :meth:`EventQueue.has_leisure`: until the queue is half full."""
        return self.depth * 2 < self._max_events and not self._flushes and not self._is_closed()

    def _on_wake(self) -> None:
        """Let the consumer that waits, and flushes, look again; on the consumers' loop."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._flushes:
            self._resolve_flushes()

    async def _wait_for_wake(self, pause: float | None) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            waiter = self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.wait((waiter,), timeout=pause)

    async def settled_up_to(self, mark: int) -> None:
        """See :meth:`EventQueue.settled_up_to`."""
        with self._lock:
            self._hurry_until = max(self._hurry_until, mark)
        self._on_wake()
        if self._reached(mark):
            return
        waiter = FlushWaiter(mark, asyncio.get_running_loop().create_future())
        self._flushes.append(waiter)
        try:
            await waiter.done
        finally:
            # A flush that times out is cancelled here, and must leave nothing behind: each settled batch
            # looks at all waiters.
            self._flushes[:] = [other for other in self._flushes if other is not waiter]

    def _resolve_flushes(self) -> None:
        due = [waiter for waiter in self._flushes if self._reached(waiter.mark)]
        for waiter in due:
            if not waiter.done.done():
                waiter.done.set_result(None)


#: Those that there are, in whose work a thread may be interrupted.
all_queues = _Queues()
