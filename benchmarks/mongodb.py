"""The MongoDB sink beside the same client's own ``insert_many`` of the same documents in a bare loop.

Each run writes batches of 1,000 into a collection of its own with the same indexes: once by the sink, from
events, and once by the bare client, from documents that were made before the clock started. One worker
and two, by either driver. What goes over the wire is counted by a relay between client and server; the
server that answered is named, since FerretDB's figures are not MongoDB's.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import bson

from logweir.benchmarks.measure import Report, Series
from logweir.benchmarks.writing import BATCH, compare, in_batches, named, order_events, write_all
from logweir.event import Event
from logweir.sinks.contract import SinkContext
from logweir.sinks.mongodb.client import close_client, make_client, write_concern
from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.encode import document_of
from logweir.sinks.mongodb.server import server_of
from logweir.sinks.mongodb.sink import MongoSink

__all__ = ["ENVIRONMENT_VARIABLE", "measure"]

#: Names the server to measure.
ENVIRONMENT_VARIABLE = "LOGWEIR_BENCH_MONGODB_URL"

_DEFAULT_URL = "mongodb://127.0.0.1:27017/"
_DATABASE = "logweir_bench"
_CHUNK = 2**16
_LEVEL = 6  # the driver's own default for zlib


def measure(*, events: int = 20_000, runs: int = 7, url: str | None = None) -> Report:
    """Measure all contenders in one run.

    Args:
        events: In each run.
        runs: Of each contender.
        url: The server; by default the one that the environment names.
    """
    address = url or os.environ.get(ENVIRONMENT_VARIABLE, _DEFAULT_URL)
    report = Report(f"MongoDB: batches of {BATCH:,}, {events:,} events a run")
    for driver in ("motor", "pymongo"):
        for workers in (1, 2):
            _compare(report, address, driver, workers, events, runs)
    report.series += _wire_series(address)
    name = asyncio.run(_server_name(address))
    report.notes.append(f"The server that answered: {name}. Both sides write with w: majority, j: true.")
    return report


def _compare(report: Report, url: str, driver: str, workers: int, events: int, runs: int) -> None:
    config = _config(url, driver=driver)
    who = f"{driver}, {named(workers)}"
    compare(
        report,
        (f"sink, {who}", lambda: _run_sink(config, workers, events)),
        (f"insert_many, {who}", lambda: _run_bare(config, workers, events)),
        runs,
    )


def _config(url: str, **options: Any) -> MongoConfig:
    return MongoConfig.model_validate(
        {"url": url, "database": _DATABASE, "provision": True, "retry": {"timeout": 60}, **options}
    )


async def _run_sink(config: MongoConfig, workers: int, count: int) -> float:
    config = config.model_copy(update={"collection": f"run_{uuid4().hex}"})
    sink = MongoSink(config, SinkContext(workers=workers))
    await sink.open()
    try:
        return count / (await write_all(sink.write, in_batches(order_events(count)), workers)).wall
    finally:
        await sink.close()
        await _drop(config)


async def _run_bare(config: MongoConfig, workers: int, count: int) -> float:
    config = config.model_copy(update={"collection": f"run_{uuid4().hex}"})
    sink = MongoSink(config)
    await sink.open()  # the same collection, the same indexes
    await sink.close()
    client = await make_client(config, SinkContext(workers=workers))
    collection = client[_DATABASE].get_collection(config.collection, write_concern=write_concern(config))
    try:
        await collection.find_one({})  # connected, as an open sink is
        documents = in_batches([document_of(event) for event in order_events(count)])
        spent = await write_all(
            lambda batch: collection.insert_many(batch, ordered=False), documents, workers
        )
        return count / spent.wall
    finally:
        await close_client(client)
        await _drop(config)


async def _drop(config: MongoConfig) -> None:
    client = await make_client(config, SinkContext())
    await client[_DATABASE].drop_collection(config.collection)
    await close_client(client)


async def _server_name(url: str) -> str:
    client = await make_client(_config(url), SinkContext())
    try:
        return (await server_of(client)).name
    finally:
        await close_client(client)


# -- bytes on the wire --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Relay:
    """Passes bytes on between client and server, and counts those that are sent."""

    url: str
    sent: int = 0
    _server: asyncio.Server | None = field(default=None)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> str:
        """Listen; return the url of the relay."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        parts = urlsplit(self.url)
        login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        place = f"{login}127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return urlunsplit(parts._replace(netloc=place))

    async def stop(self) -> None:
        """Let go of everything."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        parts = urlsplit(self.url)
        upstream = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            await asyncio.gather(self._pump(reader, upstream[1], count=True), self._pump(upstream[0], writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            upstream[1].close()
            writer.close()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, count: bool = False
    ) -> None:
        while data := await source.read(_CHUNK):
            self.sent += len(data) if count else 0
            target.write(data)
            await target.drain()
        target.close()


def _wire_series(url: str) -> list[Series]:
    events = order_events(BATCH)
    plain, negotiated = (
        asyncio.run(_bytes_sent(url, events, "")),
        asyncio.run(_bytes_sent(url, events, "zlib")),
    )
    documents = b"".join(bson.encode(document_of(event)) for event in events)
    computed = len(zlib.compress(documents, _LEVEL)) / len(events)
    return [
        Series("sent without compression", "bytes/event", [plain]),
        Series("sent with compressors=zlib in the url", "bytes/event", [negotiated]),
        Series("what zlib makes of the same documents", "bytes/event", [computed]),
    ]


async def _bytes_sent(url: str, events: Sequence[Event], compressors: str) -> float:
    relay = _Relay(url)
    through = await relay.start()
    if compressors:
        through += f"{'&' if '?' in through else '?'}compressors={compressors}"
    config = _config(through, driver="pymongo", collection=f"run_{uuid4().hex}")
    sink = MongoSink(config)
    try:
        await sink.open()
        await sink.write(order_events(1))
        before = relay.sent
        await sink.write(events)
        return (relay.sent - before) / len(events)
    finally:
        await sink.close()
        await relay.stop()
        await _drop(_config(url, collection=config.collection))
