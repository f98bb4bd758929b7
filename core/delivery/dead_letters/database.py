"""The dead letters' file as SQLite sees it.

On-disk format, version 1 (``PRAGMA user_version``)::

    dead_letters(id TEXT PRIMARY KEY, time, sink, reason, place, body, attempts)
    totals(sink TEXT PRIMARY KEY, letters, bytes)     kept by triggers, so that counting costs nothing

Version 0, without ``attempts`` and ``totals``, is brought up when it is opened. WAL mode with
``synchronous=FULL``: a letter that was written survives a power cut.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logweir.delivery.spool.pages import header_damage
from logweir.diagnostics import report
from logweir.sinks.shared.sqlite_reading import read_only_uri
from logweir.sinks.shared.sqlite_repair import repair_log

__all__ = ["FORMAT", "connect", "connect_to_read", "lenient_text", "transaction"]

FORMAT = 1
_BUSY_SECONDS = 10.0

_SETTINGS = """
PRAGMA synchronous=FULL;
PRAGMA fullfsync=ON;
PRAGMA journal_size_limit=4194304;
"""
_LETTERS = """
CREATE TABLE dead_letters (
    id TEXT PRIMARY KEY, time INTEGER NOT NULL, sink TEXT NOT NULL, reason TEXT NOT NULL,
    place TEXT NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL DEFAULT 1
)
"""
_FROM_VERSION_0 = "ALTER TABLE dead_letters ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1"
_REST = (
    "CREATE INDEX dead_letters_by_time ON dead_letters (time, id)",
    "CREATE TABLE totals (sink TEXT PRIMARY KEY, letters INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO totals SELECT sink, count(*), sum(length(body)) FROM dead_letters GROUP BY sink",
    """
    CREATE TRIGGER dead_letters_added AFTER INSERT ON dead_letters BEGIN
        INSERT INTO totals VALUES (new.sink, 1, length(new.body))
        ON CONFLICT (sink) DO UPDATE SET letters = letters + 1, bytes = bytes + excluded.bytes;
    END
    """,
    """
    CREATE TRIGGER dead_letters_changed AFTER UPDATE OF body ON dead_letters BEGIN
        UPDATE totals SET bytes = bytes + length(new.body) - length(old.body) WHERE sink = new.sink;
    END
    """,
    """
    CREATE TRIGGER dead_letters_removed AFTER DELETE ON dead_letters BEGIN
        UPDATE totals SET letters = letters - 1, bytes = bytes - length(old.body) WHERE sink = old.sink;
    END
    """,
    f"PRAGMA user_version={FORMAT}",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, which is made or brought up to the present format if need be.

    Raises:
        sqlite3.Error: It cannot be opened.
        OSError: It cannot be made, or a newer version of logweir wrote it.
    """
    if path.exists():
        _require_sound(path)
    else:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.text_factory = lenient_text
        _require_known(path, _version(connection))
        if _version(connection) < FORMAT:
            _bring_up(connection)
        connection.executescript(_SETTINGS)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the file without changing it, which needs no permission to write.

    Raises:
        sqlite3.Error: It cannot be opened.
        OSError: A newer version of logweir wrote it; or an older one, and it may not be brought up.
    """
    if not path.is_file():  # SQLite would speak of an I/O error
        raise OSError(f"{path}: unable to open: it is no file")
    if os.access(path, os.W_OK):
        _require_sound(path)
    connection = sqlite3.connect(read_only_uri(path), timeout=_BUSY_SECONDS, isolation_level=None, uri=True)
    try:
        connection.text_factory = lenient_text
        _require_known(path, _version(connection))
        if _version(connection) == FORMAT:
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return connect(path)


def _require_sound(path: Path) -> None:
    """Look for damage of which SQLite would say nothing, or that it would take for something else.

    The log is put right if it can be. Nobody else in this process may have the file open.

    Raises:
        sqlite3.DatabaseError: There is some.
        OSError: It cannot be read.
    """
    if damage := header_damage(path):
        raise sqlite3.DatabaseError(damage)
    repair = repair_log(path, cut=False)
    if repair is None:
        return
    if repair.quarantined is None:
        raise sqlite3.DatabaseError(repair.damage)
    report(f"dead_letters.damage.{path}", "the dead letters %s: %s", path, repair, level=logging.ERROR)


def _require_known(path: Path, version: int) -> None:
    if version > FORMAT:
        raise OSError(
            f"{path} has format {version}, this version of logweir knows {FORMAT}; "
            "use the version that wrote it, or move the file away"
        )


def _bring_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    with transaction(connection):
        if _version(connection) >= FORMAT:  # another process was faster
            return
        has_letters = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'dead_letters'").fetchone()
        connection.execute(_FROM_VERSION_0 if has_letters else _LETTERS)
        for statement in _REST:
            connection.execute(statement)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def lenient_text(data: bytes) -> str:
    """One letter whose text is not UTF-8 must not keep the others from being read."""
    return data.decode("utf-8", "backslashreplace")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, durable at the end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
