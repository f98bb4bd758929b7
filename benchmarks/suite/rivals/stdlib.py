"""The standard library's QueueHandler and QueueListener, and a handler that inserts by the bare driver.

As most services write it: one insert and one commit for each record; and, as the fairer form, a hundred
records in one commit. The table has a primary key and no index beside it, which spares the rival work that
logweir's own table does.
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

__all__ = ["MysqlBatches", "MysqlRows", "SqliteBatches", "SqliteRows"]

_COLUMNS = "time, level, event, event_id, service, trace_id, fields"


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
    identity = (carried["event_id"], carried["service"], carried["trace_id"])
    return (record.created, record.levelname.lower(), record.getMessage(), *identity, fields)


class _Stdlib(Rival):
    """Queue, listener, handler."""

    batch: ClassVar[int]
    mark: ClassVar[str]

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._connection: Any = None

    @abstractmethod
    def _connect(self) -> Any:
        """Connect, and make the table."""

    def open(self) -> None:
        """See :meth:`Rival.open`."""
        self._connection = self._connect()
        marks = ", ".join([self.mark] * 7)
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
    durability = "QueueHandler, unbounded memory queue; WAL, synchronous=FULL, a commit for each event"
    batch, mark = 1, "?"

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(sqlite_path(self.ground), check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            f"CREATE TABLE {self.ground.settings['table']} (id INTEGER PRIMARY KEY, time REAL, level TEXT, "
            "event TEXT, event_id TEXT, service TEXT, trace_id TEXT, fields TEXT)"
        )
        return connection


class SqliteBatches(SqliteRows):
    """A commit for each hundred."""

    name = "stdlib + sqlite3, commit by 100"
    durability = "QueueHandler, unbounded memory queue; WAL, synchronous=FULL, a commit for 100 events"
    batch = 100


class MysqlRows(_Stdlib):
    """A commit for each record."""

    name = "stdlib + PyMySQL, commit each"
    durability = "QueueHandler, unbounded memory queue; a commit for each event, as durable as the server's"
    batch, mark = 1, "%s"

    @classmethod
    def missing(cls) -> str | None:
        """See :meth:`Rival.missing`."""
        return needs_package("pymysql", "pymysql")

    def _connect(self) -> Any:
        import pymysql  # noqa: PLC0415 - an extra

        connection = pymysql.connect(**mysql_arguments(self.ground.url))
        connection.cursor().execute(
            f"CREATE TABLE {self.ground.settings['table']} (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
            "time DOUBLE, level VARCHAR(16), event VARCHAR(255), event_id CHAR(36), service VARCHAR(255), "
            "trace_id VARCHAR(64), fields MEDIUMTEXT) CHARACTER SET utf8mb4"
        )
        return connection


class MysqlBatches(MysqlRows):
    """A commit for each hundred."""

    name = "stdlib + PyMySQL, commit by 100"
    durability = "QueueHandler, unbounded memory queue; a commit for 100 events, as durable as the server's"
    batch = 100
