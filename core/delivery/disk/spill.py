"""The spilling queue: memory first, and the disk for what memory cannot hold (``when_full: spill``).

Order is kept: once an event has gone to disk, all go there until the disk's part has been handed out.
What is in memory is lost with the process, as in any memory queue; what is on disk is not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from logweir.delivery.disk.queue import DiskQueue
from logweir.delivery.memory import MemoryQueue
from logweir.delivery.queue import DropReason, EventQueue, Lease, PutResult, QueueStatistics
from logweir.event import Event

__all__ = ["SpillQueue"]


class SpillQueue(EventQueue):
    """A memory queue that overflows into a disk queue.

    Args:
        memory: The first part; its ``when_full`` must be ``drop_newest``, which says at once that it is full.
        disk: The second part; its ``when_full`` decides when both are full.
    """

    def __init__(self, memory: MemoryQueue, disk: DiskQueue) -> None:
        self._memory = memory
        self._disk = disk
        self._lock = threading.RLock()
        self._spilled = 0
        self._turn = asyncio.Lock()
        self._on_disk: set[Lease] = set()
        self._given_back: list[Event] = []

    def put(self, event: Event) -> PutResult:
        """See :meth:`EventQueue.put`."""
        with self._lock:
            if not self._disk.statistics().depth:
                result = self._memory.put(event)
                if result is not PutResult.DROPPED:
                    return result
                self._spilled += 1
        return self._disk.put(event)

    async def take(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """See :meth:`EventQueue.take`."""
        async with self._turn:
            while True:
                if not self._memory.statistics().depth and self._disk.statistics().depth:
                    lease = await self._disk.take_unless_empty(max_events, max_bytes, linger)
                    if lease is not None:
                        self._on_disk.add(lease)
                        return lease
                lease = await self._memory.take(max_events, max_bytes, linger)
                if lease is not None or not self._disk.statistics().depth:
                    return lease

    def settle(self, lease: Lease) -> None:
        """See :meth:`EventQueue.settle`."""
        self.give_back(lease, ())

    def give_back(self, lease: Lease, unsettled: Sequence[Event]) -> None:
        """End a lease of which some events are not settled; for the end of a queue's life."""
        if lease in self._on_disk:
            self._on_disk.remove(lease)
            self._disk.give_back(lease, unsettled)
        else:
            self._memory.settle(lease)
            self._given_back += unsettled

    def close(self) -> None:
        """See :meth:`EventQueue.close`."""
        self._memory.close()
        self._disk.close()

    async def settled_up_to(self, mark: int) -> None:
        """See :meth:`EventQueue.settled_up_to`."""
        memory, disk = self._memory, self._disk
        await asyncio.gather(memory.settled_up_to(memory.mark()), disk.settled_up_to(disk.mark()))

    def remove_waiting(self) -> list[Event]:
        """See :meth:`EventQueue.remove_waiting`; reads the disk's part into memory, and blocks."""
        return [*self.remove_unsaved(), *self._disk.remove_waiting()]

    def remove_unsaved(self) -> list[Event]:
        """Remove what would be lost with the process, and return it."""
        given_back, self._given_back = self._given_back, []
        return [*given_back, *self._memory.remove_waiting()]

    def mark(self) -> int:
        """See :meth:`EventQueue.mark`."""
        return self._memory.mark() + self._disk.mark()

    def statistics(self) -> QueueStatistics:
        """See :meth:`EventQueue.statistics`; what spilled is not a drop."""
        memory, disk = self._memory.statistics(), self._disk.statistics()
        drops = {**memory.dropped}
        drops[DropReason.QUEUE_FULL_NEWEST] = drops.get(DropReason.QUEUE_FULL_NEWEST, 0) - self._spilled
        for reason, count in disk.dropped.items():
            drops[reason] = drops.get(reason, 0) + count
        return QueueStatistics(
            depth=memory.depth + disk.depth,
            in_flight=memory.in_flight + disk.in_flight,
            size=memory.size + disk.size,
            accepted=memory.accepted + disk.accepted,
            dropped={reason: count for reason, count in drops.items() if count},
            oldest=max(memory.oldest, disk.oldest),
        )
