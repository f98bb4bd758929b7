"""The disk queue: what it accepts survives the process once it is committed.

The contract and the policies of the memory queue, over a backlog of the process's one spool. Events
become available to consumers when they are durable, some milliseconds after their put. What waits or is
leased at a stop stays in the file for the next start.

Two queues of the same sink on one spool, as in the middle of a reload, share one backlog: when a queue is
closed while a younger one is open, its workers finish what they have and the younger one's go on.

``drop_oldest`` is decided at the put, by the backlog's debt, and not by a deletion at the next commit. The
contract of all queues says that the bounds hold and the drop is counted when the put returns. A commit that
deletes what made the file too full would let a queue whose disk is slow or full grow by all that may be
staged; its consumers would be given, and its callers promised, events that are already too many.
"""

from __future__ import annotations

import asyncio
import time
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
from logweir.delivery.set_aside import PutOff
from logweir.delivery.spool.protocol import QueueSpool
from logweir.event import Event, Kind
from logweir.process.threads import in_thread
from logweir.settings.delivery import QueueConfig, WhenFull

__all__ = ["DiskQueue"]

#: How long a batch that is due waits for events that were put before and are on their way to the disk.
_COMMIT_PATIENCE = 0.1
#: How long a consumer waits after the file could not be read.
_READ_PAUSE = 0.2


