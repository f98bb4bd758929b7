"""The standard library's QueueHandler and QueueListener, and a handler that inserts by the bare driver.

As most services write it: one insert and one commit for each record; as the fairer form, a hundred records
in one commit; and the same into a table with the key and the indexes that logweir's own table has.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sqlite3
from abc import abstractmethod
from typing import Any, ClassVar

from logweir.benchmarks.suite.rivals.base import Ground, Rival, log_record, needs_package, queued_logger
from logweir.benchmarks.suite.rivals.counts import count, mysql_arguments, sqlite_path
from logweir.event import Event

__all__ = ["MysqlBatches", "MysqlIndexed", "MysqlRows", "SqliteBatches", "SqliteIndexed", "SqliteRows"]

_COLUMNS = "event_id, time, level, event, service, user_id, trace_id, fields"
_INDEXES = ("time", "user_id, time", "trace_id")


class _Inserts(logging.Handler):
    """Rows by a driver, committed in batches."""

    def __init__(self, connection: Any, statement: str, batch: int) -> None:
        super().__init__()
        self._connection, self._statement, self._batch = connection, statement, batch
        self._rows: list[tuple[Any, ...]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Insert, or keep until there are enough."""
        try:
            self._rows.append(_row(record))
            if len(self._rows) >= self._batch:
                self.write()
        except Exception:  # noqa: BLE001 - as the standard library's own handlers do
            self.handleError(record)

    def write(self) -> None:
        """Insert and commit what was kept."""
        rows, self._rows = self._rows, []
        if rows:
            self._connection.cursor().executemany(self._statement, rows)
            self._connection.commit()


def _row(record: logging.LogRecord) -> tuple[Any, ...]:
    carried = vars(record)
    fields = json.dumps(carried["fields"], ensure_ascii=False)
    who = (carried["service"], carried["fields"].get("user_id"), carried["trace_id"])
    return (carried["event_id"], record.created, record.levelname.lower(), record.getMessage(), *who, fields)


class _Stdlib(Rival):
    """Queue, listener, handler.

    Attributes:
        batch: Records in a commit.
        indexed: Whether the event's id is the key, and there are indexes.
        mark: Of a value in a statement.
        number: The SQL of a running number as the key.
        columns: The SQL of the columns, from the event's id on.
        options: The SQL of the table's options.
    """

    batch: ClassVar[int]
    indexed: ClassVar[bool] = False
    mark: ClassVar[str]
    number: ClassVar[str]
    columns: ClassVar[str]
    options: ClassVar[str] = ""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._connection: Any = None

    @abstractmethod
    def _connect(self) -> Any:
        """Connect."""

    def _make_table(self) -> None:
        table = self.ground.settings["table"]
        columns = self.columns.format(key="PRIMARY KEY" if self.indexed else "")
        cursor = self._connection.cursor()
        numbered = "" if self.indexed else f"{self.number}, "
        cursor.execute(f"CREATE TABLE {table} ({numbered}{columns}) {self.options}")
        for number, on in enumerate(_INDEXES if self.indexed else ()):
            cursor.execute(f"CREATE INDEX ix{number}_{table} ON {table} ({on})")

    def open(self) -> None:
        """See :meth:`Rival.open`."""
        self._connection = self._connect()
        self._make_table()
        marks = ", ".join([self.mark] * 8)
        statement = f"INSERT INTO {self.ground.settings['table']} ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - ours
        self._handler = _Inserts(self._connection, statement, self.batch)
        waiting: queue.Queue[Any] = queue.Queue(-1)
        self._listener = logging.handlers.QueueListener(waiting, self._handler)
        self._logger = queued_logger(logging.handlers.QueueHandler(waiting))
        self._listener.start()

    def log(self, event: Event) -> None:
        """See :meth:`Rival.log`."""
        log_record(self._logger, event)

    def settle(self) -> None:
        """See :meth:`Rival.settle`: the listener ends when its queue is empty."""
        self._listener.stop()
        self._handler.write()

    def arrived(self) -> int:
        """See :meth:`Rival.arrived`."""
        return count(self.ground)

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        if self._connection is not None:
            self._connection.close()


class SqliteRows(_Stdlib):
    """A commit for each record."""

    name = "stdlib + sqlite3, commit each"
    durability = "unbounded memory queue; WAL, synchronous=FULL, a commit for each event; no index"
    batch, mark = 1, "?"
    number = "id INTEGER PRIMARY KEY"
    columns = (
        "event_id TEXT {key}, time REAL, level TEXT, event TEXT, service TEXT, user_id TEXT, trace_id TEXT, "
        "fields TEXT"
    )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(sqlite_path(self.ground), check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection


class SqliteBatches(SqliteRows):
    """A commit for each hundred."""

    name = "stdlib + sqlite3, by 100"
    durability = "unbounded memory queue; WAL, synchronous=FULL, a commit for 100 events; no index"
    batch = 100


class SqliteIndexed(SqliteBatches):
    """The same, with indexes."""

    name = "stdlib + sqlite3, by 100, indexed"
    durability = "unbounded memory queue; WAL, synchronous=FULL, a commit for 100 events; three indexes"
    indexed = True


class MysqlRows(_Stdlib):
    """A commit for each record."""

    name = "stdlib + PyMySQL, commit each"
    durability = "unbounded memory queue; a commit for each event as durable as the server's; no index"
    batch, mark = 1, "%s"
    number = "id BIGINT AUTO_INCREMENT PRIMARY KEY"
    columns = (
        "event_id CHAR(36) {key}, time DOUBLE, level VARCHAR(16), event VARCHAR(255), service VARCHAR(255), "
        "user_id VARCHAR(255), trace_id VARCHAR(64), fields MEDIUMTEXT"
    )
    options = "CHARACTER SET utf8mb4"

    @classmethod
    def missing(cls) -> str | None:
        """See :meth:`Rival.missing`."""
        return needs_package("pymysql", "pymysql")

    def _connect(self) -> Any:
        import pymysql  # noqa: PLC0415 - an extra

        return pymysql.connect(**mysql_arguments(self.ground.url))


class MysqlBatches(MysqlRows):
    """A commit for each hundred."""

    name = "stdlib + PyMySQL, by 100"
    durability = "unbounded memory queue; a commit for 100 events as durable as the server's; no index"
    batch = 100


class MysqlIndexed(MysqlBatches):
    """The same, with indexes."""

    name = "stdlib + PyMySQL, by 100, indexed"
    durability = "unbounded memory queue; a commit for 100 events as durable as the server's; three indexes"
    indexed = True
