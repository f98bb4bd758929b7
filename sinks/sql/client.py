"""Connections: an engine for a sink's configuration, and which database answers it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
from sqlalchemy import event as events
from sqlalchemy import func, select
from sqlalchemy.engine import URL, Dialect, ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from logweir.sinks.sql.config import ServerConfig, SqlConfig, SqliteConfig
from logweir.sinks.sql.dialects.contract import Database
from logweir.sinks.sql.dialects.mysql import MariaDb, MySql
from logweir.sinks.sql.dialects.postgresql import PostgreSql
from logweir.sinks.sql.dialects.sqlite import Sqlite
from logweir.sinks.sql.sqlite_file import read_only_url
from logweir.sinks.sql.verdicts import is_locked, is_useless

__all__ = ["OF_A_SINK", "PAGE", "Transaction", "connect", "database_of"]

#: Begins a transaction whose errors are a sink's.
Transaction = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
#: The execution option of a sink's own connections, which change nothing of the application's.
OF_A_SINK = "logweir_sink"
#: Rows fetched at once when searching and verifying, and ids deleted at once when pruning.
PAGE = 1000

_DATABASES: dict[str, type[Database]] = {
    "sqlite": Sqlite,
    "mysql": MySql,
    "mariadb": MariaDb,
    "postgresql": PostgreSql,
}
#: A connection is replaced before a server or a firewall finds that it was idle for too long.
_RECYCLE_SECONDS = 1800
_LOCKED_PAUSE = 0.02
#: Pages of SQLite's log (4 KiB each) that are brought into the database at once. In a large table each batch
#: changes pages all over its indexes, and with SQLite's own 1,000 the same ones are written again and again.
_LOG_PAGES = 4000


def database_of(url: URL) -> Database:
    """Return the kind of database that a URL names; only a connection can distinguish MariaDB from MySQL."""
    return _DATABASES[url.get_backend_name()]()


async def connect(
    config: SqlConfig, connections: int, *, read_only: bool = False
) -> tuple[AsyncEngine, Database]:
    """Return an engine that has answered, and whose it is.

    Args:
        config: The sink's options.
        connections: The most connections at once.
        read_only: Whether a file of SQLite is opened so that nothing can be changed in it.
    """
    url = config.address
    if read_only and isinstance(config, SqliteConfig):
        url = await asyncio.to_thread(read_only_url, url)
    engine = await _make(config, url, connections)
    try:
        is_mariadb = await _answers_as_mariadb(engine, config)
    except BaseException:
        await engine.dispose()
        raise
    if is_mariadb and url.get_backend_name() == "mysql":
        await engine.dispose()
        url = url.set(drivername=url.drivername.replace("mysql", "mariadb", 1))
        engine = await _make(config, url, connections)
    return engine, database_of(url)


async def _answers_as_mariadb(engine: AsyncEngine, config: SqlConfig) -> bool:
    """Connect, and ask who answers.

    A file of SQLite that another process is about to switch to WAL is locked at once, without the patience
    of ``busy_timeout``: that is added here.
    """
    patience = config.busy_timeout if isinstance(config, SqliteConfig) else 0.0
    deadline = time.monotonic() + patience
    while True:
        try:
            async with engine.connect() as connection:
                return bool(getattr(connection.dialect, "is_mariadb", False))
        except OperationalError as error:
            if not is_locked(error) or time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_LOCKED_PAUSE)


async def _make(config: SqlConfig, url: URL, connections: int) -> AsyncEngine:
    """Make an engine; its driver is imported and certificates are read in a thread."""
    engine = await asyncio.to_thread(_create, config, url, connections)
    events.listen(engine.sync_engine, "handle_error", _discard_useless_connections)
    if engine.dialect.has_terminate:
        _terminate_lost_connections(engine.sync_engine.dialect)
    if settings := database_of(url).settings_of_transactions(config):
        statement = select(*(func.set_config(name, value, True) for name, value in settings.items()))
        events.listen(engine.sync_engine, "begin", lambda connection: connection.execute(statement))
    if isinstance(config, SqliteConfig):
        _set_pragmas(engine, int(config.busy_timeout * 1000), writes=url.query.get("mode") != "ro")
    return engine


def _create(config: SqlConfig, url: URL, connections: int) -> AsyncEngine:
    options: dict[str, Any] = {}
    if isinstance(config, ServerConfig):
        options = {"pool_timeout": config.connect_timeout, "pool_recycle": _RECYCLE_SECONDS}
    return create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,  # before SQLAlchemy 2.0.38 a file of SQLite had another by default
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,  # every transaction is ended where it is begun; this saves a round trip
        connect_args=dict(database_of(url).connect_arguments(config)),
        json_deserializer=msgspec.json.decode,
        execution_options={OF_A_SINK: True},
        **options,
    )


def _terminate_lost_connections(dialect: Dialect) -> None:
    """Terminate a connection that the server ended, where closing it by the protocol fails.

    A server ends a connection that was idle for longer than its ``wait_timeout``. Closing it then fails, and
    the pool would put a traceback into the application's log, and keep the socket.
    """
    close_by_protocol = dialect.do_close

    def do_close(connection: Any) -> None:
        try:
            close_by_protocol(connection)
        except Exception:  # noqa: BLE001 - whatever it is, the other side is gone
            dialect.do_terminate(connection)

    dialect.do_close = do_close  # type: ignore[assignment,method-assign]


def _discard_useless_connections(context: ExceptionContext) -> None:
    """Treat an error as a lost connection, so that the whole pool is replaced.

    After a failover each of its connections leads to the server that is read only now.
    """
    if is_useless(context.original_exception):
        context.is_disconnect = True


def _set_pragmas(engine: AsyncEngine, busy_milliseconds: int, *, writes: bool) -> None:
    @events.listens_for(engine.sync_engine, "connect")
    def _set(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        # First: the next statements may have to wait for another writer.
        cursor.execute(f"PRAGMA busy_timeout={busy_milliseconds}")
        if writes:
            cursor.execute("PRAGMA journal_mode=WAL")
            # In WAL mode, NORMAL may lose what was committed in a power cut.
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        cursor.close()
