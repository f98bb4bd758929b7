"""The spilling queue: memory first, and the disk for what memory cannot hold (``when_full: spill``).

Order is kept: once an event has gone to disk, all go there until the disk's part has been handed out.
What is in memory is lost with the process if it is killed, as in any memory queue; what is on disk is not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from logweir.delivery.queue import (
    EventQueue,
    Lease,
    OnDurable,
    PutResult,
    QueueStatistics,
    Wake,
)
from logweir.delivery.queues.bounded import all_queues
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.set_aside import PutOff
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.process.reentry import Deferred
from logweir.settings.delivery import QueueConfig, WhenFull

__all__ = ["SpillQueue"]


class SpillQueue(EventQueue):
    """A memory queue that overflows into a disk queue.

    Args:
        spool: The process's spool.
        sink: The sink's name.
        config: The bounds of both parts.
        at_last: What it does when the disk's part is full too.
        wake: How to run a callback on the consumers' loop from any thread.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        spool: Spool,
        sink: str,
        config: QueueConfig,
        at_last: WhenFull,
        wake: Wake,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory = MemoryQueue(config, "drop_newest", wake, clock=clock)
        self._disk = DiskQueue(spool, sink, config.of_spill(), at_last, self._waking_both(wake), clock=clock)
        self._closed = False
        self._wake = wake
        # One lock for both of them: whoever has it goes on into the memory, and waits for nobody there.
        self._deferred = Deferred(self._memory.lock, self.is_interrupted)
        self._turn = asyncio.Lock()
        self._on_disk: set[Lease] = set()
        all_queues.add(self)

    def has_leisure(self) -> bool:
        """See :meth:`EventQueue.has_leisure`: as long as none is on disk."""
        return not self._disk.depth and self._memory.has_leisure()

    def _waking_both(self, wake: Wake) -> Wake:
        """A consumer that waits for memory must hear of what comes to the disk, as by adoption."""

        def wake_both(callback: Callable[[], None]) -> None:
            def both() -> None:
                callback()
                self._memory.interrupt()

            wake(both)

        return wake_both

    def put(self, event: Event, on_durable: OnDurable | None = None) -> PutResult:
        """See :meth:`EventQueue.put`."""
        if self.is_interrupted():
            return self._put_aside(event, on_durable)
        deferred = self._deferred
        try:
            if not (deferred.take(False) or deferred.wait()) or (
                deferred.work and not self._closed and not deferred.catch_up()
            ):
                return self._put_aside(event, on_durable)
            result = self._put_into_memory(event)
        finally:
            if deferred.is_held():  # asked, for a signal's handler may have raised behind the answer
                deferred.release()
        return result or self._disk.put(event, on_durable)

    def _put_into_memory(self, event: Event) -> PutResult | None:
        """Put into memory, under the lock; None if the disk is to take it."""
        # What was left to the disk is there already, for whoever logged it.
        return None if self._disk.has_any else self._memory.offer(event)

    def is_interrupted(self) -> bool:
        """See :meth:`EventQueue.is_interrupted`: in this queue's work, or in that of its disk's part."""
        return self._deferred.is_held() or self._disk.is_interrupted()

    def ensure_awake(self) -> None:
        """See :meth:`EventQueue.ensure_awake`."""
        self._memory.ensure_awake()
        self._disk.ensure_awake()

    def _put_aside(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        """Leave the event to who is at work here, which may be this very thread, or comes next."""
        if self._closed:
            return PutResult.CLOSED
        work = partial(self._put_unasked, event, on_durable)
        self._deferred.add(work)
        if self._is_closed() and self._deferred.take_back(work):  # closed meanwhile, by another thread
            return PutResult.CLOSED
        self._wake(self._memory.interrupt)
        return PutResult.ACCEPTED

    def _put_unasked(self, event: Event, on_durable: OnDurable | None) -> None:
        if self._put_into_memory(event) in {None, PutResult.CLOSED}:
            self._disk.put_unasked(event, on_durable)

    async def take(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """See :meth:`EventQueue.take`."""
        async with self._turn:
            while True:
                closed = self._closed
                # Behind that look: a put that found the queue open has left its event by now.
                self._deferred.run()
                only_disk = closed and self._memory.is_empty
                in_turn = self._disk.depth and not self._memory.depth
                if only_disk or in_turn or self._disk.wait_for_set_aside() == 0:
                    take = self._disk.take if only_disk else self._disk.take_unless_empty
                    lease = await take(max_events, max_bytes, linger)
                    if lease is not None:
                        self._on_disk.add(lease)
                    if lease is not None or only_disk:
                        return lease
                if lease := await self._take_from_memory(max_events, max_bytes, linger):
                    return lease

    async def _take_from_memory(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """Take from the memory, until something that is set aside on disk is due."""
        wait = self._disk.wait_for_set_aside()
        due = None if wait is None else asyncio.get_running_loop().call_later(wait, self._memory.interrupt)
        try:
            return await self._memory.take(max_events, max_bytes, linger)
        finally:
            if due is not None:
                due.cancel()

    def settle(self, lease: Lease, unsettled: Sequence[Event] = (), put_off: Sequence[PutOff] = ()) -> None:
        """See :meth:`EventQueue.settle`."""
        if lease in self._on_disk:
            self._on_disk.remove(lease)
            self._disk.settle(lease, unsettled, put_off)
        else:
            self._memory.settle(lease, unsettled, put_off)

    def close(self) -> None:
        """See :meth:`EventQueue.close`."""
        self._closed = True
        self._memory.close()
        self._disk.close()

    async def settled_up_to(self, mark: int) -> None:
        """See :meth:`EventQueue.settled_up_to`."""
        memory, disk = self._memory, self._disk
        await asyncio.gather(memory.settled_up_to(memory.mark()), disk.settled_up_to(disk.mark()))

    def remove_unsaved(self) -> list[Event]:
        """See :meth:`EventQueue.remove_unsaved`: the memory's part."""
        self._deferred.run()
        return self._memory.remove_unsaved()

    def close_books(self) -> None:
        """See :meth:`EventQueue.close_books`."""
        self._disk.close_books()

    def mark(self) -> int:
        """See :meth:`EventQueue.mark`."""
        self._deferred.run(unless=self._is_closed)
        return self._memory.mark() + self._disk.mark()

    def statistics(self) -> QueueStatistics:
        """See :meth:`EventQueue.statistics`."""
        self._deferred.run(unless=self._is_closed)
        return self._memory.statistics().plus(self._disk.statistics())

    def _is_closed(self) -> bool:
        return self._closed
