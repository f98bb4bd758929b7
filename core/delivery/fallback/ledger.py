"""The ledger: which events of a sink may be in its fallback, on disk, for whoever goes on after a kill.

An event is noted before it is written to the fallback, as *sent*, and afterwards as *stored*. Without
``return``, what is noted is never written to the sink itself, whatever a process was doing when it was
killed, and whatever became of a write whose answer was lost. With it, the notes say what to look for in the
fallback later; when the sink has an event, that is noted as *returned* until it is deleted in the fallback.

On-disk format, version 1 (``PRAGMA user_version``)::

    fallback.db   diverted(sink, fallback, id, state, run, time, looked)

One file for all sinks and processes of a data directory, opened for each use as the dead letters are. WAL
mode with ``synchronous=FULL``. A damaged file is quarantined and begun anew: what it noted may then be in
both sinks, and nothing is lost by it. All methods block.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from logweir.delivery.dead_letters.database import transaction
from logweir.delivery.quarantine import is_damage, quarantine
from logweir.diagnostics import report
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.reentry import registered

__all__ = ["Ledger", "Note", "Noted", "carry_over", "copy_over", "waiting_in"]

_FILE_NAME = "fallback.db"
_FORMAT = 1
_BUSY_SECONDS = 10.0
_SETTINGS = "PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; PRAGMA journal_size_limit=4194304;"
_TABLE = """
CREATE TABLE IF NOT EXISTS diverted (
    sink TEXT NOT NULL, fallback TEXT NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL, run TEXT NOT NULL,
    time REAL NOT NULL, looked REAL NOT NULL DEFAULT 0, PRIMARY KEY (sink, fallback, id)
) WITHOUT ROWID
"""
_NOTE = """
INSERT INTO diverted (sink, fallback, id, state, run, time)
SELECT ?, ?, value, ?, ?, ? FROM json_each(?) WHERE true
ON CONFLICT DO UPDATE SET run = excluded.run, time = excluded.time,
    state = iif(state = ?, excluded.state, state)
