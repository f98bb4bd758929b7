"""MySQL, MariaDB and PostgreSQL by SQLAlchemy's engines and their own drivers."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from logweir.benchmarks.suite.natives.base import Native, Spec
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.event import Event
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.sql.encode import to_parameters

__all__ = ["MysqlNative", "PostgresqlNative"]


#: Seconds that a question may take: one that reads all of ten million rows is measured, and no failure.
_PATIENCE = 3600


class _RelationalNative(Native):
    """A table for each store."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        # A growth run starts the server again, under two tables perhaps.
        self._engine: AsyncEngine = create_async_engine(spec.url, pool_pre_ping=True)
        self._writers: dict[str, AsyncConnection] = {}

    def _table(self, store: str) -> str:
        # Divided or not, on one server: two tables.
        divided = "_divided" if self.spec.partitions else ""
        return f"bench_{self.spec.run}_{store}{divided}"

    def sink_settings(self, store: str) -> dict[str, Any]:
        """See :meth:`Native.sink_settings`."""
        return {
            "type": self.spec.type,
            "url": self.spec.url,
            "table": self._table(store),
            "provision": True,
            "statement_timeout": _PATIENCE,
        }

    def production_settings(self) -> dict[str, Any]:
        """See :meth:`Native.production_settings`."""
        url = make_url(self.spec.url)
        shown = url.render_as_string(hide_password=True).replace(":***@", ":${DB_PASSWORD}@")
        return {"type": self.spec.type, "url": shown, "table": "audit_log", "provision": True}

    async def close(self) -> None:
        """See :meth:`Native.close`."""
        for connection in self._writers.values():
            await connection.close()
        self._writers.clear()
        await self._engine.dispose()

    async def wipe(self, store: str) -> None:
        """See :meth:`Native.wipe`."""
        writer = self._writers.pop(store, None)
        if writer is not None:
            await writer.close()
        async with self._engine.begin() as connection:
            await connection.execute(text(f"DROP TABLE IF EXISTS {self._table(store)}"))

    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """See :meth:`Native.aggregate`."""
        statement = (
            f"SELECT {self._hour}, level, COUNT(*) FROM {self._table(store)} "  # noqa: S608 - our own names
            "WHERE time_us >= :start AND time_us < :end GROUP BY 1, 2"
        )
        rows = await self._rows(statement, **_bounds(ask))
        return Counter({(int(hour), level): int(count) for hour, level, count in rows})

    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """See :meth:`Native.labelled`."""
        statement = (
            f"SELECT id FROM {self._table(store)} WHERE service = :service AND level = :level "  # noqa: S608 - idem
            "AND time_us >= :start AND time_us < :end ORDER BY time_us, time_ns, id LIMIT :most"
        )
        rows = await self._rows(statement, service=ask.service, level=ask.level, most=limit, **_bounds(ask))
        return [row[0] for row in rows]

    async def bare_write(self, store: str, batch: Sequence[Event]) -> None:
        """See :meth:`Native.bare_write`: the driver's own ``executemany`` on one connection."""
        rows = [to_parameters(event) for event in batch]
        connection = self._writers.get(store)
        if connection is None:
            connection = self._writers[store] = await self._engine.connect()
        await self._bare_insert(connection, store, rows)

    async def _rows(self, statement: str, **values: Any) -> Sequence[Any]:
        async with self._engine.connect() as connection:
            return (await connection.execute(text(statement), values)).all()

    async def _alone(self, statement: str) -> None:
        """Run what may not stand in a transaction."""
        async with self._engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text(statement))

    @property
    @abstractmethod
    def _hour(self) -> str:
        """The SQL of the hour of a row, in seconds since 1970."""

    @abstractmethod
    async def _bare_insert(self, connection: AsyncConnection, store: str, rows: Sequence[Any]) -> None:
        """Insert rows by the driver's own call, and commit."""


