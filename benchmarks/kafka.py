"""What goes over Apache Kafka, beside the bare client (aiokafka) in the same run.

Forwarding: the forwarder's writes of batches of events (encoding included), and a loop of send() of the same
bytes to an idempotent producer with acks=all, which waits for each batch of as many. Delivering: the channel
of a worker process into a sink that does nothing, and a loop of getmany() and commit() over the same topic.
Each run has a topic of its own, which is deleted when it ends. What is delivered is timed from the first
batch on, as over Redis.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from importlib import import_module
from typing import Any
from uuid import uuid4

from logweir.benchmarks.broker import (
    BATCH,
    DELIVERING,
    FORWARDING,
    PARTITIONS,
    Load,
    compare,
    deliver,
    fill,
    forward,
    server_of,
)
from logweir.benchmarks.measure import Report
from logweir.benchmarks.writing import order_events
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.delivery.brokers.contract import partition_of
from logweir.encoding.events import encode_event

__all__ = ["ENVIRONMENT_VARIABLE", "measure"]

#: Names one of the brokers to measure, ``host:port``.
ENVIRONMENT_VARIABLE = "LOGWEIR_BENCH_KAFKA"

_DEFAULT = "127.0.0.1:9092"
_GROUP = "bare"


def measure(*, events: int = 20_000, runs: int = 5, url: str | None = None) -> Report:
    """Measure all contenders in one run.

    Args:
        events: In each run.
        runs: Of each contender.
        url: One of the brokers; by default the one that the environment names.
    """
    import_module("logweir.delivery.brokers.kafka")  # here, and not in the middle of a run
    address = (url or os.environ.get(ENVIRONMENT_VARIABLE, _DEFAULT)).rpartition("/")[2]
    report = Report(f"Kafka: batches of {BATCH:,} over {PARTITIONS} partitions, {events:,} events a run")

    def configure() -> RoutingConfig:
        return _config(address)

    load = Load(configure, events, runs, _remove)
    compare(report, "forwarder", forward, "aiokafka, send()", _bare_send, FORWARDING, load)
    compare(report, "worker, null sink", deliver, "getmany(), commit()", _bare_read, DELIVERING, load)
    report.notes.append(asyncio.run(server_of(configure())))
    report.notes.append("What a confirmation means is the server's setting, the same for both.")
    return report


def _config(address: str) -> RoutingConfig:
    queue = {"type": "kafka", "brokers": [address], "partitions": PARTITIONS, "replication": 1}
    queue |= {"topic": f"bench-{uuid4().hex}"}
    sink = {"type": "null", "queue": queue, "batch": {"max_events": BATCH, "linger": 0}}
    routes = [{"name": "all", "to": ["out"]}]
    return load_config({"sinks": {"out": sink}, "routes": routes, "data_dir": tempfile.mkdtemp()})


async def _bare_send(config: RoutingConfig, events: int) -> float:
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415 - only who measures it needs the client

    await fill(config, 0)
    topic = config.sinks["out"].queue.topic
    load = [(event.trace_id or event.id, encode_event(event)) for event in order_events(events)]
    producer = AIOKafkaProducer(bootstrap_servers=_brokers(config), enable_idempotence=True, acks="all")
    await producer.start()
    headers = [("v", b"1")]
    started = time.perf_counter()
    for first in range(0, events, BATCH):
        sent = [
            await producer.send(topic, body, key.encode(), partition_of(key, PARTITIONS), headers=headers)
            for key, body in load[first : first + BATCH]
        ]
        await asyncio.gather(*sent)
    spent = time.perf_counter() - started
    await producer.stop()
    return spent


async def _bare_read(config: RoutingConfig, events: int) -> float:
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415 - as above

    await fill(config, events)
    consumer = AIOKafkaConsumer(
        config.sinks["out"].queue.topic,
        bootstrap_servers=_brokers(config),
        group_id=f"{_GROUP}-{uuid4().hex}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    left, first, started = events, 0, 0.0
    while left:
        found = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
        left -= sum(map(len, found.values()))
        await consumer.commit()
        if found and not started:
            first, started = events - left, time.perf_counter()
    spent = time.perf_counter() - started
    await consumer.stop()
    return spent * events / max(1, events - first)


def _brokers(config: RoutingConfig) -> list[str]:
    return list(config.sinks["out"].queue.brokers or ())


async def _remove(config: RoutingConfig) -> None:
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - as above

    client: Any = AIOKafkaAdminClient(bootstrap_servers=_brokers(config))
    await client.start()
    await client.delete_topics([config.sinks["out"].queue.topic])
    await client.close()
