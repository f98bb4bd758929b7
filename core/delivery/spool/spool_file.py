"""One queue file as SQLite sees it: tables, statements, transactions.

On-disk format, version 2 (``PRAGMA user_version``)::

    bodies(seq INTEGER PRIMARY KEY, time, size, body, sum)   the event as JSON, once
    pending(sink, seq)                                       who has yet to store it

A body goes with its last ``pending`` row, in the same transaction. ``seq`` grows with the order of the
puts, so that the rows of a sink, read by ``seq``, are in the order in which they were put. ``time`` is the
event's and ``size`` its size in the bounds of queues. ``sum`` is the checksum of a row, for SQLite's pages
have none: a byte that the disk has changed must not become a true event. Version 1 had no ``sum``;
such a file is brought up when it is opened, and its rows count as they are.

WAL mode with ``synchronous=FULL``: when a transaction returns, its log frames were synced, and a power
cut cannot take them back. Writes go through one connection, reads through another, so that a reader
never waits for a commit. All methods raise ``sqlite3.Error`` as it comes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain, groupby, starmap
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from logweir.delivery.spool.ownership import sync_directory
from logweir.delivery.spool.pages import MAGIC
from logweir.delivery.spool.runs import runs
from logweir.delivery.spool.sqlite_errors import UnknownFormat
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.fork_gate import keep_forever
from logweir.process.reentry import registered

__all__ = ["FORMAT", "Record", "Row", "SpoolFile", "read_in_turn"]

FORMAT = 2
_BUSY_SECONDS = 5.0
#: Positions that are asked for at once; SQLite takes at least 999 (SQLITE_LIMIT_VARIABLE_NUMBER).
_AT_ONCE = 500
#: Pages of free space that are given back to the file system when a queue has run empty.
_SPARE_PAGES = 1024

_CREATE = f"""
PRAGMA auto_vacuum=INCREMENTAL;
PRAGMA journal_mode=WAL;
BEGIN IMMEDIATE;
CREATE TABLE bodies (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL,
    sum INTEGER
);
CREATE TABLE pending (sink TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (sink, seq)) WITHOUT ROWID;
PRAGMA user_version={FORMAT};
COMMIT;
"""
_FROM_VERSION_1 = f"""
BEGIN IMMEDIATE;
ALTER TABLE bodies ADD COLUMN sum INTEGER;
PRAGMA user_version={FORMAT};
COMMIT;
"""
# Many rows in one statement cost a third less than one by one, and let go of the interpreter's lock once.
_INSERTS = [
    (count, "INSERT OR IGNORE INTO bodies VALUES " + ", ".join(["(?, ?, ?, ?, ?)"] * count))  # noqa: S608 - only marks
    for count in (64, 16, 4, 1)
]
_SETTINGS = """
PRAGMA synchronous=FULL;
PRAGMA fullfsync=ON;
PRAGMA journal_size_limit=16777216;
"""


class Row(NamedTuple):
    """An event as it waits on disk; ``sound`` unless it is not what was written."""

    seq: int
    time: int
    size: int
    body: bytes
    sound: bool = True

    @classmethod
    def verified(cls, seq: int, time: object, size: object, body: object, found: object = None) -> Row:
        """A row as it was found, with the checksum that stands beside it.

        SQLite's columns take values of any type, and a changed bit can make one of another.
        """
        if isinstance(body, str):  # of the same bytes
            body = body.encode(errors="surrogateescape")
        if not isinstance(body, bytes):
            return cls(seq, 0, 0, b"", sound=False)
        if not (isinstance(time, int) and isinstance(size, int)):
            return cls(seq, 0, 0, body, sound=False)
        return cls(seq, time, size, body, found is None or found == _checksum(seq, time, size, body))


def _checksum(seq: int, time: int, size: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(b"%d %d %d" % (seq, time, size)))


class Record(NamedTuple):
    """A row and the sinks that have yet to store it."""

    row: Row
    sinks: Sequence[str]


class SpoolFile:
    """An open queue file.

    Args:
        path: Where it is; it is made if it does not exist.

    Raises:
        UnknownFormat: Another version of logweir wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reading = registered(threading.RLock())
        self._reader: sqlite3.Connection | None = None
        self._closed = False
        self._descriptor = -1
        # What is open keeps its device and number, so that asking for them once is enough.
        self._name, self._identity = str(path), (0, 0)
        self._writer = _connect(path, create=True)
        _open_files.add(self)
        try:
            self._prepare()
            # Kept open: closing any descriptor of the file would give up SQLite's own locks.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            mine = os.fstat(self._descriptor)
            self._identity = mine.st_dev, mine.st_ino
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version == 0 and not self._writer.execute("SELECT 1 FROM sqlite_schema").fetchone():
            self._writer.executescript(_CREATE)
            sync_directory(self.path.parent)
        elif version == 1:
            self._writer.executescript(_FROM_VERSION_1)
        elif version != FORMAT:
            raise UnknownFormat(
                f"{self.path} has format {version}, this version of logweir knows {FORMAT}; "
                "it is left as it is for the version that wrote it"
            )
        self._writer.executescript(_SETTINGS)
        self._sinks = set(_sinks_in(self._writer))

    def write(self, records: Sequence[Record], removals: Iterable[tuple[str, int]] = ()) -> None:
        """Add records and remove what is settled, in one transaction: durable when it returns.

        What is there already is left as it is.
        """
        removed = list(removals)
        # Never forgets a name: `_remove` looks for other sinks of a body among these, and must not miss one.
        self._sinks.update(sink for record in records for sink in record.sinks)
        writer = self._writer
        # "OR IGNORE" makes a repetition harmless: recovery writes what memory holds, then the same rows again
        # as they are found in the damaged file.
        writer.execute("BEGIN IMMEDIATE")
        try:
            if records:
                self._add(records)
            if removed:
                self._remove(removed)
            writer.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                writer.execute("ROLLBACK")
            raise

    def _add(self, records: Sequence[Record]) -> None:
        rows = [
            (seq, time, size, body, _checksum(seq, time, size, body))
            for (seq, time, size, body, _), _ in records
        ]
        start = 0
        for count, statement in _INSERTS:
            while len(rows) - start >= count:
                values = list(chain.from_iterable(rows[start : start + count]))
                self._writer.execute(statement, values)
                start += count
        # In a run every position is one of these records: SQLite copies them without a call for each.
        for sinks, group in groupby(records, key=itemgetter(1)):
            for first, last in runs([record[0][0] for record in group]):
                self._writer.executemany(
                    "INSERT OR IGNORE INTO pending SELECT ?, seq FROM bodies WHERE seq BETWEEN ? AND ?",
                    [(sink, first, last) for sink in sinks],
                )

    def _remove(self, removals: list[tuple[str, int]]) -> None:
        positions: dict[str, list[int]] = {}
        for sink, seq in removals:
            positions.setdefault(sink, []).append(seq)
        self._writer.executemany(
            "DELETE FROM pending WHERE sink = ? AND seq BETWEEN ? AND ?",
            [(sink, *run) for sink, some in positions.items() for run in runs(sorted(some))],
        )
        sinks = sorted(self._sinks)
        if len(sinks) == 1 and sinks == list(positions):  # nobody else can wait for these bodies
            self._writer.executemany(
                "DELETE FROM bodies WHERE seq BETWEEN ? AND ?", list(runs(sorted(positions[sinks[0]])))
            )
            return
        self._writer.executemany(
            # The list of sinks makes this a look-up in the primary key, without an index more.
            "DELETE FROM bodies WHERE seq BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM pending "  # noqa: S608 - only marks
            f"WHERE pending.sink IN ({', '.join('?' * len(sinks))}) AND pending.seq = bodies.seq)",
            [(*run, *sinks) for run in runs(sorted(set().union(*positions.values())))],
        )

    def read(self, sink: str, start: int, max_rows: int, max_bytes: int) -> tuple[list[Row], bool]:
        """Read a sink's rows from ``start`` on; whether these are all comes second."""
        with self._reading:
            cursor = self._read_connection().execute(
                "SELECT b.seq, b.time, b.size, b.body, b.sum FROM pending p CROSS JOIN bodies b "
                "ON b.seq = p.seq WHERE p.sink = ? AND p.seq >= ? ORDER BY p.seq LIMIT ?",
                (sink, start, max_rows),
            )
            rows: list[Row] = []
            size = 0
            for values in cursor:
                row = Row.verified(*values)
                rows.append(row)
                size += row.size
                if size >= max_bytes:
                    cursor.close()
                    return rows, False
            return rows, len(rows) < max_rows

    def read_at(self, sink: str, positions: Sequence[int]) -> list[Row]:
        """Read those rows of a sink that are at these positions, in their order."""
        rows: list[Row] = []
        for first in range(0, len(positions), _AT_ONCE):
            some = positions[first : first + _AT_ONCE]
            with self._reading:
                rows += starmap(
                    Row.verified,
                    self._read_connection().execute(
                        "SELECT b.seq, b.time, b.size, b.body, b.sum FROM pending p CROSS JOIN bodies b "  # noqa: S608 - only marks
                        f"ON b.seq = p.seq WHERE p.sink = ? AND p.seq IN ({', '.join('?' * len(some))})",
                        (sink, *some),
                    ),
                )
        return sorted(rows)

    def oldest(self, sink: str, start: int, count: int) -> list[tuple[int, int]]:
        """The ``seq`` and ``size`` of a sink's first rows from ``start`` on."""
        with self._reading:
            return (
                self._read_connection()
                .execute(
                    "SELECT b.seq, CAST(b.size AS INTEGER) FROM pending p CROSS JOIN bodies b "
                    "ON b.seq = p.seq WHERE p.sink = ? AND p.seq >= ? ORDER BY p.seq LIMIT ?",
                    (sink, start, count),
                )
                .fetchall()
            )

    def totals(self, sink: str, start: int) -> tuple[int, int]:
        """The number and the size of a sink's rows from ``start`` on."""
        with self._reading:
            count, size = (
                self._read_connection()
                .execute(
                    "SELECT count(*), coalesce(sum(CAST(b.size AS INTEGER)), 0) FROM pending p "
                    "CROSS JOIN bodies b ON b.seq = p.seq WHERE p.sink = ? AND p.seq >= ?",
                    (sink, start),
                )
                .fetchone()
            )
            return count, size

    def first(self, max_rows: int, max_bytes: int) -> list[Record]:
        """Read the first records of the file, whoever waits for them."""
        with self._reading:
            return _first_records(self._read_connection(), self._sinks, max_rows, max_bytes)

    def sinks(self) -> set[str]:
        """The sinks for which anything waits."""
        return set(_sinks_in(self._writer))

    def drop(self, records: Sequence[Record]) -> None:
        """Remove records, whoever waits for them, in one transaction."""
        self.write([], [(sink, record.row.seq) for record in records for sink in record.sinks])

    def connections(self) -> list[sqlite3.Connection]:
        """The open connections, for salvage."""
        return [self._writer] + ([self._reader] if self._reader else [])

    def check(self) -> None:
        """Read the whole file and look for damage.

        Raises:
            sqlite3.DatabaseError: There is some.
        """
        (answer,) = self._writer.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(answer)
        # What the structure does not show: a changed row, and a mark or a body that lost the other.
        with closing(_records(self._writer, self._sinks)) as records:
            changed = not all(record.row.sound and record.sinks for record in records)
        if changed or self._has_lone_marks():
            raise sqlite3.DatabaseError("rows were changed on the disk")

    def _has_lone_marks(self) -> bool:
        query = "SELECT 1 FROM pending p LEFT JOIN bodies b ON b.seq = p.seq WHERE b.seq IS NULL LIMIT 1"
        return self._writer.execute(query).fetchone() is not None

    def is_in_place(self) -> bool:
        """Whether the path still leads to this file: what is written to a deleted file is lost."""
        try:
            found = os.stat(self._name)  # noqa: PTH116 - asked before every commit; a path object costs more
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def look(self) -> None:
        """Look for damage done from outside that SQLite, which has the file's head in memory, would not see.

        Raises:
            sqlite3.DatabaseError: There is some.
        """
        if not self.is_in_place():
            raise sqlite3.DatabaseError("it was deleted or replaced while it was in use")
        if os.pread(self._descriptor, len(MAGIC), 0) != MAGIC:
            raise sqlite3.DatabaseError("it was overwritten or cut while it was in use")

    def is_empty(self) -> bool:
        """Whether nothing waits in it."""
        return self._writer.execute("SELECT 1 FROM pending LIMIT 1").fetchone() is None

    def shorten_log(self) -> None:
        """Move the log into the file, which frees the log's space; a trouble shows at the next write."""
        with suppress(sqlite3.Error):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def give_back_space(self) -> None:
        """Shrink a file that has run empty after a backlog."""
        with suppress(sqlite3.Error):
            (free,) = self._writer.execute("PRAGMA freelist_count").fetchone()
            if free > _SPARE_PAGES:
                self._writer.executescript("PRAGMA incremental_vacuum;")  # execute frees but one page

    def close(self) -> None:
        """Close both connections; the file stays. Idempotent."""
        # The descriptor goes last: closing any one of a file gives up the POSIX locks that SQLite holds on
        # it.
        with self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    with suppress(sqlite3.Error):
                        connection.close()
            self._reader = None
            self._closed = True
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
        _open_files.discard(self)

    def _read_connection(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("the file is closed")
        if self._reader is None:
            self._reader = _connect(self.path)
            self._reader.execute("PRAGMA query_only=ON")
        return self._reader


def read_in_turn(
    connection: sqlite3.Connection, statement: str, *values: object
) -> Iterator[tuple[object, ...]]:
    """Yield rows one by one, until the end or the first that cannot be read."""
    with suppress(sqlite3.Error):
        yield from connection.execute(statement, values)


def _connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open a connection; by default only to a file that exists."""
    mode = "rwc" if create else "rw"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA cell_size_check=ON")
    return connection


def _sinks_in(connection: sqlite3.Connection) -> Iterator[str]:
    """The names of the sinks, one look-up each, however many rows there are."""
    name: object = ""
    while True:
        (name,) = connection.execute("SELECT min(sink) FROM pending WHERE sink > ?", (name,)).fetchone()
        if name is None:
            return
        if not isinstance(name, str):
            raise sqlite3.DatabaseError("the name of a sink is no text")
        yield name


def _records(connection: sqlite3.Connection, sinks: Iterable[str]) -> Generator[Record]:
    names = sorted(sinks)
    cursor = connection.execute(
        "SELECT b.seq, b.time, b.size, b.body, b.sum, p.sink FROM bodies b LEFT JOIN pending p "  # noqa: S608 - only marks
        f"ON p.seq = b.seq AND p.sink IN ({', '.join('?' * len(names))}) ORDER BY b.seq",
        names,
    )
    with closing(cursor):
        for _, group in groupby(cursor, key=itemgetter(0)):
            values = list(group)
            yield Record(Row.verified(*values[0][:5]), [v[5] for v in values if v[5] is not None])


def _first_records(
    connection: sqlite3.Connection, sinks: Iterable[str], max_rows: int, max_bytes: int
) -> list[Record]:
    records: list[Record] = []
    size = 0
    with closing(_records(connection, sinks)) as found:
        for record in found:
            records.append(record)
            size += record.row.size
            if len(records) >= max_rows or size >= max_bytes:
                break
    return records


_open_files: weakref.WeakSet[SpoolFile] = weakref.WeakSet()


def _leave_to_parent() -> None:
    # Collecting a connection closes it, and closing it here may delete the log that the parent still writes
    # ("Carrying an open database connection across a fork()", in SQLite's "How To Corrupt"). So the child
    # keeps them, unused, until it ends.
    for file in list(_open_files):
        keep_forever(file)
    _open_files.clear()


fork.register(Stage.SPOOL_FILES, in_child=_leave_to_parent)
