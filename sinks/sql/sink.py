"""The relational sink: batches into the audit table, each event id once.

``sqlite`` is served here with nothing to install. A batch is one transaction. If it fails because of a
row, the rows are written one by one, so that the one at fault is rejected and the others are stored.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, event, func, inspect, select, text
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.results import Health, HealthStatus, WriteResult
from logweir.sinks.contract import Query, Sink, SinkContext
from logweir.sinks.searching import nanoseconds
from logweir.sinks.sql.config import SqliteConfig
from logweir.sinks.sql.encode import Row, to_event, to_row
from logweir.sinks.sql.table import TYPED_FIELDS, audit_table
from logweir.sinks.sql.verdicts import verdict

__all__ = ["SqlSink"]

#: Rows fetched at once when searching.
_PAGE = 1000
#: Ids in one look-up; SQLite allows 32,766 variables in a statement.
_IDS_AT_ONCE = 5000


class SqlSink(Sink[SqliteConfig]):
    """Writes events into the audit table of a SQLite database."""

    Config = SqliteConfig

    def __init__(self, config: SqliteConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._url = make_url(config.url.get_secret_value())
        self._table = audit_table(config.table)
        self._engine: AsyncEngine | None = None

    # -- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and create the table if ``provision`` allows it.

        Raises:
            SinkUnavailable: The database cannot be opened.
            SinkRejected: The table is missing and ``provision`` is off.
        """
        if self._engine is not None:
            return
        engine = await self._connect()
        try:
            with _in_our_terms():
                async with engine.begin() as connection:
                    await self._prepare(connection)
        except SinkError:
            await engine.dispose()
            raise
        self._engine = engine

    async def _connect(self) -> AsyncEngine:
        database = self._url.database
        if database and database != ":memory:":
            await asyncio.to_thread(_make_folder, Path(database).parent)
        workers = max(1, self.context.workers)
        engine = await asyncio.to_thread(create_async_engine, self._url, pool_size=workers, max_overflow=0)
        milliseconds = int(self.config.busy_timeout * 1000)

        @event.listens_for(engine.sync_engine, "connect")
        def _set_pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={milliseconds}")
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.close()

        return engine

    async def _prepare(self, connection: AsyncConnection) -> None:
        name = self.config.table
        if self.config.provision:
            await connection.run_sync(self._table.metadata.create_all)
        elif not await connection.run_sync(lambda sync: inspect(sync).has_table(name)):
            raise SinkRejected(f"the table {name} is missing; create it, or set provision: true")

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    async def check(self) -> Health:
        """Ask for the server's version and for the table, and try to write."""
        try:
            with _in_our_terms():
                async with self._opened().connect() as connection:
                    version = (await connection.execute(text("SELECT sqlite_version()"))).scalar_one()
                    await connection.execute(select(self._table.c.id).limit(1))
                    await connection.rollback()
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                    await connection.rollback()
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))
        return Health(HealthStatus.OK, f"table {self.config.table}", f"SQLite {version}")

    def provision_script(self) -> str:
        """Return the DDL of the table and its indexes."""
        dialect = self._url.get_dialect()()
        statements: list[Any] = [
            CreateTable(self._table),
            *(CreateIndex(index) for index in _indexes(self._table)),
        ]
        return "".join(f"{str(statement.compile(dialect=dialect)).strip()};\n" for statement in statements)

    # -- writing ------------------------------------------------------------------------------------

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch in one transaction; see :meth:`Sink.write`."""
        if not batch:
            return WriteResult.all_stored()
        rows = [to_row(item) for item in batch]
        try:
            return await self._write_at_once(rows)
        except SinkRejected:
            return await self._write_one_by_one(rows)

    async def _write_at_once(self, rows: list[Row]) -> WriteResult:
        """Insert; only if rows turn out to be there already is it asked which, before inserting anew."""
        with _in_our_terms():
            async with self._opened().connect() as connection:
                result = await connection.execute(self._insert(), rows)
                if result.rowcount == len(rows):
                    await connection.commit()
                    return WriteResult.all_stored()
            return await self._write_fresh(rows)

    async def _write_fresh(self, rows: list[Row]) -> WriteResult:
        async with self._opened().begin() as connection:
            known = await self._known(connection, [row["id"] for row in rows])
            fresh: dict[str, Row] = {}
            duplicate = set[int]()
            for index, row in enumerate(rows):
                if row["id"] in known or row["id"] in fresh:
                    duplicate.add(index)
                else:
                    fresh[row["id"]] = row
            if fresh:
                await connection.execute(self._insert(), list(fresh.values()))
        return WriteResult(duplicate=frozenset(duplicate))

    async def _known(self, connection: AsyncConnection, ids: list[str]) -> set[str]:
        """Which of these ids are stored already; the insert ignores those that appear meanwhile."""
        known: set[str] = set()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            part = ids[start : start + _IDS_AT_ONCE]
            found = await connection.execute(select(self._table.c.id).where(self._table.c.id.in_(part)))
            known.update(found.scalars())
        return known

    def _insert(self) -> Any:
        return sqlite_insert(self._table).on_conflict_do_nothing(index_elements=["id"])

    async def _write_one_by_one(self, rows: list[Row]) -> WriteResult:
        """Find the rows at fault; each row is its own transaction.

        Raises:
            SinkUnavailable: The database went away meanwhile; what was written is a duplicate next time.
        """
        rejected: dict[int, str] = {}
        duplicate = set[int]()
        for index, row in enumerate(rows):
            try:
                result = await self._write_at_once([row])
            except SinkRejected as error:
                rejected[index] = str(error)
            else:
                if result.duplicate:
                    duplicate.add(index)
        return WriteResult(duplicate=frozenset(duplicate), rejected=rejected)

    # -- reading ------------------------------------------------------------------------------------

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        columns = self._table.c
        order = (columns.time_us, columns.time_ns, columns.id)
        statement: Select[Any] = select(self._table).where(*self._conditions(query)).limit(query.limit)
        statement = statement.order_by(*(column.desc() for column in order) if query.newest_first else order)
        with _in_our_terms():
            async with self._opened().connect() as connection:
                result = await connection.stream(statement)
                async for row in result.mappings().yield_per(_PAGE):
                    yield to_event(row)

    def _conditions(self, query: Query) -> list[ColumnElement[bool]]:
        columns = self._table.c
        conditions: list[ColumnElement[bool]] = []
        if query.start is not None:
            conditions.append(columns.time_us >= nanoseconds(query.start) // 1000)
        if query.end is not None:
            conditions.append(columns.time_us < nanoseconds(query.end) // 1000)
        for name, value in (("kind", query.kind), ("action", query.name), ("trace_id", query.trace_id)):
            if value is not None:
                conditions.append(columns[name] == value)
        if query.ids is not None:
            conditions.append(columns.id.in_(sorted(query.ids)))
        if query.text is not None:
            pattern = f"%{_escaped(query.text)}%"
            conditions.append(
                columns.action.like(pattern, escape="\\") | self._any_text().like(pattern, escape="\\")
            )
        conditions += [self._field_condition(name, value) for name, value in query.fields.items()]
        return conditions

    def _any_text(self) -> ColumnElement[str]:
        texts = [func.coalesce(self._table.c[name], "") for name, longest in TYPED_FIELDS.items() if longest]
        joined: Any = func.json(self._table.c.extra_info)
        for part in texts:
            joined = joined.concat(" ").concat(part)
        return joined  # type: ignore[no-any-return]

    def _field_condition(self, name: str, value: Any) -> ColumnElement[bool]:
        columns = self._table.c
        in_json = self._json_condition(name, value)
        if name not in TYPED_FIELDS:
            return in_json
        if isinstance(value, bool):
            return in_json
        if type(value) is int and TYPED_FIELDS[name] is not None:
            return (columns[name] == str(value)) & in_json  # the column's index finds it, the number decides
        if isinstance(value, str) and TYPED_FIELDS[name] is not None:
            absent = func.json_type(columns.extra_info, _json_path([name])).is_(None)
            return (columns[name] == value) & absent | in_json
        return (columns[name] == value) if isinstance(value, int | float) else in_json

    def _json_condition(self, name: str, value: Any) -> ColumnElement[bool]:
        """The value of a field, whether its name has dots itself or leads into nested fields."""
        paths = {_json_path([name]), _json_path(name.split("."))}
        kinds = (
            {True: ["true"], False: ["false"]}.get(value)
            if isinstance(value, bool)
            else _JSON_TYPES.get(type(value))
        )
        condition: Any = None
        for path in sorted(paths):
            found: Any = func.json_type(self._table.c.extra_info, path).in_(kinds or ["object", "array"])
            if not isinstance(value, bool) and value is not None:
                stored = (
                    value
                    if isinstance(value, str | int | float)
                    else json.dumps(value, separators=(",", ":"))
                )
                found = found & (func.json_extract(self._table.c.extra_info, path) == stored)
            condition = found if condition is None else condition | found
        return condition  # type: ignore[no-any-return]

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete at most ``limit`` events older than ``before``, the oldest first."""
        chosen = select(self._table.c.id).where(*self._conditions(Query(end=before, kind=kind)))
        chosen = chosen.order_by(self._table.c.time_us).limit(limit)
        with _in_our_terms():
            async with self._opened().begin() as connection:
                result = await connection.execute(delete(self._table).where(self._table.c.id.in_(chosen)))
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
    except (SQLAlchemyError, OSError) as error:
        raise verdict(error) from None


_JSON_TYPES = {str: ["text"], int: ["integer", "real"], float: ["integer", "real"], type(None): ["null"]}


def _json_path(parts: list[str]) -> str:
    return "$" + "".join(f".{json.dumps(part, ensure_ascii=False)}" for part in parts)


def _escaped(pattern: str) -> str:
    return pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _indexes(table: Any) -> list[Any]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkUnavailable(f"{folder} cannot be made: {error.strerror}") from None
