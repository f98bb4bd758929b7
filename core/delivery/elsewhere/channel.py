"""The channel of a sink that another process delivers to: a queue, and nothing behind it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress

from logweir.delivery.channel import Channel
from logweir.delivery.counters import SinkState
from logweir.delivery.elsewhere.presence import UNATTENDED_AFTER, command_for, unattended_for
from logweir.delivery.elsewhere.queue import ElsewhereQueue
from logweir.delivery.queue import QueueStatistics
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.spool.spool import Spool
from logweir.delivery.worker import Clock
from logweir.event import Event
from logweir.process.threads import in_thread, on_event_loop
from logweir.settings.delivery import Bounds
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult

__all__ = ["ElsewhereChannel"]


class _NotHere(Sink[SinkConfig]):
    """Stands for the sink, which this process neither opens nor writes to."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        del batch
        raise NotImplementedError("a worker process writes to this sink")


class ElsewhereChannel(Channel):
    """One sink's queue; what is in it is delivered by a worker process of this host.

    Args:
        name: The sink's name in routing.yaml.
        config: The sink's settings.
        queue: The queue.
        bounds: How much may wait in it.
        spool: The spool behind it.
        receipts: Those that wait for sinks.
        clock: Time.
    """

    reports_stored = False
    queue: ElsewhereQueue

    def __init__(
        self,
        name: str,
        config: SinkConfig,
        queue: ElsewhereQueue,
        bounds: Bounds,
        spool: Spool,
        receipts: OpenReceipts,
        clock: Clock,
    ) -> None:
        super().__init__(
            name, config, _NotHere(config), queue, None, bounds, spool.dead_letters, receipts, clock
        )
        self._directory = spool.directory
        # What moves is not seen here; that nobody moves it, is.
        self.counters.still_after = math.inf
        self.counters.succeeded()

    def start(self) -> None:
        """See :meth:`Channel.start`: nothing runs here."""

    async def opened_or_not(self) -> None:
        """See :meth:`Channel.opened_or_not`: at once."""

    async def finish(self, timeout: float) -> list[Event]:
        """Refuse new events, and wait until what came in is on disk; the rest is the worker's."""
        self.close_queues()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.settled(), timeout)
        left = self.let_go()
        await in_thread(self.queue.let_go)
        return left

    def let_go(self) -> list[Event]:
        """See :meth:`Channel.let_go`: nothing is only in memory."""
        left = super().let_go()
        if not on_event_loop():  # which a disk must not block; see finish
            self.queue.let_go()
        return left

    def statistics(self) -> QueueStatistics:
        """See :meth:`Channel.statistics`; with a look whether anybody delivers."""
        now = super().statistics()
        if on_event_loop():  # no look at the disk there; what the last one found is good enough
            return now
        away = self.counters.worker_silent = unattended_for(self._directory, self.name)
        if away >= UNATTENDED_AFTER:
            self.counters.state = SinkState.DOWN
            self.counters.last_error = (
                f"nobody delivers: no worker has given a sign of life for {away:.0f} s; "
                f"start {command_for(self.name, forwards=self.config.queue.is_forwarded_elsewhere)}"
            )
        elif self.counters.state is SinkState.DOWN:
            self.counters.succeeded()
        return now

    def report_kept(self) -> None:
        """See :meth:`Channel.report_kept`: what waits is where it belongs."""
