"""Late lines: what is logged while the runtime drains or after it has stopped, written to the disk queue.

Nobody is left to deliver them here, so each is on disk before its call returns (on an event loop that still
serves while the runtime drains, a moment later): the end of the process delivers them, or the next start over
the same data directory, or another process. Their number is bounded, for each costs a commit; what comes
beyond, and what the disk does not take, is counted as dropped.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.spool.spool import Spool
from logweir.diagnostics import report
from logweir.event import Event
from logweir.process.reentry import holds_registered, registered
from logweir.process.threads import on_event_loop

__all__ = ["MOST_LINES", "LateLines"]

#: The most lines that are taken after a stop.
MOST_LINES = 1000


class LateLines:
    """Saves lines; from any thread, signal handler or finaliser.

    Args:
        where: The data directory in force, and its dead letters.
        waits: Whether even an event loop waits for the disk: nobody is served by it any more.

    Attributes:
        saved: The lines that wait on disk.
        lost: Those that were taken and could not be saved after all.
    """

    def __init__(self, where: Callable[[], tuple[Path, DeadLetters]], waits: Callable[[], bool]) -> None:
        self._where = where
        self._waits = waits
        self.begin()

    def begin(self) -> None:
        """Begin anew, as in a fork's child, which leaves what was saved to its parent."""
        self._lock = registered(threading.RLock())
        self._spool: Spool | None = None
        # What a finaliser or a signal handler logged inside a lock of the delivery. It must wait for nobody,
        # and SQLite must not be entered twice: the next who comes writes it.
        self._left: deque[tuple[Event, Sequence[str]]] = deque()
        self.saved = self.lost = self._count = 0

    def save(self, event: Event, sinks: Sequence[str]) -> bool:
        """Save a line for these sinks; False if that cannot be."""
        if self._count >= MOST_LINES:
            report("late", "more than %d lines were logged after the stop; the others are lost", MOST_LINES)
            return False
        self._count += 1
        if holds_registered():
            self._left.append((event, sinks))
            return True
        if on_event_loop() and not self._waits():
            return self._stage(event, sinks)
        with self._lock:
            self._write_left()
            saved = self._write(event, sinks)
            self._write_left()
            return saved

    def close(self) -> None:
        """Let go of the file, so that a runtime can take it over."""
        with self._lock:
            self._write_left()
            spool, self._spool = self._spool, None
            if spool is not None and not spool.close(time.monotonic()):
                lost = {event.id for each in spool.backlogs() for event in spool.give_up(each.sink)}
                self.lost += len(lost)
                self.saved -= len(lost)

    def _stage(self, event: Event, sinks: Sequence[str]) -> bool:
        """Leave it to the committer, which waits for the disk in its own thread."""
        spool = self._opened()
        if spool is None:
            return False
        with spool.lock:
            for sink in sinks:
                spool.stage(spool.backlog(sink), event)
        spool.nudge()
        self.saved += 1
        return True

    def _write_left(self) -> None:
        while self._left:
            self.lost += not self._write(*self._left.popleft())

    def _write(self, event: Event, sinks: Sequence[str]) -> bool:
        spool = self._opened()
        if spool is None:
            return False
        try:
            for sink in sinks:
                spool.save(sink, [event])
        except OSError as error:
            report("late", "a line that was logged after the stop cannot be saved: %s", error)
            return False
        self.saved += 1
        return True

    def _opened(self) -> Spool | None:
        with self._lock:
            if self._spool is None or self._spool.closed:
                data_dir, dead_letters = self._where()
                # A directory that was removed since is not made anew: its owner is done with it.
                if not data_dir.parent.is_dir():
                    report(
                        "late", "a line that was logged after the stop is lost: %s is gone", data_dir.parent
                    )
                    return None
                self._spool = Spool(data_dir / "queues", dead_letters)
            return self._spool
