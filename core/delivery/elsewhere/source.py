"""A source: one spool file of another process, as the worker of one sink reads it and reports to it.

The worker never writes a file whose owner lives. Of a dead one it deletes what is settled, under the lock
that says who owns the file, and removes the file when nothing waits in it.
"""

from __future__ import annotations

import os
import select
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.elsewhere.line import RECORD
from logweir.delivery.elsewhere.places import settled_path
from logweir.delivery.spool import ownership
from logweir.delivery.spool.backlog import Held
from logweir.delivery.spool.ownership import FileLock
from logweir.delivery.spool.reading import decoded, read_back
from logweir.delivery.spool.spool_file import FORMAT, SpoolFile
from logweir.delivery.spool.sqlite_errors import UnknownFormat
from logweir.event import Event
from logweir.process.reentry import registered

__all__ = ["Settled", "Source", "Taken"]

_BUSY_SECONDS = 1.0
#: Rows that one transaction deletes from a file of a dead owner.
_DELETED_AT_ONCE = 4096
#: Records that one write takes as a whole or not at all.
_RECORDS = select.PIPE_BUF // RECORD.size


class Settled(NamedTuple):
    """A row that is settled, and the position behind the row before it."""

    low: int
    seq: int


class Taken(NamedTuple):
    """A row that was read."""

    place: Settled
    event: Event


