"""The queue of a sink that another process delivers to: events go in here, and out over there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from logweir.delivery.elsewhere.backlog import BacklogElsewhere
from logweir.delivery.elsewhere.line import Line
from logweir.delivery.queue import Lease, Wake
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool.spool import Spool
from logweir.settings.delivery import QueueConfig, WhenFull

__all__ = ["ElsewhereQueue"]


class ElsewhereQueue(DiskQueue):
    """A disk queue without consumers of its own.

    Its bounds count what is not settled by the worker. A flush waits until everything is on disk.

    Args:
        spool: The process's spool.
        sink: The sink's name, under which events are kept.
        config: Its bounds.
        when_full: What a full queue does.
        wake: How to run a callback on the delivery loop from any thread.
        clock: Monotonic seconds.
    """

    _backlog: BacklogElsewhere

    def __init__(
        self,
        spool: Spool,
        sink: str,
        config: QueueConfig,
        when_full: WhenFull,
        wake: Wake,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        backlog = spool.backlog(sink, BacklogElsewhere)
        assert isinstance(backlog, BacklogElsewhere)  # noqa: S101 - a spool is made anew where that changes
        if backlog.line is None:
            backlog.line = Line(spool.directory, sink)
        self._line = backlog.line
        self._file = spool
        super().__init__(spool, sink, config, when_full, wake, clock=clock)

    # -- to the worker: any thread ------------------------------------------------------------------

    def _on_change(self) -> None:
        """Something was committed, or settled by the worker; called from any thread."""
        if self._blocked:
            with self._room:
                self._room.notify_all()
        watch = False
        committed, path = self._backlog.committed_next, self._file.path
        if committed and path is not None and (committed, path) != self._backlog.announced:
            self._backlog.announced = committed, path
            watch = self._line.announce(path)
        if self._flushes or watch:
            self._wake(self._on_wake)
        if self._backlog.early:  # the worker was faster than the note of this commit
            self._wake(self._take_report)

    # -- from the worker: the delivery loop ---------------------------------------------------------

    def _on_wake(self) -> None:
        self._line.watch(self._take_report)
        super()._on_wake()

    def _take_report(self) -> None:
        runs = self._line.read()
        with self._spool.lock:
            settled = self._backlog.settle_elsewhere(runs)
        if settled:
            self._spool.remove(self._backlog, settled)
            self._spool.listeners.notify([self._backlog.sink])

    async def take(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """See :meth:`EventQueue.take`: nothing is ever handed out here."""
        del max_events, max_bytes, linger
        while not self._is_closed():
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return None

    def _reached(self, mark: int) -> bool:
        with self._spool.lock:
            return self._backlog.is_committed_up_to(mark - 1)

    def let_go(self) -> None:
        """End the line to the worker, unless another queue goes on with it; what is left is the worker's."""
        self._spool.listeners.remove(self._backlog.sink, self._on_change)
        if not self._backlog.open_queues:
            self._line.close()
