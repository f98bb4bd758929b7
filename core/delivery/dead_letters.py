"""Dead letters: what will never be stored as it is, kept on disk with the reason until someone decides.

One SQLite file under ``data_dir``, opened for each use: dead letters are rare, several processes share
the file, and nothing has to survive a fork. Letters are redacted events (or, for unreadable input of
``logweir run``, the line with its file and number).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from logweir.encoding import encode_event
from logweir.event import Event, new_event_id

__all__ = ["DeadLetter", "DeadLetters"]

_FILE_NAME = "dead_letters.db"
_BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dead_letters (
    id TEXT PRIMARY KEY,
    time INTEGER NOT NULL,
    sink TEXT NOT NULL,
    reason TEXT NOT NULL,
    place TEXT NOT NULL,
    body BLOB NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event, or one unreadable line, that no sink will take as it is.

    Attributes:
        sink: The sink that refused it; empty for input that never became an event.
        reason: Why.
        body: The event as JSON, or the line as it was read.
        place: ``file:line`` for unreadable input.
        id: The event's id, or a new one.
        time: When it was buried, nanoseconds since 1970-01-01 UTC.
    """

    sink: str
    reason: str
    body: bytes
    place: str
    id: str
    time: int

    @classmethod
    def of_event(cls, sink: str, reason: str, event: Event) -> DeadLetter:
        """A letter for an event that ``sink`` refused."""
        return cls(sink, reason, encode_event(event), "", f"{event.id}:{sink}", time.time_ns())

    @classmethod
    def of_line(cls, place: str, reason: str, line: bytes) -> DeadLetter:
        """A letter for input that could not be read."""
        return cls("", reason, line, place, new_event_id(), time.time_ns())


class DeadLetters:
    """The dead letters of one data directory.

    Args:
        data_dir: The directory; it is made when the first letter is written.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / _FILE_NAME

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Write letters durably; one that is there already is not written twice.

        Raises:
            OSError: The file cannot be written.
        """
        rows = [(a.id, a.time, a.sink, a.reason, a.place, a.body) for a in letters]
        with self._connection() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?)", rows)

    def read(self) -> list[DeadLetter]:
        """All letters, oldest first.

        Raises:
            OSError: The file cannot be read.
        """
        if not self.path.exists():
            return []
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT sink, reason, body, place, id, time FROM dead_letters ORDER BY time, id"
            ).fetchall()
        return [DeadLetter(*row) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute(_SCHEMA)
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: {error}") from error
