"""SQLite by its own driver."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.event import Event
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.sql.encode import to_parameters

__all__ = ["SqliteNative"]

T = TypeVar("T")


class SqliteNative(Native):
    """A file for each store, and the table in it."""

    def _path(self, store: str) -> Path:
        return self.spec.folder / f"{store}.db"

    def sink_settings(self, store: str) -> dict[str, Any]:
        """See :meth:`Native.sink_settings`."""
        url = f"sqlite+aiosqlite:///{self._path(store)}"
        return {"type": "sqlite", "url": url, "table": "events", "provision": True}

    def production_settings(self) -> dict[str, Any]:
        """See :meth:`Native.production_settings`."""
        url = "sqlite+aiosqlite:///audit.db"
        return {"type": "sqlite", "url": url, "table": "audit_log", "provision": True}

    async def server(self) -> str:
        """See :meth:`Native.server`."""
        return f"SQLite {sqlite3.sqlite_version}"

    async def wipe(self, store: str) -> None:
        """See :meth:`Native.wipe`."""
        writer = self._writers.pop(store, None)
        if writer is not None:
            await writer.close()
        _delete(self._path(store))

    def files(self, store: str) -> list[Path]:
        """See :meth:`Native.files`."""
        path = self._path(store)
        return [each for each in (path, Path(f"{path}-wal")) if each.exists()]

    async def settle(self, store: str) -> None:
        """See :meth:`Native.settle`."""
        await self._run(store, lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`."""
        await self._run(
            store, lambda connection: connection.executescript("PRAGMA wal_checkpoint(TRUNCATE); VACUUM;")
        )

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`; indexes by SQLite's own ``dbstat`` table, where it is compiled in."""

        def sizes(connection: sqlite3.Connection) -> dict[str, float]:
            try:
                rows = connection.execute("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name").fetchall()
            except sqlite3.OperationalError:
                return {}
            return {
                f"index {name}": float(size) for name, size in rows if name not in {"events", "sqlite_schema"}
            }

        found = await self._run(store, sizes)
        return {"total": float(self._path(store).stat().st_size), **found}

    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """See :meth:`Native.aggregate`."""
        statement = (
            "SELECT time_us / 3600000000 * 3600, level, COUNT(*) FROM events "
            "WHERE time_us >= ? AND time_us < ? GROUP BY 1, 2"
        )
        bounds = (nanoseconds(ask.start) // 1000, nanoseconds(ask.end) // 1000)
        rows = await self._run(store, lambda connection: connection.execute(statement, bounds).fetchall())
        return Counter({(hour, level): count for hour, level, count in rows})

    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """See :meth:`Native.labelled`."""
        statement = (
            "SELECT id FROM events WHERE service = ? AND level = ? AND time_us >= ? AND time_us < ? "
            "ORDER BY time_us, time_ns, id LIMIT ?"
        )
        bounds = (nanoseconds(ask.start) // 1000, nanoseconds(ask.end) // 1000)
        values = (ask.service, ask.level, *bounds, limit)
        rows = await self._run(store, lambda connection: connection.execute(statement, values).fetchall())
        return [row[0] for row in rows]

    async def bare_write(self, store: str, batch: Sequence[Event]) -> None:
        """See :meth:`Native.bare_write`: the row, the driver and the durability that the sink has."""
        rows = [to_parameters(event) for event in batch]
        marks = ", ".join("?" * len(rows[0]))
        connection = await self._writer(store)
        await connection.executemany(f"INSERT INTO events VALUES ({marks})", rows)  # noqa: S608 - only marks
        await connection.commit()

    async def open(self) -> None:
        """See :meth:`Native.open`."""
        self._writers: dict[str, aiosqlite.Connection] = {}

    async def close(self) -> None:
        """See :meth:`Native.close`."""
        for connection in self._writers.values():
            await connection.close()

    async def _writer(self, store: str) -> aiosqlite.Connection:
        if store not in self._writers:
            connection = await aiosqlite.connect(self._path(store))
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=FULL")
            self._writers[store] = connection
        return self._writers[store]

    async def _run(self, store: str, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            with closing(sqlite3.connect(self._path(store))) as connection:
                return work(connection)

        return await asyncio.to_thread(run)


def _delete(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
