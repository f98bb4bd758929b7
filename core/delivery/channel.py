"""A channel: one sink with its queue, its workers and its counters, from opening to the last write.

Channels know nothing of each other: a dead, hung or slow sink delays nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from logweir.delivery.call_sink import call_sink
from logweir.delivery.counters import DeliveryCounters
from logweir.delivery.dead_letters import LetterBox
from logweir.delivery.fallback.diverting import Diverting
from logweir.delivery.fallback.returning import Returning
from logweir.delivery.queue import EventQueue, QueueStatistics
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.retry import pause_before_retry
from logweir.delivery.watchdog import SinkCall
from logweir.delivery.worker import Clock, Worker
from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.event import Event
from logweir.process.lasting import LastingTask
from logweir.settings.delivery import Bounds
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.templated import TemplatedSink

__all__ = ["Channel"]

#: How long a cancelled channel may take to let go.
_CANCEL_SECONDS = 0.4
#: Beyond the time of a write, how long nothing may move while events wait: then the sink is degraded.
_STILL = 5.0


class Channel:
    """One sink's delivery.

    Args:
        name: The sink's name in routing.yaml.
        config: The sink's settings.
        sink: The sink, not yet opened; with a fallback, both as one.
        queue: The queue in front of it.
        left_on_disk: Where a queue in memory finds what an earlier process, or queue, left on disk.
        bounds: How much may wait in them.
        dead_letters: Where refused events go.
        receipts: Those that wait for sinks.
        clock: Time.

    Attributes:
        reports_stored: Whether receipts learn what the sink has stored.
    """

    reports_stored = True

    def __init__(
        self,
        name: str,
        config: SinkConfig,
        sink: Sink[SinkConfig],
        queue: EventQueue,
        left_on_disk: EventQueue | None,
        bounds: Bounds,
        dead_letters: LetterBox,
        receipts: OpenReceipts,
        clock: Clock,
    ) -> None:
        self.name = name
        self.config = config
        self.sink = sink.sink if isinstance(sink, Diverting) else sink
        self._written_to = sink
        self.queue = queue
        self.put = queue.put
        self.bounds = bounds
        self.counters = DeliveryCounters(still_after=config.retry.timeout + config.batch.linger + _STILL)
        self._receipts = receipts
        both = (sink.sink, sink.other) if isinstance(sink, Diverting) else (sink,)
        self.counters.destinations = [one.counts for one in both if isinstance(one, TemplatedSink)]
        self._beside: list[LastingTask] = []
        if isinstance(sink, Diverting):
            sink.attach(self.counters, self._filled)
            returning = Returning(sink, clock)
            self._beside.append(LastingTask(f"the fallback of sink {name!r}", returning.run))
            clock = Clock(clock.monotonic, sink.interruptible(clock.sleep))
        self._clock = clock
        queue.on_forgotten = self._forgotten
        self._closing = asyncio.Event()
        self._tried = asyncio.Event()
        self._is_open = False
        workers_clock = Clock(clock.monotonic, self._pause)
        self._queues = [queue] if left_on_disk is None else [queue, left_on_disk]
        self._workers = [
            Worker(name, sink, config, source, dead_letters, self.counters, receipts, workers_clock)
            for source in [queue] * config.workers + self._queues[1:]
        ]
        self._task = LastingTask(f"the delivery to sink {name!r}", self._run, self._count_restart)
        self._working = [
            LastingTask(f"a worker of sink {name!r}", worker.run, self._count_restart, config.retry.initial)
            for worker in self._workers
        ]

    def start(self) -> None:
        """Begin to deliver; called on the loop thread."""
        self._task.start()
        for task in self._beside:
            task.start()

    async def opened_or_not(self) -> None:
        """Wait for the end of the first attempt to open the sink."""
        await self._tried.wait()

    async def finish(self, timeout: float) -> list[Event]:
        """Refuse new events, deliver what is queued, close the sink.

        Returns:
            What could not be delivered within ``timeout`` seconds and is not on disk: it is the caller's now.
        """
        self._closing.set()
        self.close_queues()
        if not await self._task.wait(timeout):
            self._task.cancel()
            await self._task.wait(_CANCEL_SECONDS)
        return self.let_go()

    def let_go(self) -> list[Event]:
        """Refuse new events and return what is neither delivered nor on disk: it is the caller's now."""
        self.close_queues()
        for task in (self._task, *self._working, *self._beside):
            task.expect_end()
        for worker in reversed(self._workers):
            worker.let_go()
        return self.queue.remove_unsaved()

    def call(self, method: str) -> SinkCall:
        """A call of a method of the sink, for the watchdog."""
        return SinkCall(self.name, method, self.sink, self.counters)

    def close_queues(self) -> None:
        """Refuse new events."""
        for queue in self._queues:
            queue.close()

    async def settled(self) -> None:
        """Wait until everything accepted so far is settled."""
        await asyncio.gather(*(queue.settled_up_to(queue.mark()) for queue in self._queues))

    def statistics(self) -> QueueStatistics:
        """The state of the queue now, with what is left of an earlier one, from any thread."""
        now = self.queue.statistics()
        for queue in self._queues[1:]:
            now = now.plus(queue.statistics())
        return now

    def close_books(self) -> None:
        """Begin the counts of the queues anew: those up to now are in the books of the reload."""
        for queue in self._queues:
            queue.close_books()

    def count_saved(self, events: Sequence[Event]) -> None:
        """Note that these events, taken from memory, are on disk now."""
        self.counters.moved += len(events)
        for event in events:
            self._receipts.durable(self.name, event)

    def count_lost(self, events: Sequence[Event]) -> None:
        """Count, and let their callers know, that these events will not be delivered."""
        self.counters.lost += len(events)
        for event in events:
            self._receipts.settled(self.name, event, "the runtime stopped before it was delivered")
        if events:
            report(
                f"{self.name}.lost",
                "sink %r: %s not delivered before the stop",
                self.name,
                counted(len(events), "event", "was", "were"),
            )

    def report_kept(self) -> None:
        """Report to the operator what a stop leaves on disk."""
        waiting = self.statistics().depth
        if waiting:
            report(
                f"{self.name}.kept",
                "sink %r: %s not delivered before the stop; kept on disk for the next start",
                self.name,
                counted(waiting, "event", "was", "were"),
            )

    def _filled(self) -> float:
        """Which share of the queue is filled, by events or by bytes."""
        now = self.statistics()
        return max(now.depth / self.bounds.events, now.size / self.bounds.size)

    def _forgotten(self, event: Event) -> None:
        if self._receipts:
            self._receipts.settled(self.name, event, "its queue was full and forgot it")

    def _count_restart(self) -> None:
        self.counters.restarts += 1

    async def _run(self) -> None:
        """Open, deliver, close; begun anew, it goes on where it was, while the workers went on."""
        try:
            self._is_open = self._is_open or await self._open()
            if self._is_open:
                for task in self._working:
                    task.start()
                for task in self._working:
                    await task.wait()
        except asyncio.CancelledError:
            if not self._task.may_end:
                raise
            for task in self._working:
                task.cancel()
            await asyncio.gather(*(task.wait(_CANCEL_SECONDS / 2) for task in self._working))
        await self._close()

    async def _open(self) -> bool:
        """Open the sink, with back-off; False when the channel finished before it could be opened."""
        attempts = 0
        while True:
            try:
                await call_sink(self._written_to.open, self.config.retry.timeout, self.call("open"))
            except TimeoutError:
                message = f"not open within {self.config.retry.timeout:g} s"
            except Exception as error:  # noqa: BLE001 - a sink may raise anything in open; it is tried again
                message = f"{type(error).__name__}: {error}"
            else:
                self.counters.succeeded()
                return True
            finally:
                self._tried.set()
            attempts += 1
            self.counters.failed(message)
            report(f"{self.name}.open", "sink %r cannot be opened, trying again: %s", self.name, message)
            if self._closing.is_set() and not self.statistics().depth:
                return False
            await self._pause(pause_before_retry(attempts, self.config.retry))

    async def _pause(self, seconds: float) -> None:
        """Sleep, but wake once when the channel is asked to finish."""
        if self._closing.is_set():
            await self._clock.sleep(seconds)
            return
        waiter = asyncio.ensure_future(self._closing.wait())
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((waiter, sleeper), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
            sleeper.cancel()

    async def _close(self) -> None:
        for task in self._beside:
            task.cancel()
            await task.wait(_CANCEL_SECONDS / 2)
        try:
            await call_sink(self._written_to.close, self.config.retry.timeout, self.call("close"))
        except TimeoutError:
            report(f"{self.name}.close", "sink %r did not close in time", self.name)
        except Exception as error:  # noqa: BLE001 - nothing is in flight any more; the stop goes on
            report(f"{self.name}.close", "sink %r did not close: %s", self.name, error)
