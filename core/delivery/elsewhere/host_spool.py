"""The host spool: what a worker sees of the spool files of one directory, as one spool of one sink.

To the disk queue in front of it this is a spool like any other, so that channels, workers, back-off, dead
letters and counters are those of a process that delivers by itself. Rows of all files come in under
positions of its own. A few thousand are read ahead, the files in turn; what is settled is reported back.

A wake-up names the file that has new rows. It may be lost, when the FIFO is full: once a second all files
are looked at.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.elsewhere.places import open_fifo, wake_path
from logweir.delivery.elsewhere.presence import Presence
from logweir.delivery.elsewhere.source import Settled, Source
from logweir.delivery.queue import OnDurable, Wake
from logweir.delivery.set_aside import Group
from logweir.delivery.spool.backlog import Backlog, Held
from logweir.delivery.spool.notifications import Listeners
from logweir.diagnostics import report
from logweir.event import Event
from logweir.process.reentry import Deferred, registered
from logweir.process.threads import in_thread

__all__ = ["HostSpool"]

#: Seconds between two looks at all files, whether there was a wake-up or not.
_POLL = 1.0
#: Seconds between two looks while rows keep coming: what arrives meanwhile is read at once.
_SPACING = 0.005
#: The most rows, and bytes, that are read ahead; and of one file before the next has its turn.
_WINDOW, _WINDOW_BYTES, _TURN = 8192, 8 * 2**20, 1000
#: A FIFO that holds this much may have refused names.
_MANY_NAMES = 4096
#: What fits a backlog, which here has no bound of its own.
_NO_BOUND = 2**62
#: Seconds in which a stop reports what is settled.
_LAST_WORDS = 2.0


class _Origin(NamedTuple):
    source: Source
    place: Settled


class HostSpool:
    """All spool files of a directory, for one sink.

    Args:
        directory: Where queue files are.
        sink: The sink's name.
        dead_letters: Where rows go that cannot be decoded.
        wake: How to run a callback on the loop from any thread.
    """

    def __init__(self, directory: Path, sink: str, dead_letters: DeadLetters, wake: Wake) -> None:
        self.directory = directory
        self.lock = registered(threading.RLock())
        self.deferred = Deferred(self.lock)
        self.listeners = Listeners(self.lock)
        self.closed = False
        self._sink = sink
        self._dead_letters = dead_letters
        self._wake = wake
        self._backlog = Backlog(sink, _NO_BOUND, _NO_BOUND)
        self._origins: dict[int, _Origin] = {}
        self._next = 0
        self._sources: dict[str, Source] = {}
        self._presence = Presence(directory, sink)
        self._fifo = -1
        self._due = asyncio.Event()
        self._polled = 0.0
        # One thread at a time has the sources: the pump, or a worker that reads what it had set aside.
        self._turn = threading.Lock()

    # -- what a queue asks of its spool -------------------------------------------------------------

    def backlog(self, sink: str) -> Backlog:
        """See :meth:`Spool.backlog`; there is one."""
        assert sink == self._sink  # noqa: S101 - made for one sink
        return self._backlog

    def is_full(self) -> bool:
        """See :meth:`Spool.is_full`."""
        return False

    def stage(self, backlog: Backlog, event: Event, on_commit: OnDurable | None = None) -> None:
        """Refuse: a worker delivers what others put.

        Raises:
            NotImplementedError: Always.
        """
        del backlog, event, on_commit
        raise NotImplementedError("a worker's queue takes no events")

    def is_interrupted(self) -> bool:
        """See :meth:`Spool.is_interrupted`."""
        return self.deferred.inside()

    def nudge(self, *, waits: bool = False, hurries: bool = True) -> None:
        """See :meth:`Spool.nudge`: nothing is ever staged."""

    def ensure_awake(self) -> None:
        """See :meth:`Spool.ensure_awake`: nothing is ever staged."""

    def remove(self, backlog: Backlog, positions: Iterable[int], *, settled: bool = False) -> None:
        """Report rows as settled, soon; from any thread."""
        del backlog, settled
        with self.lock:
            for position in positions:
                origin = self._origins.pop(position, None)
                if origin is not None:
                    origin.source.settle(origin.place)
        self._wake(self._due.set)

    def read(self, backlog: Backlog, max_events: int, max_bytes: int) -> bool:
        """See :meth:`Spool.read`: the pump reads ahead, so that nothing is left to a consumer."""
        del backlog, max_events, max_bytes
        return False

    def read_set_aside(self, backlog: Backlog, group: Group) -> list[Held] | None:
        """See :meth:`Spool.read_set_aside`; blocks."""
        with self.lock:
            origins = {each: self._origins[each] for each in group.positions if each in self._origins}
        by_source: dict[Source, dict[int, int]] = {}
        for position, (source, place) in origins.items():
            by_source.setdefault(source, {})[place.seq] = position
        held: list[Held] = []
        settled: list[int] = []
        try:
            with self._turn:
                for source, positions in by_source.items():
                    rows, ended = source.read_at(sorted(positions))
                    held += [Held(positions[seq], event) for seq, event in rows]
                    settled += [positions[seq] for seq in ended]
        except (OSError, sqlite3.Error) as error:
            self._report_trouble(error)
            return None
        self.remove(backlog, settled)
        return sorted(held, key=lambda item: item.seq)

    # -- the pump -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Become the worker of the sink, then read and report until :meth:`close`."""
        while not self.closed and not await in_thread(self._claimed):
            await self._wait(_POLL)
        while not self.closed:
            started = time.monotonic()
            names = self._named()
            if not await in_thread(partial(self._round, names)):
                await self._wait(max(0.0, self._polled + _POLL - time.monotonic()))
            await asyncio.sleep(max(0.0, started + _SPACING - time.monotonic()))

    def close(self) -> None:
        """Read no more; on the loop."""
        self.closed = True
        self._due.set()

    async def end(self) -> None:
        """Report what is settled, until its owners have deleted it, and let another worker go on."""
        deadline = time.monotonic() + _LAST_WORDS
        # No event to wait for: another process makes room.
        while not await in_thread(self._is_cleared) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_SPACING)
        await in_thread(self._let_go)

    def _is_cleared(self) -> bool:
        done = self._report_all()
        with self._turn:
            return done and all(self._attempt(source.is_cleared) for source in self._sources.values())

    def _let_go(self) -> None:
        for source in self._sources.values():
            source.close()
        if self._fifo >= 0:
            os.close(self._fifo)
            self._fifo = -1
        self._presence.end()

    def _claimed(self) -> bool:
        try:
            if not self._presence.claim():
                report(
                    f"{self._sink}.standby",
                    "sink %r: another worker delivers from %s; this one stands by",
                    self._sink,
                    self.directory,
                )
                return False
            self._fifo = open_fifo(wake_path(self.directory, self._sink))
        except OSError as error:
            self._report_trouble(error)
            return False
        return True

    async def _wait(self, seconds: float) -> None:
        """Wait for a wake-up, a settled row, or the next look at all files."""
        loop = asyncio.get_running_loop()
        # While there is no room, a wake-up would change nothing.
        listens = self._fifo >= 0 and self._room() > 0
        if listens:
            loop.add_reader(self._fifo, self._due.set)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), seconds)
        finally:
            if listens:
                loop.remove_reader(self._fifo)
            self._due.clear()

    def _named(self) -> set[str] | None:
        """The files that wake-ups have named since the last call; None when it may be any."""
        try:
            found = os.read(self._fifo, 2**16)
        except BlockingIOError:
            return set()
        if len(found) >= _MANY_NAMES:
            return None
        return set(os.fsdecode(found).split())

    def _room(self) -> int:
        backlog = self._backlog
        return _WINDOW - len(backlog.ready) if backlog.available_size < _WINDOW_BYTES else 0

    def _round(self, names: set[str] | None) -> bool:
        """Read and report once; whether there is more to read at once. Blocks."""
        with self._turn:
            if time.monotonic() - self._polled >= _POLL:
                names = None
                self._polled = time.monotonic()
                self._presence.show()
                self._look_around()
            elif names is not None and not names <= self._sources.keys():
                self._look_around()
            for name, source in self._sources.items():
                source.may_have_more = source.may_have_more or names is None or name in names
            found = [self._read(source) for source in list(self._sources.values())]
        if any(found):
            self.listeners.notify([self._sink])
        self._report_all()
        return self._room() > 0 and any(source.may_have_more for source in self._sources.values())

    def _look_around(self) -> None:
        """Find files that are new, and let go of those that are gone."""
        found = {path.stem: path for path in sorted(self.directory.glob("*.db"))}
        for name in found.keys() - self._sources.keys():
            self._sources[name] = Source(found[name], self._sink, self._dead_letters)
        for name, source in list(self._sources.items()):
            self._attempt(source.end_if_idle)
            if source.is_gone or name not in found:
                source.close()
                del self._sources[name]

    def _read(self, source: Source) -> bool:
        """Read the next rows of a file, as far as there is room; whether there were any."""
        room = min(self._room(), _TURN)
        if not source.may_have_more or room <= 0:
            return False
        try:
            taken = source.read(room, max(1, _WINDOW_BYTES - self._backlog.available_size))
        except (OSError, sqlite3.Error) as error:
            source.may_have_more = False  # until the next look at all files
            self._report_trouble(error)
            return False
        with self.lock:
            for place, event in taken:
                position, self._next = self._next, self._next + 1
                self._origins[position] = _Origin(source, place)
                self._backlog.stage(position, event.size, event)
                self._backlog.commit(position, event.time)
        return bool(taken)

    def _report_all(self) -> bool:
        """Report what is settled of all files; whether all of it is done. Blocks."""
        with self._turn:
            sources = [source for source in self._sources.values() if source.has_report]
            done = [self._attempt(source.report) for source in sources]
        return all(done)

    def _attempt(self, work: Callable[[], bool | None]) -> bool | None:
        try:
            return work()
        except (OSError, sqlite3.Error) as error:
            self._report_trouble(error)
            return False

    def _report_trouble(self, error: Exception) -> None:
        hint = ""
        if isinstance(error, PermissionError):
            hint = "; run the worker as the user who runs the application"
        report(f"{self._sink}.host_spool", "sink %r: %s%s", self._sink, error, hint)