class MysqlNative(_RelationalNative):
    """MySQL and MariaDB."""

    _hour = "time_us DIV 3600000000 * 3600"

    async def server(self) -> str:
        """See :meth:`Native.server`."""
        ((version,),) = await self._rows("SELECT VERSION()")
        return f"MariaDB {version}" if "maria" in version.lower() else f"MySQL {version}"

    async def divide(self, store: str, first_ns: int, last_ns: int) -> None:
        """See :meth:`Native.divide`: by ranges of the id, which begins with the time in milliseconds.

        The key must be part of what divides a table, and it is the id that makes a write repeatable.
        """
        first, last = first_ns // 1_000_000, last_ns // 1_000_000
        step = max(1, (last - first) // self.spec.partitions + 1)
        ends = [f"{ms >> 16:08x}-{ms & 0xFFFF:04x}" for ms in range(first + step, last, step)]
        ranges = ", ".join(
            f"PARTITION p{number} VALUES LESS THAN ('{end}')" for number, end in enumerate(ends)
        )
        await self._alone(
            f"ALTER TABLE {self._table(store)} PARTITION BY RANGE COLUMNS (id) "
            f"({ranges}, PARTITION later VALUES LESS THAN (MAXVALUE))"
        )

    async def settle(self, store: str) -> None:
        """See :meth:`Native.settle`: pages that are only in the buffer pool are written."""
        async with self._engine.connect() as connection:
            await connection.execute(text(f"FLUSH TABLES {self._table(store)} FOR EXPORT"))
            await connection.execute(text("UNLOCK TABLES"))
        await self._alone(f"ANALYZE TABLE {self._table(store)}")

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`: the table is rebuilt."""
        await self._alone(f"OPTIMIZE TABLE {self._table(store)}")
        await self._alone(f"ANALYZE TABLE {self._table(store)}")

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`: pages of the indexes by InnoDB's own statistics."""
        table = self._table(store)
        ((total,),) = await self._rows(
            "SELECT data_length + index_length FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name = :name",
            name=table,
        )
        pages = await self._rows(
            "SELECT index_name, SUM(stat_value) * @@innodb_page_size FROM mysql.innodb_index_stats "
            "WHERE database_name = DATABASE() AND (table_name = :name OR table_name LIKE :parts) "
            "AND stat_name = 'size' AND index_name <> 'PRIMARY' GROUP BY index_name",
            name=table,
            parts=f"{table}#%",
        )
        return {"total": float(total), **{f"index {name}": float(size) for name, size in pages}}

    async def _bare_insert(self, connection: AsyncConnection, store: str, rows: Sequence[Any]) -> None:
        raw = (await connection.get_raw_connection()).driver_connection
        marks = ", ".join(["%s"] * len(rows[0]))
        async with raw.cursor() as cursor:  # type: ignore[union-attr]
            await cursor.executemany(f"INSERT INTO {self._table(store)} VALUES ({marks})", rows)  # noqa: S608 - ours
        await raw.commit()  # type: ignore[union-attr]


class PostgresqlNative(_RelationalNative):
    """PostgreSQL."""

    _hour = "time_us / 3600000000 * 3600"

    async def server(self) -> str:
        """See :meth:`Native.server`."""
        ((version,),) = await self._rows("SHOW server_version")
        return f"PostgreSQL {version}"

    async def settle(self, store: str) -> None:
        """See :meth:`Native.settle`."""
        await self._alone("CHECKPOINT")
        await self._alone(f"ANALYZE {self._table(store)}")

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`: the table is rebuilt."""
        await self._alone(f"VACUUM (FULL, ANALYZE) {self._table(store)}")

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`."""
        table = self._table(store)
        ((total,),) = await self._rows("SELECT pg_total_relation_size(to_regclass(:name))", name=table)
        sizes = await self._rows(
            "SELECT indexname, pg_relation_size(to_regclass(indexname)) FROM pg_indexes "
            "WHERE tablename = :name",
            name=table,
        )
        return {"total": float(total), **{f"index {name}": float(size) for name, size in sizes}}

    async def _bare_insert(self, connection: AsyncConnection, store: str, rows: Sequence[Any]) -> None:
        raw = (await connection.get_raw_connection()).driver_connection
        marks = ", ".join(f"${number}" for number in range(1, len(rows[0]) + 1))
        await raw.executemany(f"INSERT INTO {self._table(store)} VALUES ({marks})", rows)  # type: ignore[union-attr]  # noqa: S608


def _bounds(ask: Aggregation | LabelQuestion) -> dict[str, int]:
    return {"start": nanoseconds(ask.start) // 1000, "end": nanoseconds(ask.end) // 1000}
