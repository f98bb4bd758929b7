"""The caretaker: looks after what waits on disk, beside the workers that deliver it.

At the start and from time to time it takes over the queue files of dead processes, and turns what waits
for sinks that are not configured any more into dead letters. All of it runs in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection

from logweir.delivery.spool.spool import DiskStore
from logweir.diagnostics import report
from logweir.process.threads import in_thread

__all__ = ["INTERVAL", "Caretaker"]

#: Seconds between two looks for files that dead processes left.
INTERVAL = 15.0

#: The store in use, and the sinks that are configured.
Look = Callable[[], tuple[DiskStore, Collection[str]]]


class Caretaker:
    """Looks after a disk store.

    Args:
        look: What there is to look after; asked anew each time, for reloads change it.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._due = asyncio.Event()
        self._done_once = asyncio.Event()

    async def run(self) -> None:
        """Look after it for ever."""
        while True:
            self._due.clear()
            try:
                await in_thread(self._tend)
            except Exception as error:  # noqa: BLE001 - nothing foreseen; the next look may succeed
                report("caretaker", "the disk queues could not be looked after: %r", error)
            self._done_once.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), INTERVAL)

    def hurry(self) -> None:
        """Look now; called on the host's loop."""
        self._due.set()

    async def tended(self) -> None:
        """Wait for the end of the first look."""
        await self._done_once.wait()

    def _tend(self) -> None:
        store, sinks = self._look()
        store.adopt()
        store.bury_unconfigured(sinks)
