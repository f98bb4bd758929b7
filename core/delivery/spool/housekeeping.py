"""Housekeeping: what is done about the files on disk, beside the workers that deliver their events.

At the start and from time to time it takes over the queue files of dead processes, and those that this one
left in another directory at a reload (with what is noted there of fallbacks), and turns what waits for sinks
that are not configured any more into dead letters. All of it runs in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from pathlib import Path

from logweir.delivery.fallback.ledger import carry_over, copy_over
from logweir.delivery.spool import former_directories
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.unconfigured import dead_letter_unconfigured
from logweir.diagnostics import report
from logweir.process.threads import in_thread

__all__ = ["INTERVAL", "Housekeeping"]

#: Seconds between two looks for files that dead processes left.
INTERVAL = 15.0

#: The spool in force, the sinks that are configured, and former spools of this process, whose files are to
#: come here.
Look = Callable[[], tuple[Spool, Collection[str], Collection[Spool]]]


class Housekeeping:
    """Takes over what dead processes left, and gives up what no sink wants.

    Args:
        look: The spool and the sinks there are; asked anew each time, for reloads change it.
        now: The time, seconds since 1970.
    """

    def __init__(self, look: Look, now: Callable[[], float] = time.time) -> None:
        self._look = look
        self._now = now
        self._due = asyncio.Event()
        self._done_once = asyncio.Event()
        # When the notes of fallbacks were last copied from one directory of queues to another.
        self._copied: dict[tuple[Path, Path], float] = {}

    async def run(self) -> None:
        """Run for ever."""
        while True:
            self._due.clear()
            try:
                await in_thread(self._once)
            except Exception as error:  # noqa: BLE001 - nothing foreseen; the next look may succeed
                report("housekeeping", "the disk queues could not be cleaned up: %r", error)
            self._done_once.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), INTERVAL)

    def hurry(self) -> None:
        """Run now; called on the loop thread."""
        self._due.set()

    async def ran_once(self) -> None:
        """Wait for the end of the first run."""
        await self._done_once.wait()

    def _once(self) -> None:
        spool, sinks, former = self._look()
        busy = set[Path]()
        for other in former:
            former_directories.note(spool.directory, other.directory)
            # What it has staged is in no file yet, so no look at the directory finds it: it is written later,
            # by the spool itself or, where the disk refused it at the close, by another close.
            if not other.closed or not other.close():
                busy.add(other.directory)
        spool.adopt()
        for directory in former_directories.noted(spool.directory):
            self._move_from(directory, spool, may_forget=directory not in busy)
        dead_letter_unconfigured(spool, sinks)

    def _move_from(self, former: Path, spool: Spool, *, may_forget: bool) -> None:
        """Take over what a former directory of queues holds, and forget it when that is all and may be."""
        # It may have had a former one itself, when two reloads followed each other.
        for earlier in former_directories.noted(former):
            former_directories.note(spool.directory, earlier)
            former_directories.forget(former, earlier)
        # Before the events: who delivers them must know where they may be already.
        copied = _done_with_notes(former, lambda: self._copy_notes(former, spool.directory))
        spool.adopt(former)
        # A file that is still there belongs to a process that lives, or could not be taken over just now.
        if not copied or not may_forget or any(former.glob("*.db")):
            return
        if _done_with_notes(former, lambda: carry_over(former.parent, spool.directory.parent)):
            former_directories.forget(spool.directory, former)

    def _copy_notes(self, former: Path, directory: Path) -> None:
        way, began = (former, directory), self._now()
        copy_over(former.parent, directory.parent, self._copied.get(way, 0.0))
        self._copied[way] = began


def _done_with_notes(former: Path, work: Callable[[], object]) -> bool:
    """Take the notes of fallbacks along; False if that could not be done."""
    try:
        work()
    except OSError as error:
        report(f"{former}.notes", "the notes of fallbacks cannot be taken along, trying again: %s", error)
        return False
    return True
