"""The relational sink: batches into the audit table, each event id once.

``sqlite`` is served here with nothing to install. A batch is one transaction. If it fails because of a
row, it is halved until the row at fault is alone; that one is rejected and the others are stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, inspect, select, text
from sqlalchemy import event as events
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.results import Health, HealthStatus, WriteResult
from logweir.sinks.contract import Query, Sink, SinkContext
from logweir.sinks.sql.conditions import conditions_of, has_id_in
from logweir.sinks.sql.config import SqliteConfig
from logweir.sinks.sql.encode import to_event, to_parameters
from logweir.sinks.sql.explicit import (
    claim_outbox,
    clear_outbox,
    insert_event,
    note_in_outbox,
    outbox_table,
)
from logweir.sinks.sql.table import audit_table, definition
from logweir.sinks.sql.verdicts import verdict

__all__ = ["SqlSink"]

#: Rows fetched at once when searching.
_PAGE = 1000
#: Connections beyond one for each worker, so that a search never takes a writer's.
_READERS = 2

Parameters = tuple[Any, ...]


class SqlSink(Sink[SqliteConfig]):
    """Writes events into the audit table of a SQLite database."""

    Config = SqliteConfig

    def __init__(self, config: SqliteConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._url = make_url(config.url.get_secret_value())
        self._dialect = self._url.get_dialect()()
        self._table = audit_table(config.table)
        insert = sqlite_insert(self._table).on_conflict_do_nothing(index_elements=["id"])
        self._insert = str(insert.compile(dialect=self._dialect))
        self._engine: AsyncEngine | None = None
        self.keeps_outbox = config.outbox
        self._outbox = outbox_table(self._table)

    # -- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and create what is missing of the table if ``provision`` allows it.

        Raises:
            SinkUnavailable: The database cannot be opened.
            SinkRejected: The table, or a column of it, is missing.
        """
        if self._engine is not None:
            return
        engine = await self._make_engine()
        try:
            with _in_our_terms():
                async with engine.begin() as connection:
                    await self._prepare(connection)
        except BaseException:
            await engine.dispose()
            raise
        self._engine = engine

    async def _make_engine(self) -> AsyncEngine:
        await asyncio.to_thread(_make_folder, Path(str(self._url.database)).parent)
        engine = await asyncio.to_thread(
            create_async_engine,
            self._url,
            pool_size=self.context.workers,
            max_overflow=_READERS,
            json_deserializer=msgspec.json.decode,
        )
        milliseconds = int(self.config.busy_timeout * 1000)

        @events.listens_for(engine.sync_engine, "connect")
        def _set_pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={milliseconds}")
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.close()

        return engine

    async def _prepare(self, connection: AsyncConnection) -> None:
        if self.config.provision:
            for statement in definition(self._table, *([self._outbox] if self.keeps_outbox else [])):
                await connection.execute(statement)
        missing = await connection.run_sync(self._missing_columns)
        if missing == set(self._table.columns.keys()):
            raise SinkRejected(f"the table {self._table.name} is missing; create it, or set provision: true")
        if missing:
            columns = ", ".join(sorted(missing))
            raise SinkRejected(f"the table {self._table.name} lacks the columns {columns}; add them")

    def _missing_columns(self, connection: Connection) -> set[str]:
        inspector = inspect(connection)
        name = self._table.name
        present = inspector.get_columns(name) if inspector.has_table(name) else []
        return set(self._table.columns.keys()) - {column["name"] for column in present}

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    async def check(self) -> Health:
        """Ask for the server's version and for the table, and whether it may be written."""
        try:
            with _in_our_terms():
                async with self._opened().connect() as connection:
                    version = (await connection.execute(text("SELECT sqlite_version()"))).scalar_one()
                    await connection.execute(select(self._table).limit(0))
                    await connection.rollback()
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                    await connection.rollback()
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))
        return Health(HealthStatus.OK, f"table {self._table.name}", f"SQLite {version}")

    def provision_script(self) -> str:
        """Return the DDL of the table and its indexes."""
        statements = (str(part.compile(dialect=self._dialect)).strip() for part in definition(self._table))
        return "".join(f"{statement};\n" for statement in statements)

    # -- writing ------------------------------------------------------------------------------------

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch in one transaction; see :meth:`Sink.write`."""
        duplicate = set[int]()
        rejected = dict[int, str]()
        parts = [range(len(batch))] if batch else []
        while parts:
            part = parts.pop()
            try:
                known = await self._write_together([batch[index] for index in part])
            except SinkRejected as error:
                if len(part) == 1:
                    rejected[part[0]] = str(error)
                else:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
            else:
                duplicate.update(part[index] for index in known)
        return WriteResult(duplicate=frozenset(duplicate), rejected=rejected)

    async def _write_together(self, batch: Sequence[Event]) -> set[int]:
        """Insert in one transaction; return the indexes of those that were stored before.

        Only if rows turn out to be there already is it asked which, before inserting anew.
        """
        with _in_our_terms():
            rows = [to_parameters(event) for event in batch]
            async with self._opened().connect() as connection:
                if await self._insert_rows(connection, rows) == len(rows):
                    await connection.commit()
                    return set()
            return await self._write_fresh(rows)

    async def _write_fresh(self, rows: Sequence[Parameters]) -> set[int]:
        async with self._opened().begin() as connection:
            ids = [row[0] for row in rows]
            found = await connection.execute(select(self._table.c.id).where(has_id_in(self._table, ids)))
            known = set(found.scalars())
            fresh, duplicate = list[Parameters](), set[int]()
            for index, row in enumerate(rows):
                if row[0] in known:
                    duplicate.add(index)
                else:
                    known.add(row[0])
                    fresh.append(row)
            if fresh:
                await self._insert_rows(connection, fresh)
        return duplicate

    async def _insert_rows(self, connection: AsyncConnection, rows: list[Parameters]) -> int:
        """Insert by the driver's own bulk call: SQLAlchemy's handling of values would cost a third."""
        return (await connection.exec_driver_sql(self._insert, rows)).rowcount

    # -- explicit rows -----------------------------------------------------------------------------

    def record_in(self, connection: Connection, event: Event) -> None:
        """See :meth:`Transactional.record_in`."""
        insert_event(connection, self._table, event)
        if self.keeps_outbox:
            note_in_outbox(connection, self._outbox, event)

    async def record(self, event: Event) -> None:
        """See :meth:`Transactional.record`; an answer that was lost is found out by the row itself."""
        with _in_our_terms():
            async with self._opened().begin() as connection:
                if not (
                    await connection.execute(select(self._table.c.id).where(self._table.c.id == event.id))
                ).all():
                    await connection.run_sync(self.record_in, event)

    async def outbox_waiting(self, limit: int) -> list[Event]:
        """See :meth:`Transactional.outbox_waiting`."""
        with _in_our_terms():
            async with self._opened().begin() as connection:
                return await connection.run_sync(claim_outbox, self._outbox, limit)

    async def outbox_done(self, ids: Sequence[str]) -> None:
        """See :meth:`Transactional.outbox_done`."""
        with _in_our_terms():
            async with self._opened().begin() as connection:
                await connection.run_sync(clear_outbox, self._outbox, ids)

    # -- reading and pruning ------------------------------------------------------------------------

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        columns = self._table.c
        order = (columns.time_us, columns.time_ns, columns.id)
        statement: Select[Any] = select(self._table).where(*conditions_of(query, self._table))
        statement = statement.order_by(*(column.desc() for column in order) if query.newest_first else order)
        with _in_our_terms():
            async with self._opened().connect() as connection:
                result = await connection.stream(statement.limit(query.limit))
                async for row in result.mappings().yield_per(_PAGE):
                    yield to_event(row)

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete at most ``limit`` events older than ``before``, the oldest first."""
        old = select(self._table.c.id).where(*conditions_of(Query(end=before, kind=kind), self._table))
        oldest = old.order_by(self._table.c.time_us).limit(limit)
        with _in_our_terms():
            async with self._opened().begin() as connection:
                result = await connection.execute(delete(self._table).where(self._table.c.id.in_(oldest)))
        return int(result.rowcount)

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete exactly these events, in one transaction."""
        with _in_our_terms():
            async with self._opened().begin() as connection:
                result = await connection.execute(delete(self._table).where(has_id_in(self._table, ids)))
        return int(result.rowcount)

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise SinkUnavailable("the sink is not open")
        return self._engine


@contextmanager
def _in_our_terms() -> Iterator[None]:
    """Turn what the driver raises into what a worker understands."""
    try:
        yield
    except (SQLAlchemyError, OSError, ValueError, TypeError, OverflowError) as error:
        raise verdict(error) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkUnavailable(f"{folder} cannot be made: {error.strerror}") from None
