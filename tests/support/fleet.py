"""A fleet on one host: an application, a broker, and ``logweir worker`` processes of which some are killed."""

import asyncio
import json
import sqlite3
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from redis import Redis

from logweir.cli.metrics_client import look
from logweir.config.loading import load_config
from logweir.config.sinks import context_of
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.sinks.mongodb.config import DEFAULT_DATABASE
from servers import machine
from support import durable, kafka, raw_stores, sql, victorialogs
from support.elastic import Elastic
from support.elsewhere import said, start_worker, terminate

__all__ = ["BROKERS", "STORES", "Host", "Over", "a_store", "hosted", "numbers_in", "resident", "routing"]

PARTITIONS = 8
#: Beside SQLite, which needs no server.
STORES = ("mysql", "postgresql", "mongodb", "elasticsearch", "victorialogs")


class Over(ABC):
    """How a test sees one kind of broker."""

    name: str

    @abstractmethod
    def queue(self, url: str) -> dict[str, Any]:
        """A queue over it that has nothing in it."""

    @abstractmethod
    def bodies(self, config: dict[str, Any]) -> list[list[bytes]]:
        """The events in each partition, in its order."""

    def numbers(self, config: dict[str, Any]) -> list[list[int]]:
        """The numbers of the events in each partition, in its order."""
        return [[json.loads(body)["fields"]["number"] for body in part] for part in self.bodies(config)]

    def waiting(self, config: dict[str, Any]) -> int:
        """How many events are not settled."""
        return sum(state.lag + state.pending for state in self._ask(config, "states"))

    def have_joined(self, config: dict[str, Any], number: int) -> bool:
        """Whether so many workers share the partitions."""
        return len(self._ask(config, "consumers")) == number

    def _ask(self, config: dict[str, Any], question: str) -> list[Any]:
        settings = load_config(config)
        sink = settings.sinks["store"]

        async def ask() -> list[Any]:
            broker = make_broker(sink.queue, place_of(sink.type, context_of("store", settings)))
            try:
                await broker.open()
                return await getattr(broker, question)()  # type: ignore[no-any-return]
            finally:
                await broker.close()

        return asyncio.run(ask())


class _OverRedis(Over):
    name = "redis"

    def queue(self, url: str) -> dict[str, Any]:
        return {"type": "redis", "url": url, "claim_after": 1.0, "stream": f"fleet-{uuid4().hex}"}

    def bodies(self, config: dict[str, Any]) -> list[list[bytes]]:
        with self._client(config) as client:
            return [[fields[b"e"] for _, fields in client.xrange(name)] for name in self._streams(config)]

    def have_joined(self, config: dict[str, Any], number: int) -> bool:
        return True  # each takes from all, and is known from its first entry on

    def waiting(self, config: dict[str, Any]) -> int:
        with self._client(config) as client:  # what is settled is not there
            return sum(client.xlen(name) for name in self._streams(config))

    @staticmethod
    def _client(config: dict[str, Any]) -> Redis:
        return Redis.from_url(config["sinks"]["store"]["queue"]["url"])

    @staticmethod
    def _streams(config: dict[str, Any]) -> list[str]:
        stream = config["sinks"]["store"]["queue"]["stream"]
        return [f"{{{stream}:{number}}}" for number in range(PARTITIONS)]


class _OverKafka(Over):
    name = "kafka"

    def queue(self, url: str) -> dict[str, Any]:
        over = {"type": "kafka", "brokers": kafka.brokers(url), "replication": 1, "claim_after": 3.0}
        return {**over, "topic": f"fleet-{uuid4().hex}"}

    def bodies(self, config: dict[str, Any]) -> list[list[bytes]]:
        queue = config["sinks"]["store"]["queue"]
        found = kafka.run(kafka.records(f"kafka://{queue['brokers'][0]}", queue["topic"]), 600)
        return [[r.value for r in found if r.partition == number] for number in range(PARTITIONS)]


BROKERS: dict[str, Over] = {each.name: each for each in (_OverRedis(), _OverKafka())}


