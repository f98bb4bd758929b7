"""What keys and indexes cost in MySQL: UUIDv4 beside UUIDv7, 0, 3 and 6 secondary indexes, growing tables.

The server itself says what it wrote: ``Innodb_data_written`` (pages, doublewrite and log),
``Innodb_os_log_written`` and ``Innodb_pages_written``. Its counters are the whole server's, so nobody else
may use it meanwhile. After each step the table's dirty pages are flushed, so that what a step caused is
counted in it. Write amplification is bytes written for each byte of a row.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from logweir.benchmarks.measure import environment
from logweir.benchmarks.mysql import connected
from logweir.event import Event, Kind, new_event_id
from logweir.sinks.sql.encode import to_parameters

__all__ = ["Step", "measure"]

_COUNTERS = ("Innodb_data_written", "Innodb_os_log_written", "Innodb_pages_written")
_COLUMNS = """
    id VARCHAR(36) NOT NULL, time_us BIGINT NOT NULL, time_ns SMALLINT NOT NULL, kind VARCHAR(16) NOT NULL,
    level VARCHAR(64) NOT NULL, action MEDIUMTEXT NOT NULL, service VARCHAR(255) NOT NULL,
    env VARCHAR(255) NOT NULL, trace_id VARCHAR(64), span_id VARCHAR(64), user_id VARCHAR(64),
    status VARCHAR(32), resource VARCHAR(255), error_type VARCHAR(128), duration_ms DOUBLE,
    extra_info JSON NOT NULL, PRIMARY KEY (id)"""
#: The first three are the audit table's own.
_INDEXES = (
    "KEY (time_us)",
    "KEY (user_id, time_us)",
    "KEY (trace_id)",
    "KEY (status, time_us)",
    "KEY (resource)",
    "KEY (action(64), time_us)",
)
_KEYS: dict[str, Callable[[], str]] = {"UUIDv7": new_event_id, "UUIDv4": lambda: str(uuid.uuid4())}
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of growth cost.

    Attributes:
        key: Kind of key.
        indexes: How many secondary indexes the table has.
        rows: Rows in the table at the end of the step.
        rows_per_second: How fast the step's rows went in, the flush included.
        written: Bytes the server wrote, for each row.
        log_written: Of these, bytes of the redo log.
        pages: Pages it wrote, for each thousand rows.
        amplification: Bytes written for each byte of a row.
        table_bytes: The table's file, for each row in it.
    """

    key: str
    indexes: int
    rows: int
    rows_per_second: float
    written: float
    log_written: float
    pages: float
    amplification: float
    table_bytes: float


def measure(
    *, url: str, rows: int = 200_000, steps: int = 4, indexes: Iterable[int] = (0, 3, 6)
) -> list[Step]:
    """Grow one table after the other.

    Args:
        url: A MySQL or MariaDB that nobody else uses meanwhile.
        rows: How many rows each table ends with.
        steps: In how many steps it gets there.
        indexes: How many secondary indexes to try.
    """
    return asyncio.run(_measure(url, rows, steps, [*indexes]))


async def _measure(url: str, rows: int, steps: int, indexes: list[int]) -> list[Step]:
    async with connected(url) as connection:
        return [
            step
            for count in indexes
            for key in _KEYS
            for step in await _grow(await connection.cursor(), key, count, rows, steps)
        ]


async def _grow(cursor: Any, key: str, indexes: int, rows: int, steps: int) -> list[Step]:
    table = f"bench_{uuid.uuid4().hex[:12]}"
    await cursor.execute(f"CREATE TABLE {table} ({', '.join([_COLUMNS, *_INDEXES[:indexes]])})")
    try:
        each = rows // steps
        return [await _step(cursor, table, key, indexes, each * step, each) for step in range(steps)]
    finally:
        await cursor.execute(f"DROP TABLE {table}")


async def _step(cursor: Any, table: str, key: str, indexes: int, before: int, rows: int) -> Step:
    marks = ", ".join(["%s"] * 16)
    start = await _counters(cursor)
    size = 0
    started = time.perf_counter()
    for first in range(before, before + rows, _BATCH):
        batch = [to_parameters(_event(_KEYS[key](), number)) for number in range(first, first + _BATCH)]
        size += sum(len(str(value)) for row in batch for value in row)
        await cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", batch)  # noqa: S608 - ours
        await cursor.execute("COMMIT")
    await cursor.execute(f"FLUSH TABLES {table} FOR EXPORT")
    await cursor.execute("UNLOCK TABLES")
    seconds = time.perf_counter() - started
    end = await _counters(cursor)
    written, log, pages = (end[name] - start[name] for name in _COUNTERS)
    return Step(
        key,
        indexes,
        before + rows,
        rows / seconds,
        written / rows,
        log / rows,
        pages / rows * 1000,
        written / size,
        await _table_bytes(cursor, table) / (before + rows),
    )


def _event(event_id: str, number: int) -> Event:
    fields = {
        "user_id": f"user-{number * 7919 % 5000}",
        "status": "success" if number % 10 else "failed",
        "resource": f"account/{number * 104_729 % 1_000_003}",
        "duration_ms": number / 7,
        "amount": number * 1.25,
        "currency": "EUR",
    }
    trace = uuid.uuid4().hex
    return Event(
        event_id,
        time.time_ns(),
        Kind.AUDIT,
        "info",
        "fund.transfer",
        "bench",
        "test",
        trace,
        trace[:16],
        fields,
    )


async def _counters(cursor: Any) -> dict[str, int]:
    await cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name IN (%s, %s, %s)", _COUNTERS)
    return {name: int(value) for name, value in await cursor.fetchall()}


async def _table_bytes(cursor: Any, table: str) -> int:
    await cursor.execute(f"ANALYZE TABLE {table}")
    await cursor.fetchall()
    await cursor.execute(
        "SELECT data_length + index_length FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name = %s",
        (table,),
    )
    (size,) = await cursor.fetchone()
    return int(size)


def show(steps: list[Step], console: Console) -> None:
    """Print what was measured."""
    table = Table(title="Keys and indexes in MySQL", title_justify="left")
    for heading in (
        "indexes",
        "key",
        "rows",
        "rows/s",
        "written, bytes/row",
        "of it log",
        "pages/1,000 rows",
        "amplification",
        "table, bytes/row",
    ):
        table.add_column(heading, justify="right")
    for step in steps:
        table.add_row(
            str(step.indexes),
            step.key,
            f"{step.rows:,}",
            f"{step.rows_per_second:,.0f}",
            f"{step.written:,.0f}",
            f"{step.log_written:,.0f}",
            f"{step.pages:,.0f}",
            f"{step.amplification:.1f} ×",
            f"{step.table_bytes:,.0f}",
        )
    console.print(table)


def main(
    url: Annotated[str, typer.Option(help="A MySQL or MariaDB that nobody else uses meanwhile.")],
    rows: int = 200_000,
    steps: int = 4,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the figures.")] = None,
) -> None:
    """Measure what keys and indexes cost."""
    console = Console(width=140)
    console.print("  ".join(f"{key} {value}" for key, value in environment().items()), highlight=False)
    found = measure(url=url, rows=rows, steps=steps)
    show(found, console)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(step) for step in found], indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
