"""The brokers of the benchmark: where one is, what stands before it, and what a run leaves there.

Redis is reached by any relay. Kafka says itself where its clients shall connect: it has to have a listener
that sends them to the port where the relay will be (:data:`VIA`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["BROKERS", "VIA", "address", "at", "clean", "is_relayed", "queue", "relay_port"]

#: In the order of their turns.
BROKERS = ("redis", "kafka")
#: Names a listener of Kafka and the port to which it sends its clients, ``PORT:ADVERTISED``, on this host.
VIA = "LOGWEIR_BENCH_KAFKA_VIA"
_Queue = Mapping[str, Any]


def queue(broker: str, url: str, name: str) -> dict[str, Any]:
    """The queue of a sink behind a broker that has nothing else of this name."""
    if broker == "redis":
        return {"type": "redis", "url": url, "stream": name}
    brokers = [url.rpartition("/")[2]]
    return {"type": "kafka", "brokers": brokers, "topic": name, "replication": 1}


def is_relayed(broker: str) -> bool:
    """Whether a relay can stand before a broker."""
    return broker != "kafka" or VIA in os.environ


def relay_port(queue: _Queue) -> int:
    """The port where a relay has to be; 0 for any."""
    return int(os.environ[VIA].partition(":")[2]) if queue["type"] == "kafka" else 0


def address(queue: _Queue) -> tuple[str, int]:
    """Host and port of what a relay passes on to."""
    if queue["type"] == "kafka":
        return "127.0.0.1", int(os.environ[VIA].partition(":")[0])
    parts = urlsplit(str(queue["url"]))
    return parts.hostname or "127.0.0.1", parts.port or 6379


def at(queue: _Queue, port: int) -> dict[str, Any]:
    """The same queue with a relay on this port instead of the broker."""
    if queue["type"] == "kafka":
        return {**queue, "brokers": [f"127.0.0.1:{port}"]}
    parts = urlsplit(str(queue["url"]))
    login, found, _ = parts.netloc.rpartition("@")
    return {**queue, "url": parts._replace(netloc=f"{login}{found}127.0.0.1:{port}").geturl()}


def clean(queue: _Queue) -> None:
    """Remove what a run left in its broker, which is alive."""
    asyncio.run(_clean_kafka(queue) if queue["type"] == "kafka" else _clean_redis(queue))


async def _clean_redis(queue: _Queue) -> None:
    from redis.asyncio import Redis  # noqa: PLC0415 - only who measures it needs the client

    async with Redis.from_url(queue["url"], protocol=2, driver_info=None) as client:
        if names := [name async for name in client.scan_iter(match=f"*{queue['stream']}*")]:
            await client.unlink(*names)


async def _clean_kafka(queue: _Queue) -> None:
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - as above

    client = AIOKafkaAdminClient(bootstrap_servers=queue["brokers"])
    try:
        await client.start()
        await client.delete_topics([queue["topic"], f"{queue['topic']}.dead"])
    finally:
        await client.close()
