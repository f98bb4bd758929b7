"""The line between an application and the worker of a sink, at the application's end.

After each commit the worker is woken with the name of the file; what it has settled comes back as records of
two positions. Both are hints that may be late or lost: the truth is what stands in the file.
"""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from logweir.delivery.elsewhere.places import open_fifo, settled_path, wake_path
from logweir.diagnostics import report
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.reentry import is_held_here, registered

__all__ = ["RECORD", "Line"]

#: Everything from one position to another, both included, is settled.
RECORD = struct.Struct("<qq")
_AT_ONCE = 2**16


class Line:
    """One sink's line; made once for each spool, whatever file it writes.

    Args:
        directory: Where queue files are.
        sink: The sink's name.
    """

    def __init__(self, directory: Path, sink: str) -> None:
        self._directory = directory
        self._sink = sink
        self._lock = registered(threading.RLock())
        self._is_announcing = is_held_here(self._lock)
        self._database: Path | None = None
        self._wake = self._inbox = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rest = b""
        self._closed = False
        _lines.add(self)

    def announce(self, database: Path) -> bool:
        """Wake the worker, for a file has new rows; whether :meth:`watch` is due, the file being a new one.

        Called from any thread, after the commit; it waits for nothing.
        """
        if self._is_announcing():  # by a signal handler or a finaliser, in the middle of this
            return False
        trouble = None
        with self._lock:
            if self._closed:
                return False
            is_new = database != self._database
            try:
                if is_new:
                    self._exchange_inbox(database)
                if self._wake < 0:
                    self._wake = open_fifo(wake_path(self._directory, self._sink))
                with suppress(BlockingIOError):  # it has enough to wake up for
                    os.write(self._wake, os.fsencode(f"{database.stem}\n"))
            except OSError as error:
                trouble = error
        if trouble is not None:  # without the lock, for a handler of `logging` has one too
            report(
                f"{self._sink}.elsewhere",
                "sink %r: the worker cannot be woken, it looks by itself once a second: %s",
                self._sink,
                trouble,
            )
        return is_new

    def _exchange_inbox(self, database: Path) -> None:
        self._let_go_of_inbox()
        self._inbox = open_fifo(settled_path(database, self._sink))
        self._database = database
        self._rest = b""

    def watch(self, on_readable: Callable[[], None]) -> None:
        """Call back, on the running loop, whenever the worker has reported something; to be repeated."""
        with self._lock:
            if self._inbox >= 0 and self._loop is None:
                self._loop = asyncio.get_running_loop()
                self._loop.add_reader(self._inbox, on_readable)

    def read(self) -> list[tuple[int, int]]:
        """What the worker has reported since the last call, as first and last position."""
        with self._lock:
            if self._inbox < 0:
                return []
            try:
                found = self._rest + os.read(self._inbox, _AT_ONCE)
            except BlockingIOError:
                return []
            whole = len(found) - len(found) % RECORD.size
            self._rest = found[whole:]
            return list(RECORD.iter_unpack(found[:whole]))

    def close(self) -> None:
        """Let go of both ends and remove the FIFO of the file; on the loop if it was watched. Idempotent."""
        with self._lock:
            self._closed = True
            self._let_go_of_inbox()
            if self._wake >= 0:
                os.close(self._wake)
                self._wake = -1

    def _let_go_of_inbox(self) -> None:
        inbox, self._inbox = self._inbox, -1
        loop, self._loop = self._loop, None
        if inbox < 0:
            return
        try:
            if loop is not None:
                loop.call_soon_threadsafe(_forget_reader, loop, inbox)
        except RuntimeError:  # the loop has ended
            loop = None
        if loop is None:
            os.close(inbox)
        if self._database is not None:
            settled_path(self._database, self._sink).unlink(missing_ok=True)

    def disown(self) -> None:
        """Close, in a fork's child, what is the parent's: nothing is removed."""
        # While a child kept it open, the worker would report to nobody after the parent's death.
        for descriptor in (self._inbox, self._wake):
            if descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)
        self._lock = registered(threading.RLock())
        self._is_announcing = is_held_here(self._lock)
        self._inbox = self._wake = -1
        self._loop = None
        self._closed = True


def _forget_reader(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    # Before it is closed, or the loop would watch whatever gets its number next.
    loop.remove_reader(descriptor)
    os.close(descriptor)


_lines: weakref.WeakSet[Line] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for line in list(_lines):
        line.disown()


fork.register(Stage.LINES_TO_WORKERS, in_child=_after_fork_in_child)