"""
_HELD = """
SELECT id FROM diverted WHERE sink = ? AND fallback = ? AND id IN (SELECT value FROM json_each(?))
"""
_LOOKED = """
UPDATE diverted SET looked = ?
WHERE sink = ? AND fallback = ? AND id IN (SELECT value FROM json_each(?))
"""
_MARK_STORED = """
UPDATE diverted SET state = ?, time = iif(?, time, ?)
WHERE sink = ? AND fallback = ? AND state <> ? AND id IN (SELECT value FROM json_each(?))
"""
_MARK_UNCHANGED = (
    "UPDATE diverted SET state = ?, time = ? WHERE sink = ? AND fallback = ? AND id = ? AND time = ?"
)
_DELETE = """
DELETE FROM diverted WHERE sink = ? AND fallback = ? AND id IN (SELECT value FROM json_each(?))
"""
_DELETE_RETURNED = """
DELETE FROM diverted WHERE sink = ? AND fallback = ? AND state = ? AND id IN (SELECT value FROM json_each(?))
"""
_DELETE_UNCHANGED = (
    "DELETE FROM diverted WHERE sink = ? AND fallback = ? AND id = ? AND time = ? AND state = ?"
)
_SINCE = """
SELECT sink, fallback, id, iif(time <= ?, ?, state), run, time, looked FROM diverted WHERE time > ?
"""
_INDEX = "CREATE INDEX IF NOT EXISTS diverted_by_look ON diverted (sink, fallback, looked, id)"
#: What is stored in the fallback has left the sink's queue, on disk too, when so many seconds have passed.
_SETTLED_AFTER = 60.0
#: What an earlier process noted may wait in a queue that this one has taken over, for as long as this.
_TAKEN_OVER_FOR = 86_400.0
#: Nanoseconds after which a change of a file has another date than the next one.
_CLEAR_OF_DATES = 2 * 10**9
#: Notes that are moved at once.
_PIECE = 1000
T = TypeVar("T")


class Noted(IntEnum):
    """What is known of an event that was sent to the fallback."""

    SENT = 0
    STORED = 1
    RETURNED = 2


class Note(NamedTuple):
    """A note.

    Attributes:
        id: Of the event.
        state: What is known of it.
        time: Since when, seconds since 1970.
        age: For how many seconds.
    """

    id: str
    state: Noted
    time: float
    age: float


class Ledger:
    """The notes of one sink and its fallback.

    Args:
        data_dir: Where the file is, which is made with the first note.
        sink: The sink.
        fallback: Its fallback.
        now: The time, seconds since 1970.

    Attributes:
        path: The file.
    """

    def __init__(
        self, data_dir: Path, sink: str, fallback: str, now: Callable[[], float] = time.time
    ) -> None:
        self.path = data_dir / _FILE_NAME
        self._pair = (sink, fallback)
        self._now = now
        self._run = secrets.token_hex(8)
        self._began = now()
        self._empty_as: _Dates | None = None

    def note(self, ids: Sequence[str]) -> None:
        """Note, durably, that these are about to be written to the fallback.

        Raises:
            OSError: The file cannot be written.
        """
        # What is about to be deleted there, for it has returned, may come there once more meanwhile.
        values = (*self._pair, int(Noted.SENT), self._run, self._now(), json.dumps(ids), int(Noted.RETURNED))
        self._change(lambda connection: connection.execute(_NOTE, values))

    def settle(self, stored: Sequence[str], refused: Sequence[str], *, returns: bool = True) -> None:
        """Note what the fallback answered: these are there, and those are not.

        Args:
            stored: What is there, of which some may have returned before the fallback answered.
            refused: What is not.
            returns: What is there is to return, and keeps its time, which says whether it was sent again.

        Raises:
            OSError: The file cannot be written.
        """

        def settle(connection: sqlite3.Connection) -> None:
            values = (
                int(Noted.STORED),
                returns,
                self._now(),
                *self._pair,
                int(Noted.RETURNED),
                json.dumps(stored),
            )
            connection.execute(_MARK_STORED, values)
            self._delete(connection, refused)

        self._change(settle)

    def held(self, ids: Sequence[str]) -> set[str]:
        """Those of these events that may be in the fallback.

        Raises:
            OSError: The file cannot be read.
        """
        # Asked of every batch, and nearly always there is no note: then a look at the file's dates is enough.
        before = self._dates()
        if before is None or before == self._empty_as:
            return set()

        def ask(connection: sqlite3.Connection) -> tuple[set[str], bool]:
            held = connection.execute(_HELD, (*self._pair, json.dumps(ids))).fetchall()
            any_of_it = "SELECT 1 FROM diverted WHERE sink = ? AND fallback = ? LIMIT 1"
            return {one for (one,) in held}, connection.execute(any_of_it, self._pair).fetchone() is None

        held, empty = self._read(ask)
        # What another process notes at this very moment must not hide behind the same date.
        is_old = time.time_ns() - max(before.changes) > _CLEAR_OF_DATES
        self._empty_as = before if empty and is_old else None
        return held

    def oldest(self, limit: int, pause: float) -> list[Note]:
        """Events that may be in the fallback and were not looked for in the last ``pause`` seconds.

        Raises:
            OSError: The file cannot be read.
        """
        if not self.path.exists():
            return []
        query = (
            "SELECT id, state, time FROM diverted WHERE sink = ? AND fallback = ? "
            "AND looked NOT BETWEEN ? AND ? ORDER BY looked, id LIMIT ?"
        )
        now = self._now()  # a look in the future says that the clock was put back
        wanted = (*self._pair, now - pause, now, limit)
        rows = self._read(lambda connection: connection.execute(query, wanted).fetchall())
        return [Note(str(one), Noted(state), when, now - when) for one, state, when in rows]

    def looked_for(self, ids: Sequence[str]) -> None:
        """Note that these were looked for and not found, or not taken, now.

        Raises:
            OSError: The file cannot be written.
        """
        values = (self._now(), *self._pair, json.dumps(ids))
        self._change(lambda connection: connection.execute(_LOOKED, values))

    def returned(self, notes: Sequence[Note]) -> None:
        """Note, durably, that the sink has these now, unless they were sent to the fallback again since.

        Raises:
            OSError: The file cannot be written.
        """
        values = [(int(Noted.RETURNED), self._now(), *self._pair, note.id, note.time) for note in notes]
        self._change(lambda connection: connection.executemany(_MARK_UNCHANGED, values))

    def deleted(self, ids: Sequence[str]) -> None:
        """Forget what has returned and was deleted in the fallback, unless it was sent there again since.

        Raises:
            OSError: The file cannot be written.
        """
        values = (*self._pair, int(Noted.RETURNED), json.dumps(ids))
        self._change(lambda connection: connection.execute(_DELETE_RETURNED, values))

    def give_up(self, notes: Sequence[Note]) -> None:
        """Forget notes, unless their events were sent to the fallback again since, or it has answered since.

        Raises:
            OSError: The file cannot be written.
        """
        values = [(*self._pair, note.id, note.time, int(note.state)) for note in notes]
        self._change(lambda connection: connection.executemany(_DELETE_UNCHANGED, values))

    def count(self) -> int:
        """How many events are noted.

        Raises:
            OSError: The file cannot be read.
        """
        if not self.path.exists():
            return 0
        query = "SELECT count(*) FROM diverted WHERE sink = ? AND fallback = ?"
        return int(self._read(lambda connection: connection.execute(query, self._pair).fetchone()[0]))

    def prune(self) -> None:
        """Forget what no queue can still hold; for a sink to which nothing returns.

        Raises:
            OSError: The file cannot be written.
        """
        dates = self._dates()
        if dates is None or dates == self._empty_as:
            return
        now = self._now()
        where = "DELETE FROM diverted WHERE sink = ? AND fallback = ?"

        def prune(connection: sqlite3.Connection) -> None:
            settled = (*self._pair, self._run, Noted.STORED, now - _SETTLED_AFTER)
            connection.execute(f"{where} AND run = ? AND state = ? AND time < ?", settled)
            # Not before this process has been through what it took over, however old that is.
            if now - self._began > _TAKEN_OVER_FOR:
                connection.execute(f"{where} AND time < ?", (*self._pair, now - _TAKEN_OVER_FOR))

        self._change(prune)

    def _delete(self, connection: sqlite3.Connection, ids: Sequence[str]) -> None:
        connection.execute(_DELETE, (*self._pair, json.dumps(ids)))

    def _dates(self) -> _Dates | None:
        """What changes whenever somebody has changed the file; None while there is none."""
        found = []
        for path in (self.path, Path(f"{self.path}-wal")):
            with suppress(FileNotFoundError):
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, state.st_ino))
        return _Dates(tuple(found)) if found else None

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return _use(self.path, work)

    def _change(self, work: Callable[[sqlite3.Connection], object]) -> None:
        def change(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                work(connection)

        _use(self.path, change)


@dataclass(frozen=True, slots=True)
class _Dates:
    """When each of the files changed, its size and its number."""

    files: tuple[tuple[int, int, int], ...]

    @property
    def changes(self) -> list[int]:
        return [changed for changed, _, _ in self.files]


def waiting_in(data_dir: Path) -> dict[tuple[str, str], int]:
    """How many events are noted in a data directory, by sink and fallback.

    Raises:
        OSError: The file cannot be read.
    """
    path = data_dir / _FILE_NAME
    if not path.exists():
        return {}
    query = "SELECT sink, fallback, count(*) FROM diverted GROUP BY sink, fallback ORDER BY sink, fallback"
    rows = _use(path, lambda connection: connection.execute(query).fetchall())
    return {(str(sink), str(fallback)): int(count) for sink, fallback, count in rows}


def copy_over(former: Path, data_dir: Path, since: float) -> None:
    """Copy the notes of another data directory, whose events come here while others still work there.

    They stay where they are as well: whoever has such an event in hand asks there where it may be already.

    Args:
        former: The other data directory.
        data_dir: This one.
        since: When the last copy began, seconds since 1970; 0 for all of them.

    Raises:
        OSError: One of the files cannot be used.
    """
    source, target = former / _FILE_NAME, data_dir / _FILE_NAME
    if not source.exists():
        return
    # What was noted shortly before the last copy may have been written behind it. Where it was copied, and is
    # over here by now, it is looked for in vain, of which nobody need hear.
    values = (since, int(Noted.SENT), since - _BUSY_SECONDS)
    rows = _use(source, lambda connection: connection.execute(_SINCE, values).fetchall())
    for start in range(0, len(rows), _PIECE):
        _use(target, partial(_insert, rows[start : start + _PIECE]))


def carry_over(former: Path, data_dir: Path) -> None:
    """Move the notes of another data directory here, in whose queues nothing is left.

    In pieces: a crash in between leaves one in both, which are as one.

    Raises:
        OSError: One of the files cannot be used.
    """
    source, target = former / _FILE_NAME, data_dir / _FILE_NAME
    if not source.exists():
        return

    def read(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
        return connection.execute("SELECT * FROM diverted LIMIT ?", (_PIECE,)).fetchall()

    while rows := _use(source, read):
        _use(target, partial(_insert, rows))
        _use(source, partial(_remove, rows))


def _insert(rows: Sequence[tuple[object, ...]], connection: sqlite3.Connection) -> None:
    with transaction(connection):
        connection.executemany("INSERT OR IGNORE INTO diverted VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _remove(rows: Sequence[tuple[object, ...]], connection: sqlite3.Connection) -> None:
    with transaction(connection):
        keys = [row[:3] for row in rows]
        connection.executemany("DELETE FROM diverted WHERE sink = ? AND fallback = ? AND id = ?", keys)


#: One use at a time, as a file that is damaged is renamed.
_using = registered(threading.RLock())


def _make_anew() -> None:
    global _using  # noqa: PLW0603 - in a fork's child, where nobody is at work here
    _using = registered(threading.RLock())


fork.register(Stage.FALLBACK_NOTES, in_child=_make_anew)


def _use(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    with _using:
        try:
            return _with_file(path, work)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise OSError(f"{path}: {error}") from error
            _replace(path, error)
        try:
            return _with_file(path, work)
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from error


def _with_file(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _FORMAT:
            raise OSError(
                f"{path} has format {version}, this version of logweir knows {_FORMAT}; "
                "use the version that wrote it, or move the file away"
            )
        if version < _FORMAT:
            connection.execute("PRAGMA journal_mode=WAL")
            with transaction(connection):
                for statement in (_TABLE, _INDEX, f"PRAGMA user_version={_FORMAT}"):
                    connection.execute(statement)
        connection.executescript(_SETTINGS)
        return work(connection)


def _replace(path: Path, error: sqlite3.Error) -> None:
    quarantined = quarantine(path)
    report(
        f"fallback.damage.{path}",
        "the note %s of what was sent to fallbacks is damaged (%s); it was quarantined as %s and a new one "
        "begun: what it noted stays in the fallbacks, and does not return by itself",
        path,
        error,
        quarantined,
        level=logging.ERROR,
    )