class DiskQueue(BoundedQueue):
    """A bounded, durable queue.

    Args:
        spool: The process's spool, or what stands for it in a worker.
        sink: The sink's name, under which events are kept.
        config: Its bounds; they count what waits, staged or committed.
        when_full: What a full queue does.
        wake: How to run a callback on the consumers' loop from any thread.
        clock: Monotonic seconds.
    """

    durable = True

    def __init__(
        self,
        spool: QueueSpool,
        sink: str,
        config: QueueConfig,
        when_full: WhenFull,
        wake: Wake,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            config.bounds("disk"), config.block_timeout, when_full, wake, spool.lock, spool.deferred, clock
        )
        self._spool = spool
        self._backlog = spool.backlog(sink)
        # Those of all queues on this backlog: over a reload, another one settles what is waited for here.
        self._flushes = self._backlog.flushes
        self._since: float | None = None
        # The events and bytes that end the linger of the consumer that waits; None when any change may.
        self._lingers_for: tuple[int, int] | None = None
        with spool.lock:
            self._backlog.open(self)
        spool.listeners.add(sink, self._on_change)

    # -- producers: any thread ---------------------------------------------------------------------

    def put(self, event: Event, on_durable: OnDurable | None = None) -> PutResult:
        """See :meth:`EventQueue.put`."""
        # The spool's and not ours, as in _offer: in a fork's child they differ.
        if self._spool.deferred.inside():
            return self._put_aside(event, on_durable)
        return self._offer(event, on_durable) or self._put_when_full(event, on_durable)

    def is_interrupted(self) -> bool:
        """See :meth:`EventQueue.is_interrupted`."""
        return self._spool.is_interrupted()

    def ensure_awake(self) -> None:
        """See :meth:`EventQueue.ensure_awake`."""
        self._spool.ensure_awake()

    @property
    def has_any(self) -> bool:
        """Whether events wait, or were left to the spool and soon will."""
        return bool(self._backlog.depth or self._spool.deferred.work)

    def _put_aside(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        answer = super()._put_aside(event, on_durable)
        self._spool.nudge()
        return answer

    def _take_in(self, event: Event, on_durable: OnDurable | None) -> None:
        """See :meth:`BoundedQueue._take_in`."""
        self._spool.stage(self._backlog, event, on_durable)
        self._spool.nudge()

    def _offer(self, event: Event, on_durable: OnDurable | None) -> PutResult | None:
        """See :meth:`BoundedQueue._offer`."""
        # Not self._lock: in a fork's child a queue of the parent's must find its spool closed, and the
        # lock of the parent may be held for ever.
        deferred = self._spool.deferred
        try:
            entered = deferred.take(False) or deferred.wait()
            if entered and self._is_closed():
                return PutResult.CLOSED
            if not entered or (deferred.work and not deferred.catch_up()):
                return self._put_aside(event, on_durable)
            if not self._has_room():
                return None
            self._spool.stage(self._backlog, event, on_durable)
        finally:
            # Asked, for a signal's handler may have raised behind the answer. No caller has the lock already.
            if deferred.is_held():
                deferred.release()
        waits = on_durable is not None
        self._spool.nudge(waits=waits, hurries=waits or event.kind is Kind.AUDIT)
        return PutResult.ACCEPTED

    def _put_when_full(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        """See :meth:`BoundedQueue._put_when_full`."""
        if self._when_full == "block" or self._waits_for_commits():
            self._spool.ensure_awake()
        return super()._put_when_full(event, on_durable)

    def _has_room(self, size: int = 1) -> bool:
        backlog, aside = self._backlog, self._backlog.aside
        within = (
            backlog.depth + aside.count < self._max_events
            and backlog.size + aside.size + size <= self._max_bytes
        )
        return within and not self._spool.is_full()

    def _put_forgetting_oldest(self, event: Event, on_durable: OnDurable | None) -> PutResult:
        if self._spool.is_full():  # the disk does not take anything: the oldest cannot make room
            return self._drop(DropReason.QUEUE_FULL_NEWEST)
        dropped: list[int] = []
        with self._spool.deferred as entered:
            if not entered:
                return self._put_aside(event, on_durable)
            if self._is_closed():
                return PutResult.CLOSED
            while (self._backlog.depth or self._backlog.aside.waiting) and not self._has_room(event.size):
                dropped += self._backlog.drop_oldest()
                self._drops[DropReason.QUEUE_FULL_OLDEST] += 1
            self._spool.stage(self._backlog, event, on_durable)
        if dropped:
            self._spool.remove(self._backlog, dropped)
        waits = on_durable is not None
        hurries = waits or event.kind is Kind.AUDIT or self._waits_for_commits()
        self._spool.nudge(waits=waits, hurries=hurries)
        return PutResult.ACCEPTED

    def _waits_for_commits(self) -> bool:
        """Whether much of what fills the queue cannot be delivered, and so make room, before its commit."""
        return 2 * self._backlog.available < self._backlog.depth

    def _is_closed(self) -> bool:
        return self._closed or self._spool.closed

    def _catch_up(self) -> None:
        """Stage what was left; a spool that is closed does it by itself, as long as it commits."""
        self._spool.deferred.run(unless=lambda: self._spool.closed)

    # -- consumers: the runtime's loop --------------------------------------------------------------

    async def take(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """See :meth:`EventQueue.take`."""
        return await self._take(max_events, max_bytes, linger, stay=True)

    async def take_unless_empty(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """Like :meth:`take`, but None also as soon as nothing waits."""
        return await self._take(max_events, max_bytes, linger, stay=False)

    async def _take(self, max_events: int, max_bytes: int, linger: float, *, stay: bool) -> Lease | None:
        async with self._turn:
            # What was put before this call shares the batch, even if its commit is still under way.
            before = self._backlog.last
            while not self._is_done(stay=stay):
                pause = self._pause(max_events, max_bytes, linger, before)
                wait = self.wait_for_set_aside()
                if wait == 0 and not (pause == 0 and self._backlog.aside.yields):
                    if lease := await self._lease_aside(max_events, max_bytes):
                        return lease
                elif pause != 0:
                    await self._wait_for_wake(sooner(pause, wait))
                elif not await self._have_ready(max_events, max_bytes):
                    await self._wait_for_wake(_READ_PAUSE)
                elif lease := self._lease(max_events, max_bytes):
                    return lease
            # Not in close(): until the last consumer has ended, a change may be what it waits for.
            if self._closed:
                self._spool.listeners.remove(self._backlog.sink, self._on_change)
            return None

    def _is_done(self, *, stay: bool) -> bool:
        self._catch_up()
        with self._spool.lock:
            if self._spool.closed and not self._backlog.available:
                return True
            if self.handed_over:
                return True
            aside = self._backlog.aside
            if self._backlog.depth or (aside.waiting and (stay or aside.wait(self._clock()) == 0)):
                return False
            return self._closed or not stay

    def wait_for_set_aside(self) -> float | None:
        """Seconds until something that is set aside can be tried here; None while nothing can."""
        with self._spool.lock:
            # A successor tries it after a hand-over; it would be due here for ever.
            if self.handed_over or self._spool.closed:
                return None
            return self._backlog.aside.wait(self._clock())

    async def _lease_aside(self, max_events: int, max_bytes: int) -> Lease | None:
        """Read, in a thread, what is due, and hand it out; None if there is nothing of it (for now)."""
        backlog = self._backlog
        with self._spool.lock:
            group = backlog.aside.take(self._clock(), max_events, max_bytes)
        held = None
        try:
            held = await in_thread(lambda: self._spool.read_set_aside(backlog, group))
        finally:
            if held is None:  # it cannot be read, or this consumer was cancelled meanwhile
                with self._spool.lock:
                    backlog.aside.put_back(self._clock() + _READ_PAUSE)
        if held is None:
            return None
        with self._spool.lock:
            return backlog.lease_aside(group, held, self._clock())

    def _pause(self, max_events: int, max_bytes: int, linger: float, before: int) -> float | None:
        """Seconds to wait for company, 0 when a batch is due, None when nothing can be taken yet."""
        with self._spool.lock:
            backlog = self._backlog
            available = backlog.available
            now = self._clock()
            self._lingers_for = None
            if not available:
                self._since = None
                self._waiter = asyncio.get_running_loop().create_future()
                return None
            if available >= max_events or backlog.available_size >= max_bytes:
                return 0
            if self._since is None:
                self._since = now
            # The linger is up (or a flush or a close ends it), but events put before are on their way to the
            # disk: a moment more gives one full batch instead of two small ones.
            hurry = self._closed or self._hurry_until > backlog.first_waiting()
            left = 0.0 if hurry else self._since + linger - now
            if left > 0:
                self._lingers_for = max_events, max_bytes
            elif not backlog.is_committed_up_to(before):
                left = self._since + linger + _COMMIT_PATIENCE - now
            if left > 0:
                self._waiter = asyncio.get_running_loop().create_future()
            return max(0.0, left)

    async def _have_ready(self, max_events: int, max_bytes: int) -> bool:
        """Read from the file, in a thread, if memory has too few; whether there is anything to lease."""
        backlog = self._backlog
        if backlog.wants_reading(max_events):
            await in_thread(lambda: self._spool.read(backlog, max_events, max_bytes))
        return bool(backlog.ready) or not backlog.available

    def _lease(self, max_events: int, max_bytes: int) -> Lease | None:
        with self._spool.lock:
            lease = self._backlog.lease(max_events, max_bytes)
            if lease is not None:
                self._since = None if not self._backlog.available else self._clock()
                if self._blocked:
                    self._room.notify(len(lease.events))
        return lease

    def _on_change(self) -> None:
        """Something was committed or removed; called from any thread."""
        # All of them, for how much room there is now is not known here.
        if self._blocked:
            with self._room:
                self._room.notify_all()
        if self._flushes or not self._is_lingering():
            self._wake(self._on_wake)

    def _is_lingering(self) -> bool:
        """Whether the consumer need not look before its linger is up; its wake-up would cost callers time."""
        with self._spool.lock:
            if self._lingers_for is None or self._closed or self._spool.closed:
                return False
            backlog, (max_events, max_bytes) = self._backlog, self._lingers_for
            enough = backlog.available >= max_events or backlog.available_size >= max_bytes
            return not enough and not backlog.aside.count

    def settle(self, lease: Lease, unsettled: Sequence[Event] = (), put_off: Sequence[PutOff] = ()) -> None:
        """See :meth:`EventQueue.settle`."""
        with self._spool.lock:
            positions = self._backlog.settle(lease, unsettled, put_off, self._clock())
        self._spool.remove(self._backlog, positions, settled=True)
        self._resolve_flushes()
        if unsettled or lease.attempts or put_off:
            self._spool.listeners.notify([self._backlog.sink])

    def _reached(self, mark: int) -> bool:
        with self._spool.lock:
            first = self._backlog.first_unsettled()
            return first is None or first >= mark

    @property
    def handed_over(self) -> bool:
        """See :attr:`EventQueue.handed_over`: in the middle of a reload."""
        return self._closed and self._backlog.open_queues > 0

    # -- any thread ---------------------------------------------------------------------------------

    def _note_close(self) -> None:
        self._backlog.open_queues -= 1
        self._backlog.aside.hurry()

    def close_books(self) -> None:
        """See :meth:`EventQueue.close_books`; nothing changes where another queue speaks for the backlog."""
        with self._spool.lock:
            self._backlog.close_books(self)

    def remove_unsaved(self) -> list[Event]:
        """See :meth:`EventQueue.remove_unsaved`: nothing."""
        return []

    @property
    def depth(self) -> int:
        """Events waiting."""
        return self._backlog.depth

    def mark(self) -> int:
        """See :meth:`EventQueue.mark`."""
        self._catch_up()
        self._spool.ensure_awake()
        with self._spool.lock:
            return self._backlog.last + 1

    def statistics(self) -> QueueStatistics:
        """See :meth:`EventQueue.statistics`."""
        self._catch_up()
        with self._spool.lock:
            backlog = self._backlog
            if not backlog.is_spoken_for_by(self):
                return QueueStatistics(0, 0, 0, 0, dict(self._drops))
            oldest = backlog.oldest_time()
            return QueueStatistics(
                depth=backlog.depth + backlog.waiting_aside,
                in_flight=backlog.in_flight,
                size=backlog.size + backlog.aside.waiting_size,
                accepted=backlog.accepted,
                dropped=dict(self._drops),
                oldest=0.0 if oldest is None else max(0.0, time.time() - oldest / 1e9),
                set_aside=backlog.aside.count,
                reason=backlog.aside.reason if backlog.aside.count else "",
            )
