"""The drain: what a stop does with what is under way, so that nothing accepted is lost without a count.

Channels finish within the time there is. What one could not deliver goes to the disk, where the next start
finds it; only what the disk does not take is lost, and counted. A disk that hangs is given up at the end of
the time. An interrupted drain (a signal handler's own stop, an exception out of one) leaves what was given
back in :attr:`Drain.leftovers`, for whoever goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from logweir.delivery.channel import Channel
from logweir.delivery.queue import DropReason
from logweir.delivery.receipts import OpenReceipts
from logweir.diagnostics import report
from logweir.event import Event
from logweir.process.loop_thread import LoopThread
from logweir.runtime.reload import Reload

__all__ = ["GRACE", "Drain"]

#: How much longer than the drain itself a caller waits for it: cancelled channels need a moment.
GRACE = 0.8
#: How long what works beside the queues may take to end, whatever the time to drain.
_BESIDE = 0.2


class Drain:
    """Ends the delivery of one runtime.

    Args:
        loop_thread: Where channels live.
        reload: Has the channels, and the spools.
        receipts: Those that wait for sinks.
        stop_beside: Ends what works beside the queues and would go on to fill them.

    Attributes:
        leftovers: What channels gave back and nobody has saved or counted yet.
    """

    def __init__(
        self,
        loop_thread: LoopThread,
        reload: Reload,
        receipts: OpenReceipts,
        stop_beside: Callable[[], Awaitable[object]],
    ) -> None:
        self._loop_thread = loop_thread
        self._reload = reload
        self._receipts = receipts
        self._stop_beside = stop_beside
        self.leftovers: list[tuple[Channel, list[Event]]] = []

    def run(self, timeout: float) -> bool:
        """Deliver for this many seconds, then save; whether everything was delivered or is safe on disk."""
        deadline = time.monotonic() + timeout
        before = self._lost()
        channels = self._reload.all_channels
        if any(channel.statistics().depth for channel in channels()):
            self._loop_thread.start()  # a short life: nothing was on disk yet that could have started it
        if self._loop_thread.is_running():
            try:
                self._loop_thread.run(self._finish_all(timeout), timeout + GRACE)
            except TimeoutError:
                report("stop", "the drain did not end within %.1f s: a sink blocks the loop", timeout + GRACE)
        # Empty after an orderly drain. Where the loop never ran, or did not answer, this is all there is.
        self.leftovers += [(channel, channel.let_go()) for channel in channels()]
        self._save_leftovers(deadline)
        # Only now: saving needed the spool in force. One that cannot write what it holds says what is lost.
        for spool in self._reload.spools:
            if not spool.close(deadline):
                for channel in channels():
                    channel.count_lost(spool.give_up(channel.name))
        self._receipts.end()  # whoever still waits would wait for its whole timeout
        for channel in channels():
            channel.report_kept()
        return self._lost() == before

    async def _finish_all(self, timeout: float) -> None:
        # First what works beside the queues, for the relay would go on to fill them.
        deadline = time.monotonic() + timeout
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(_BESIDE, timeout / 2)):
                await self._stop_beside()
        left = max(0.0, deadline - time.monotonic())
        await asyncio.gather(*(self._finish(channel, left) for channel in self._reload.all_channels()))
        await self._reload.ended(max(_BESIDE, deadline - time.monotonic()))

    async def _finish(self, channel: Channel, timeout: float) -> None:
        self.leftovers.append((channel, await channel.finish(timeout)))

    def _save_leftovers(self, deadline: float) -> None:
        # Taken off only when it is done: an interruption in between leaves it to whoever goes on.
        while self.leftovers:
            channel, events = self.leftovers[-1]
            if not self._reload.save(channel, events, deadline):
                channel.count_lost(events)
            self.leftovers.pop()

    def _lost(self) -> int:
        return sum(sink.dropped.get(DropReason.SHUTDOWN, 0) for sink in self._reload.metrics().values())
