"""Writing to MySQL: the sink beside bare aiomysql, and more workers beside one.

The bare contender is a loop over ``executemany`` and ``commit`` with the sink's own rows, made beforehand:
what the sink does to an event is on the sink's side of the scale. All write batches of one size into a table
of the same definition, emptied before each turn.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiomysql  # type: ignore[import-untyped]
import typer
from rich.console import Console
from sqlalchemy.engine import make_url

from logweir.benchmarks.measure import Bar, Report, environment, take_turns
from logweir.benchmarks.writing import write_all
from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import SinkContext
from logweir.sinks.sql.config import MysqlConfig
from logweir.sinks.sql.encode import to_parameters
from logweir.sinks.sql.mysql import MysqlSink

__all__ = ["connected", "measure"]

URL = os.environ.get("LOGWEIR_BENCH_MYSQL_URL", "mysql+aiomysql://u:p@127.0.0.1:3306/t")

Batches = Sequence[Sequence[Event]]


def measure(*, url: str = URL, batches: int = 20, batch: int = 1000, runs: int = 7) -> Report:
    """Measure the sink with 1, 2 and 4 workers, and the driver.

    Args:
        url: Where, as the sink takes it; by default what `LOGWEIR_BENCH_MYSQL_URL` says.
        batches: How many batches one turn writes.
        batch: How many events a batch has.
        runs: How many turns count.
    """
    table = f"bench_{uuid.uuid4().hex[:12]}"
    names = ["the sink, 1 worker", "bare aiomysql executemany", "the sink, 2 workers", "the sink, 4 workers"]
    runners: list[Callable[[Batches], Any]] = [
        lambda made: _sink(url, table, made, 1),
        lambda made: _bare(url, table, made),
        lambda made: _sink(url, table, made, 2),
        lambda made: _sink(url, table, made, 4),
    ]
    server = asyncio.run(_create(url, table))
    try:
        series = take_turns(
            [(name, _rate(run, batches, batch)) for name, run in zip(names, runners, strict=True)],
            runs,
            "events/s",
        )
    finally:
        asyncio.run(_drop(url, table))
    one, bare, two, four = series
    return Report(
        "Writing to MySQL",
        series,
        [
            Bar(one.ratio(bare), 1.1, at_most=False),
            Bar(two.ratio(one), 1.2, at_most=False),
            Bar(four.ratio(one), 1.2, at_most=False),
        ],
        [f"{server}; batches of {batch:,}, {batches} of them in a turn"],
    )


def _rate(run: Callable[[Batches], Any], batches: int, batch: int) -> Callable[[], float]:
    def once() -> float:
        made = [[_event(number) for number in range(batch)] for _ in range(batches)]
        return batches * batch / float(asyncio.run(run(made)))

    return once


def _event(number: int) -> Event:
    fields = {
        "user_id": f"user-{number % 1000}",
        "status": "success",
        "resource": f"account/{number}",
        "duration_ms": number / 7,
        "amount": number * 1.25,
        "currency": "EUR",
        "ip": "203.0.113.7",
    }
    return Event(
        new_event_id(),
        time.time_ns(),
        Kind.AUDIT,
        "info",
        "fund.transfer",
        "bench",
        "test",
        f"{number:032x}",
        f"{number:016x}",
        fields,
    )


def _make_sink(url: str, table: str, workers: int) -> MysqlSink:
    config = MysqlConfig.model_validate({"url": url, "table": table, "provision": True})
    return MysqlSink(config, SinkContext(workers=workers))


async def _create(url: str, table: str) -> str:
    sink = _make_sink(url, table, 1)
    await sink.open()
    try:
        return (await sink.check()).server
    finally:
        await sink.close()


async def _drop(url: str, table: str) -> None:
    async with connected(url) as connection:
        cursor = await connection.cursor()
        await cursor.execute(f"DROP TABLE {table}")


async def _sink(url: str, table: str, batches: Batches, workers: int) -> float:
    await _truncate(url, table)
    sink = _make_sink(url, table, workers)
    await sink.open()
    try:
        await sink.check()  # its connections are there before the clock runs, as the bare one's is
        return (await write_all(sink.write, batches, workers)).wall
    finally:
        await sink.close()


async def _bare(url: str, table: str, batches: Batches) -> float:
    await _truncate(url, table)
    rows = [[to_parameters(event) for event in batch] for batch in batches]
    marks = ", ".join(["%s"] * len(rows[0][0]))
    async with connected(url) as connection:
        cursor = await connection.cursor()

        async def insert(batch: Sequence[Any]) -> None:
            await cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", batch)  # noqa: S608 - ours
            await connection.commit()

        return (await write_all(insert, rows, 1)).wall


async def _truncate(url: str, table: str) -> None:
    async with connected(url) as connection:
        cursor = await connection.cursor()
        await cursor.execute(f"TRUNCATE TABLE {table}")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Connect the bare driver to the server that a sink's url names."""
    parts = make_url(url)
    connection = await aiomysql.connect(
        host=parts.host or "127.0.0.1",
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        db=parts.database,
        charset="utf8mb4",
    )
    try:
        yield connection
    finally:
        await connection.ensure_closed()


def main(
    url: Annotated[str, typer.Option(help="A MySQL or MariaDB, as a sink of type mysql takes it.")] = URL,
    batches: int = 20,
    batch: int = 1000,
    runs: int = 7,
) -> None:
    """Measure the sink beside the driver."""
    console = Console()
    console.print("  ".join(f"{key} {value}" for key, value in environment().items()), highlight=False)
    measure(url=url, batches=batches, batch=batch, runs=runs).show(console)


if __name__ == "__main__":
    typer.run(main)
