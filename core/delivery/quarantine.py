"""Quarantine: when a SQLite file counts as damaged, and how it is then kept for a human."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from logweir.sinks.shared.sqlite_repair import corrupt_name

__all__ = ["SUFFIXES", "is_damage", "quarantine"]

#: What SQLite keeps beside a database, and the database itself.
SUFFIXES = ("", "-wal", "-shm")

#: Primary codes that pass by themselves or when an operator has made room or given rights.
_PASSING = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_AUTH,
    }
)
_IOERR_DATA = sqlite3.SQLITE_IOERR | (32 << 8)
_IOERR_CORRUPTFS = sqlite3.SQLITE_IOERR | (33 << 8)
#: Failures to read: what is not readable now will not become so.
_UNREADABLE = frozenset(
    {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, _IOERR_DATA, _IOERR_CORRUPTFS}
)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file's content is at fault, so that no later attempt can succeed."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the sqlite3 module itself, as for text that is not UTF-8
        return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.ProgrammingError)
    return code in _UNREADABLE or code & 0xFF not in _PASSING


def quarantine(database: Path) -> Path:
    """Rename a damaged database, with all that SQLite keeps beside it, and return its new name."""
    name = corrupt_name(database)
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            Path(f"{database}{suffix}").rename(f"{name}{suffix}")
    return name
