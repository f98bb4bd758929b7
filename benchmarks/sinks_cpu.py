"""What an event costs the process that writes it, by sink: processor time, beside the bare driver's.

Batches of 1,000 tracing events go into an empty place of the store, in turns: by ``sink.write``, from events;
and by the driver's own bulk call, from rows, documents or lines that were made before the clock started.
What counts is the processor time of this process, in all its threads; the server's is its own. The sink of a
server is measured where the environment names one; SQLite and files always are.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from logweir.benchmarks.measure import Report, take_turns
from logweir.benchmarks.sinks_bare import BARE
from logweir.benchmarks.writing import in_batches, order_events, write_all
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkContext
from logweir.sinks.threaded import as_async

__all__ = ["measure"]

Options = dict[str, Any]

#: Of each server: the variable that names it, and the options of its sink for a run of this name.
_SERVERS: Mapping[str, tuple[str, Callable[[str, str], Options]]] = {
    "PostgreSQL": (
        "LOGWEIR_BENCH_POSTGRESQL_URL",
        lambda url, name: {"type": "postgresql", "url": url, "table": name, "provision": True},
    ),
    "MySQL": (
        "LOGWEIR_BENCH_MYSQL_URL",
        lambda url, name: {"type": "mysql", "url": url, "table": name, "provision": True},
    ),
    "Loki, protobuf": (
        "LOGWEIR_BENCH_LOKI_URL",
        lambda url, name: {"type": "loki", "url": url, "static_labels": {"job": name}},
    ),
    "Loki, JSON": (
        "LOGWEIR_BENCH_LOKI_URL",
        lambda url, name: {"type": "loki", "url": url, "static_labels": {"job": name}, "encoding": "json"},
    ),
    "VictoriaLogs": (
        "LOGWEIR_BENCH_VICTORIALOGS_URL",
        lambda url, name: {"type": "victorialogs", "url": url, "static_fields": {"job": name}},
    ),
    "Elasticsearch, gzip": (
        "LOGWEIR_BENCH_ELASTICSEARCH_URL",
        lambda url, name: _elasticsearch(url, name, compress=True),
    ),
    "Elasticsearch, plain": (
        "LOGWEIR_BENCH_ELASTICSEARCH_URL",
        lambda url, name: _elasticsearch(url, name, compress=False),
    ),
    "MongoDB, motor": (
        "LOGWEIR_BENCH_MONGODB_URL",
        lambda url, name: _mongodb(url, name, driver="motor"),
    ),
    "MongoDB, PyMongo": (
        "LOGWEIR_BENCH_MONGODB_URL",
        lambda url, name: _mongodb(url, name, driver="pymongo"),
    ),
}


def measure(*, events: int = 20_000, runs: int = 7, only: tuple[str, ...] = ("",)) -> Report:
    """Measure each sink beside its driver.

    Args:
        events: In each run.
        runs: Of each contender.
        only: Measure the sinks whose names begin with one of these.
    """
    report = Report(f"Processor time of an event in the process that writes it; {events:,} events a run")
    for name in (*_SERVERS, "SQLite", "file"):
        if name.startswith(only) and _is_there(name):
            _compare(report, name, events, runs)
    return report


def _is_there(name: str) -> bool:
    return name not in _SERVERS or _SERVERS[name][0] in os.environ


def _compare(report: Report, name: str, events: int, runs: int) -> None:
    sink, bare = take_turns(
        [
            (f"{name}: the sink", lambda: asyncio.run(_run(name, events, bare=False))),
            (f"{name}: the driver", lambda: asyncio.run(_run(name, events, bare=True))),
        ],
        runs,
        "µs/event",
    )
    report.series += [sink, bare, sink.ratio(bare)]


async def _run(name: str, count: int, *, bare: bool) -> float:
    with _options(name) as options:
        sink = _make(options)
        await sink.open()  # the place is there for the driver, too
        batches: list[Any] = in_batches(order_events(count, varied=True))
        try:
            if bare:
                driver = BARE[options["type"]]
                batches = [driver.prepare(sink, batch) for batch in batches]
                async with driver.connected(sink) as write:
                    return (await write_all(write, batches, 1)).cpu / count * 1e6
            return (await write_all(sink.write, batches, 1)).cpu / count * 1e6
        finally:
            await BARE[options["type"]].remove(sink)
            await sink.close()


def _make(options: Options) -> Sink[Any]:
    kind: Any = registry.resolve(options["type"])
    return as_async(kind(kind.Config.model_validate(options), SinkContext()))


@contextmanager
def _options(name: str) -> Iterator[Options]:
    place = f"bench_{uuid4().hex[:12]}"
    if name in _SERVERS:
        variable, options_of = _SERVERS[name]
        yield options_of(os.environ[variable], place)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / place
        if name == "file":
            yield {"type": "file", "path": f"{path}.jsonl"}
        else:
            yield {
                "type": "sqlite",
                "url": f"sqlite+aiosqlite:///{path}.db",
                "table": place,
                "provision": True,
            }


def _elasticsearch(url: str, name: str, *, compress: bool) -> Options:
    index = {"index": name.replace("_", "-"), "layout": "daily", "provision": True, "replicas": 0}
    return {"type": "elasticsearch", "url": url, "compress": compress, "retry": {"timeout": 120}, **index}


def _mongodb(url: str, name: str, *, driver: str) -> Options:
    place = {"database": "logweir_bench", "collection": name, "provision": True, "retry": {"timeout": 60}}
    return {"type": "mongodb", "url": url, "driver": driver, **place}
