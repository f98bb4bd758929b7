"""What chained rows cost: the same batches into the same table, with ``audit.chain`` and without."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from logweir.benchmarks.measure import Bar, Report, environment, take_turns
from logweir.event import Event, Kind, new_event_id
from logweir.sinks import registry
from logweir.sinks.contract import SinkContext
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Chaining, Tally

__all__ = ["measure"]

_KEY = SecretStr("the key of a benchmark")


def measure(*, url: str | None = None, batches: int = 20, batch: int = 1000, runs: int = 5) -> Report:
    """Measure writing with and without a chain, and verifying.

    Args:
        url: A database as its sink takes it; a SQLite file by default.
        batches: How many batches one turn writes.
        batch: How many events a batch has.
        runs: How many turns count.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = url or f"sqlite+aiosqlite:///{Path(folder) / 'audit.db'}"
        contenders: list[tuple[str, Callable[[SqlSink, int, int], Awaitable[float]], Chaining | None]] = [
            ("no chain", _write, None),
            ("chain", _write, Chaining()),
            ("chain with a key", _write, Chaining(_KEY)),
            ("verifying, rows", _verify, Chaining(_KEY)),
        ]
        series = take_turns(
            [(name, _turn(place, work, chain, batches, batch)) for name, work, chain in contenders],
            runs,
            "events/s",
        )
        plain, chained, keyed, _ = series
        ratios = [Bar(chained.ratio(plain), 0.5, at_most=False), Bar(keyed.ratio(plain), 0.5, at_most=False)]
        backend = make_url(place).get_backend_name()
        return Report(
            f"Chained audit rows in {backend}", series, ratios, [f"batches of {batch:,}, {batches} in a turn"]
        )


def _turn(url: str, work: Any, chaining: Chaining | None, batches: int, batch: int) -> Callable[[], float]:
    return lambda: asyncio.run(_in_a_table(url, work, chaining, batches, batch))


async def _in_a_table(url: str, work: Any, chaining: Chaining | None, batches: int, batch: int) -> float:
    """Do the work in a table of its own."""
    table = f"bench_{uuid.uuid4().hex[:12]}"
    backend = make_url(url).get_backend_name()
    sink_class: Any = registry.resolve("mysql" if backend == "mariadb" else backend)
    config = sink_class.Config(url=url, table=table, provision=True)
    sink = sink_class(config, SinkContext(chaining=chaining))
    await sink.open()
    try:
        return float(await work(sink, batches, batch))
    finally:
        await sink.close()
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            for suffix in ("", "_chain", "_chain_gone", "_chain_ids", "_chain_closed"):
                await connection.execute(text(f"DROP TABLE IF EXISTS {table}{suffix}"))
        await engine.dispose()


async def _write(sink: SqlSink, batches: int, batch: int) -> float:
    made = [_events(batch) for _ in range(batches)]
    began = time.perf_counter()
    for events in made:
        await sink.write(events)
    return batches * batch / (time.perf_counter() - began)


async def _verify(sink: SqlSink, batches: int, batch: int) -> float:
    await _write(sink, batches, batch)
    began = time.perf_counter()
    async for finding in sink.verify(Tally()):
        raise AssertionError(finding)
    return batches * batch / (time.perf_counter() - began)


def _events(count: int) -> list[Event]:
    return [
        Event(
            new_event_id(),
            time.time_ns(),
            Kind.AUDIT,
            "info",
            "fund.transfer",
            "bench",
            "bench",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "00f067aa0ba902b7",
            {"user_id": str(number % 1000), "status": "success", "amount": number * 1.25, "to": "account-17"},
            300,
        )
        for number in range(count)
    ]


def main(
    url: Annotated[str | None, typer.Argument(help="A database; a SQLite file by default.")] = None,
    batches: int = 20,
    runs: int = 5,
) -> None:
    """Measure what chained audit rows cost."""
    console = Console()
    console.print("  ".join(f"{key} {value}" for key, value in environment().items()), highlight=False)
    measure(url=url, batches=batches, runs=runs).show(console)


if __name__ == "__main__":
    typer.run(main)