def routing(folder: Path, queue: dict[str, Any], store: dict[str, Any] | None = None) -> dict[str, Any]:
    """A routing.yaml whose one sink is behind a broker; written for ``logweir worker`` too."""
    sink = store or {"type": "sqlite", "url": f"sqlite+aiosqlite:///{folder}/audit.db", "provision": True}
    sink |= {
        "queue": {**queue, "partitions": PARTITIONS},
        "batch": {"linger": "10ms"},
        "retry": {"initial": "20ms", "max": "300ms", "timeout": "5s"},
    }
    config = {
        "service": "fleet",
        "data_dir": str(folder / "data"),
        "audit": {"timeout": "60s"},
        "drain_timeout": "30s",
        "sinks": {"store": sink},
        "routes": [{"name": "all", "to": ["store"]}],
    }
    (folder / "routing.yaml").write_text(json.dumps(config))
    return config


@contextmanager
def a_store(store: str, url: str, folder: Path) -> Iterator[tuple[dict[str, Any], Callable[[], list[str]]]]:
    """A sink into a store that has nothing in it, and what asks for the ids that are there, as often as they are."""
    name = f"fleet_{uuid4().hex[:12]}"
    own: dict[str, Any] = {"type": store, "url": url, "provision": True}
    if store == "sqlite":
        yield own | {"url": f"sqlite+aiosqlite:///{folder}/audit.db"}, lambda: durable.stored(folder)
    elif store == "mongodb":
        found = partial(raw_stores.in_mongodb, url, DEFAULT_DATABASE, name)
        yield own | {"collection": name}, lambda: [each.id for each in found()]
        raw_stores.forget_mongodb(url, DEFAULT_DATABASE, name)
    elif store == "elasticsearch":
        elastic = Elastic(url, name)
        yield own | {"index": name}, elastic.ids
        elastic.remove()
    elif store == "victorialogs":  # which keeps again what is sent again
        keys = {"type": "loki", "url": victorialogs.push_url(url), "static_labels": {"job": name}}
        yield keys, lambda: [each.id for each in raw_stores.in_victorialogs(url, name)]
    else:
        rows = partial(sql.run, url, f"SELECT id FROM {name}")
        yield own | {"table": name}, lambda: [str(row[0]) for row in asyncio.run(rows())]
        asyncio.run(sql.run(url, f"DROP TABLE IF EXISTS {name}"))


def numbers_in(folder: Path) -> list[int]:
    """The numbers of the events in the store."""
    with closing(sqlite3.connect(folder / "audit.db")) as database:
        rows = database.execute("SELECT json_extract(extra_info, '$.number') FROM audit_log").fetchall()
    return [number for (number,) in rows]


def resident(pid: int) -> int:
    """The memory of a process, in bytes."""
    return int(psutil.Process(pid).memory_info().rss)


@dataclass
class Host:
    """Worker processes, by the ports of their metrics."""

    folder: Path
    workers: dict[int, subprocess.Popen[str]] = field(default_factory=dict)

    def add(self, *, anew: bool = False) -> int:
        """Start one more, as ``start_worker`` does."""
        port = machine.free_port()
        self.workers[port] = start_worker(self.folder, "--metrics-port", str(port), anew=anew)
        return port

    def stored(self) -> dict[int, int]:
        """How many events each has stored."""
        return {
            port: int(look(f"http://127.0.0.1:{port}/metrics").values["events_stored_total", "store", ""])
            for port in self.workers
        }

    def kill(self, port: int) -> None:
        """Kill one."""
        process = self.workers.pop(port)
        process.kill()
        process.wait(30)

    def end(self, port: int) -> None:
        """Let one end by itself."""
        assert terminate(self.workers.pop(port)) == 0, said(self.folder)


@contextmanager
def hosted(folder: Path) -> Iterator[Host]:
    """A host, none of whose workers outlives the test."""
    made = Host(folder)
    try:
        yield made
    finally:
        for port in list(made.workers):
            made.kill(port)
