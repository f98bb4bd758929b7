"""What goes over Redis, beside the bare client in the same run.

Forwarding: the forwarder's writes of batches of events (encoding included), and a loop of pipelined XADDs of
the same bytes into as many streams. Delivering: the channel of a worker process into a sink that does
nothing, and a loop of XREADGROUP, XACK and XDEL over the same streams. Each run has streams of its own. What
is delivered is timed from the first batch on, for a start is not what a loop costs. Both run in one process,
whose garbage is collected as that of `logweir worker` is.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from logweir.benchmarks.measure import Bar, Report, take_turns
from logweir.benchmarks.writing import order_events
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.brokers.contract import Message, partition_of
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.delivery.channel import Channel
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.forwarder import Forwarder
from logweir.delivery.queues.broker import BrokerQueue
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.worker import Clock
from logweir.encoding.events import encode_event
from logweir.process.garbage import keep_what_is_there
from logweir.runtime.from_broker import channel_from_broker
from logweir.runtime.pipeline import Surroundings

__all__ = [
    "BATCH",
    "DELIVERING",
    "ENVIRONMENT_VARIABLE",
    "FORWARDING",
    "PARTITIONS",
    "Load",
    "Run",
    "compare",
    "deliver",
    "fill",
    "forward",
    "measure",
    "server_of",
]

#: Names the server to measure.
ENVIRONMENT_VARIABLE = "LOGWEIR_BENCH_REDIS_URL"

_DEFAULT_URL = "redis://127.0.0.1:6379/0"
BATCH = 500
PARTITIONS = 8
FORWARDING, DELIVERING = 0.9, 0.7


def measure(*, events: int = 20_000, runs: int = 5, url: str | None = None) -> Report:
    """Measure all contenders in one run.

    Args:
        events: In each run.
        runs: Of each contender.
        url: The server; by default the one that the environment names.
    """
    import_module("logweir.delivery.brokers.redis")  # here, and not in the middle of a run
    address = url or os.environ.get(ENVIRONMENT_VARIABLE, _DEFAULT_URL)
    report = Report(f"Redis: batches of {BATCH:,} over {PARTITIONS} streams, {events:,} events a run")

    def configure() -> RoutingConfig:
        return _config(address)

    load = Load(configure, events, runs, _remove)
    compare(report, "forwarder", forward, "XADD in pipelines", _bare_xadd, FORWARDING, load)
    compare(report, "worker, null sink", deliver, "XREADGROUP, XACK, XDEL", _bare_read, DELIVERING, load)
    report.notes.append(asyncio.run(server_of(configure())))
    report.notes.append("What a confirmation means is the server's setting, the same for both.")
    return report


Run = Callable[[RoutingConfig, int], Awaitable[float]]


class Load(NamedTuple):
    """What all contenders do.

    Attributes:
        configure: Makes the configuration of one run.
        events: How many a run has.
        runs: How many runs.
        remove: Removes what a run left in the broker.
    """

    configure: Callable[[], RoutingConfig]
    events: int
    runs: int
    remove: Callable[[RoutingConfig], Awaitable[None]]


def compare(
    report: Report,
    name: str,
    run: Run,
    bare: str,
    run_bare: Run,
    bar: float,
    load: Load,
) -> None:
    """Add two contenders to a report, which take turns.

    Args:
        report: Where to.
        name: What we are called.
        run: One run of ours; returns its seconds.
        bare: What the bare client is called.
        run_bare: One run of it.
        bar: The ratio to reach.
        load: What both do.
    """
    series = take_turns(
        [(name, lambda: _rate(run, load)), (bare, lambda: _rate(run_bare, load))],
        load.runs,
        "events/s",
    )
    report.series += series
    report.bars.append(Bar(series[0].ratio(series[1]), bar, at_most=False))


def _rate(run: Run, load: Load) -> float:
    config = load.configure()

    async def measured() -> float:
        seconds = await run(config, load.events)
        await load.remove(config)
        return load.events / seconds

    return asyncio.run(measured())


def _config(url: str) -> RoutingConfig:
    queue = {"type": "redis", "url": url, "partitions": PARTITIONS, "stream": f"bench-{uuid4().hex}"}
    sink = {"type": "null", "queue": queue, "batch": {"max_events": BATCH, "linger": 0}}
    routes = [{"name": "all", "to": ["out"]}]
    return load_config({"sinks": {"out": sink}, "routes": routes, "data_dir": tempfile.mkdtemp()})


def _forwarder(config: RoutingConfig) -> Forwarder:
    sink = config.sinks["out"]
    return Forwarder(sink, make_broker(sink.queue, place_of(sink.type, context_of("out", config))))


async def forward(config: RoutingConfig, events: int) -> float:
    """Write batches into a forwarder; returns the seconds."""
    forwarder = _forwarder(config)
    await forwarder.open()
    load = order_events(events)
    started = time.perf_counter()
    for first in range(0, events, BATCH):
        await forwarder.write(load[first : first + BATCH])
    spent = time.perf_counter() - started
    await forwarder.close()
    return spent


async def _bare_xadd(config: RoutingConfig, events: int) -> float:
    client = _client(config)
    await client.ping()
    load = [(event.trace_id or event.id, encode_event(event)) for event in order_events(events)]
    streams = _streams(config)
    started = time.perf_counter()
    for first in range(0, events, BATCH):
        pipeline = client.pipeline(transaction=False)
        for key, body in load[first : first + BATCH]:
            pipeline.xadd(streams[partition_of(key, PARTITIONS)], {"v": 1, "e": body})
        await pipeline.execute()
    spent = time.perf_counter() - started
    await client.aclose()
    return spent


async def deliver(config: RoutingConfig, events: int) -> float:
    """Deliver by the channel of a worker process; returns the seconds, all batches as the later."""
    await fill(config, events)
    keep_what_is_there()
    loop = asyncio.get_running_loop()

    def wake(callback: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(callback)

    around = Surroundings(wake, OpenReceipts(), Clock())
    channel = channel_from_broker("out", config, around, DeadLetters(Path(config.data_dir)))
    channel.start()
    while not channel.counters.stored:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    first, started = channel.counters.stored, time.perf_counter()
    await _until_settled(channel, events)
    spent = time.perf_counter() - started
    await channel.finish(10)
    return spent * events / max(1, events - first)


async def _until_settled(channel: Channel, events: int) -> None:
    queue = channel.queue
    while channel.counters.stored < events or (isinstance(queue, BrokerQueue) and queue.unsettled):  # noqa: ASYNC110
        await asyncio.sleep(0.002)


async def _bare_read(config: RoutingConfig, events: int) -> float:
    await fill(config, events)
    client = _client(config)
    streams = _streams(config)
    await client.ping()
    asked = dict.fromkeys(streams, ">")
    left, first, started = events, 0, 0.0
    while left:
        found = await client.xreadgroup("logweir", "bare", asked, count=BATCH // PARTITIONS)
        pipeline = client.pipeline(transaction=False)
        for stream, entries in found:
            ids = [position for position, _ in entries]
            pipeline.xack(stream, "logweir", *ids)
            pipeline.xdel(stream, *ids)
            left -= len(ids)
        await pipeline.execute()
        if not started:
            first, started = events - left, time.perf_counter()
    spent = time.perf_counter() - started
    await client.aclose()
    return spent * events / max(1, events - first)


async def fill(config: RoutingConfig, events: int) -> None:
    """Publish what is to be delivered."""
    sink = config.sinks["out"]
    broker = make_broker(sink.queue, place_of(sink.type, context_of("out", config)))
    await broker.open()
    load = order_events(events)
    for first in range(0, events, BATCH):
        part = load[first : first + BATCH]
        await broker.publish([Message(event.trace_id or event.id, encode_event(event)) for event in part])
    await broker.close()


def _streams(config: RoutingConfig) -> list[str]:
    name = config.sinks["out"].queue.stream
    return [f"{{{name}:{number}}}" for number in range(PARTITIONS)]


def _client(config: RoutingConfig) -> Any:
    from redis.asyncio import Redis  # noqa: PLC0415 - only who measures it needs the client

    return Redis.from_url(config.sinks["out"].queue.url or "", protocol=2, driver_info=None)


async def _remove(config: RoutingConfig) -> None:
    client = _client(config)
    await client.delete(*_streams(config))
    await client.aclose()


async def server_of(config: RoutingConfig) -> str:
    """What answered, and what its confirmation means."""
    forwarder = _forwarder(config)
    health = await forwarder.check()
    return f"The server that answered: {health.server}; {health.detail}."