class _ForeignFile(SpoolFile):
    """A spool file that belongs to another process: opened to be read and nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reading = registered(threading.RLock())
        self._closed = False
        self._descriptor = -1
        # Not mode=ro: a reader of a file in WAL mode takes part in its shared memory.
        self._reader = self._writer = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._look_into()
        except BaseException:
            self.close()
            raise

    def _look_into(self) -> None:
        self._writer.execute("PRAGMA query_only=ON")
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            raise UnknownFormat(
                f"{self.path} has format {version}, this version of logweir knows {FORMAT}; the worker and "
                "the application must run the same version"
            )
        self._inode = self.path.stat().st_ino

    def is_in_place(self) -> bool:
        """See :meth:`SpoolFile.is_in_place`."""
        # By name: a descriptor of ours, when it is closed, would give up the locks of the connection.
        with suppress(OSError):
            return self.path.stat().st_ino == self._inode
        return False


class Source:
    """One file; all methods but :meth:`settle` are called by one thread at a time, and block.

    Args:
        path: The spool file.
        sink: The sink's name.
        dead_letters: Where rows go that cannot be decoded.

    Attributes:
        may_have_more: Whether a look may find rows.
        is_gone: Whether the file has been deleted, or moved into another.
    """

    def __init__(self, path: Path, sink: str, dead_letters: DeadLetters) -> None:
        self.path = path
        self.may_have_more = True
        self.is_gone = False
        self._sink = sink
        self._dead_letters = dead_letters
        self._file: _ForeignFile | None = None
        self._fifo = -1
        self._read_next = self._low = 0
        self._owner_is_dead = False
        # What is settled and not reported; appended to from the loop.
        self._settled: list[Settled] = []
        self._lock = threading.Lock()
        # Rows that were read and are not reported.
        self._open: set[int] = set()

    def settle(self, place: Settled) -> None:
        """Note that a row is settled; from any thread."""
        with self._lock:
            self._settled.append(place)

    @property
    def has_report(self) -> bool:
        """Whether anything is settled and not reported."""
        return bool(self._settled)

    # -- reading ------------------------------------------------------------------------------------

    def read(self, max_rows: int, max_bytes: int) -> list[Taken]:
        """Read the next rows of the sink.

        Raises:
            OSError: They cannot be read by this user.
            sqlite3.Error: They cannot be read just now.
        """
        file = self._opened()
        if file is None:
            return []
        found = read_back(file, self._sink, self._read_next, max_rows, max_bytes, self._dead_letters)
        self.may_have_more = not found.complete
        self._read_next = found.read_next
        places = self._places([*(held.seq for held in found.held), *found.dead])
        for seq in found.dead:
            self.settle(places[seq])
        self._open.update(places)
        return [Taken(places[seq], event) for seq, event in found.held]

    def _places(self, positions: Sequence[int]) -> dict[int, Settled]:
        places = {}
        for seq in sorted(positions):
            places[seq] = Settled(self._low, seq)
            self._low = seq + 1
        return places

    def read_at(self, positions: Sequence[int]) -> tuple[list[Held], list[int]]:
        """Read rows again that were set aside.

        Returns:
            The events, and the positions of what is settled: it is gone, or has become a dead letter.

        Raises:
            sqlite3.Error: They cannot be read just now.
        """
        file = self._opened()
        if file is None:
            return [], []
        rows = file.read_at(self._sink, positions)
        held, dead = decoded(file, self._sink, rows, self._dead_letters)
        gone = set(positions).difference([row.seq for row in rows])
        return held, [*dead, *gone]

    def _opened(self) -> _ForeignFile | None:
        """The file, if it can be read: it is there, and not still being made."""
        if self._file is not None and not self._file.is_in_place():
            self._close_file()
            self.is_gone = True
        if self.is_gone or not self._is_ready():
            self.may_have_more = False
            return None
        if self._file is None:
            try:
                self._file = _ForeignFile(self.path)
            except (OSError, sqlite3.Error):
                if self.path.exists():
                    raise
                self.is_gone = True
        return self._file

    def _is_ready(self) -> bool:
        return self._owner_is_dead or settled_path(self.path, self._sink).exists() or self._is_orphan()

    def _is_orphan(self) -> bool:
        lock = FileLock.take(self.path)
        if lock is not None:
            self._owner_is_dead = True
            lock.release()
        return self._owner_is_dead

    # -- reporting ----------------------------------------------------------------------------------

    def report(self) -> bool:
        """Report what is settled to the owner, or delete it where that is dead; whether all of it is done."""
        with self._lock:
            settled, self._settled = self._settled, []
        done = self._delete(settled) if self._owner_is_dead else self._send(settled)
        self._open.difference_update([seq for _, seq in settled[:done]])
        with self._lock:
            self._settled[:0] = settled[done:]
        return done == len(settled)

    def is_cleared(self) -> bool:
        """Whether what was reported has been deleted too: the next worker would deliver it again.

        Raises:
            sqlite3.Error: It cannot be read just now.
        """
        if self._file is None or self._owner_is_dead or not self._file.is_in_place():
            return True
        oldest = self._file.oldest(self._sink, 0, len(self._open) + 1)
        return all(seq >= self._read_next or seq in self._open for seq, _ in oldest)

    def end_if_idle(self) -> None:
        """Remove the file of a dead owner when nothing waits in it."""
        if self._open or self._settled or self.may_have_more:
            return
        if self._owner_is_dead or self._is_orphan():
            self._delete([])

    def _is_heard(self) -> bool:
        """Whether anybody reads what is reported."""
        if self._fifo < 0:
            with suppress(OSError):
                self._fifo = os.open(
                    settled_path(self.path, self._sink), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
                )
        return self._fifo >= 0

    def _send(self, settled: Sequence[Settled]) -> int:
        """Write records, as many as the owner has room for; returns of how many rows."""
        done = 0
        for records, rows in _records(settled):
            if not self._is_heard():
                self._is_orphan()
                break
            try:
                os.write(self._fifo, records)
            except BlockingIOError:
                break
            except OSError:  # it died, or goes on with another file
                self._hang_up()
                break
            done += rows
        return done

    def _delete(self, settled: Sequence[Settled]) -> int:
        """Delete rows of a file whose owner is dead; returns how many are done with."""
        # First: closing the file's descriptor below gives up the locks of every connection of this process.
        self._close_file()
        lock = FileLock.take(self.path)
        if lock is None:  # an application is taking the file over
            return 0
        try:
            if not self.path.exists():
                self.is_gone = True
                return len(settled)
            with closing(SpoolFile(self.path)) as file:
                self._delete_settled(file, self._open.difference([seq for _, seq in settled]))
                self.is_gone = file.is_empty()
            if self.is_gone:
                ownership.remove(self.path)
        finally:
            lock.release()
        return len(settled)

    def _delete_settled(self, file: SpoolFile, still_open: set[int]) -> None:
        # By what is not settled: the owner may have died with reports that it had read and not acted upon.
        while True:
            oldest = file.oldest(self._sink, 0, len(still_open) + _DELETED_AT_ONCE)
            settled = [seq for seq, _ in oldest if seq < self._read_next and seq not in still_open]
            if not settled:
                return
            file.write([], [(self._sink, seq) for seq in settled])

    # -- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._close_file()
        self._hang_up()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _hang_up(self) -> None:
        if self._fifo >= 0:
            os.close(self._fifo)
            self._fifo = -1


def _records(settled: Sequence[Settled]) -> Iterator[tuple[bytes, int]]:
    """Join neighbours, and pack the records in pieces that are written at once; with their rows."""
    runs: list[tuple[int, int]] = []
    rows = 0
    for low, seq in settled:
        if runs and runs[-1][1] + 1 == low:
            runs[-1] = (runs[-1][0], seq)
        elif len(runs) == _RECORDS:
            yield b"".join([RECORD.pack(*run) for run in runs]), rows
            runs, rows = [(low, seq)], 0
        else:
            runs.append((low, seq))
        rows += 1
    if runs:
        yield b"".join([RECORD.pack(*run) for run in runs]), rows
