"""A store behind a broker: its routing.yaml, a burst into it, and what is there at the end."""

import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import logweir
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.runtime.runtime import Runtime
from support.burst import Burst
from support.consumers import Consumers
from support.elsewhere import said, start_worker
from support.waiting import eventually

__all__ = [
    "actions",
    "audited_and_delivered",
    "before_nothing",
    "before_sqlite",
    "beside_an_outbox",
    "burst",
    "expect_all_once",
    "routing_behind",
    "soon_failing",
    "stands_still",
    "stored",
]


def routing_behind(queue: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A routing.yaml whose one sink is SQLite behind this queue."""
    store = {
        "type": "sqlite",
        "url": f"sqlite+aiosqlite:///{folder}/store.db",
        "provision": True,
        "queue": queue,
        "batch": {"max_events": 200, "linger": "10ms"},
        "retry": {"initial": "50ms", "max": "300ms", "timeout": "3s"},
    }
    return {
        "service": f"test-{time.time_ns()}",
        "data_dir": str(folder / "data"),
        "drain_timeout": "30s",
        "sinks": {"store": store},
        "routes": [{"name": "all", "to": ["store"]}],
    }


def soon_failing(config: dict[str, Any]) -> dict[str, Any]:
    """The same, where an attempt that nobody answers is a failure after a second."""
    config["sinks"]["store"]["retry"]["timeout"] = "1s"
    return config


@contextmanager
def burst(config: dict[str, Any], rate: int = 1000) -> Iterator[Burst]:
    """A burst into the broker; at the end all of it is there."""
    runtime = Runtime(RoutingConfig.model_validate(load_config(config)))
    runtime.start()
    try:
        with Burst(runtime, rate) as running:
            running.until_more_is_stored(200)
            yield running
        assert runtime.stop(60), running.metrics
        metrics = running.metrics
        assert metrics.stored + metrics.duplicate == metrics.accepted == running.sent, metrics
    finally:
        runtime.stop(1)


def stored(folder: Path) -> list[int]:
    """The numbers that are in the store."""
    with contextlib.closing(sqlite3.connect(folder / "store.db", timeout=10)) as database:
        try:
            rows = database.execute("SELECT json_extract(extra_info, '$.number') FROM audit_log").fetchall()
        except sqlite3.OperationalError:
            return []
    return sorted(number for (number,) in rows)


def stands_still(workers: Consumers, number: int, folder: Path) -> bool:
    """Stop a worker, unless it is in the middle of a transaction, of which nobody would be rid."""
    worker = workers.processes[number]
    worker.send_signal(signal.SIGSTOP)
    database = sqlite3.connect(folder / "store.db", timeout=1, isolation_level=None)
    with contextlib.closing(database):
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            worker.send_signal(signal.SIGCONT)
            return False
    return True


def expect_all_once(folder: Path, sent: int, workers: Consumers) -> None:
    """See that each number is in the store once, as soon as there are so many."""
    eventually(
        lambda: len(stored(folder)) >= sent,
        90,
        pause=0.1,
        found=lambda: (len(stored(folder)), sent, workers.log),
    )
    assert stored(folder) == list(range(sent))


def before_nothing(queue: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A routing.yaml whose one sink is behind this queue and is not there: only a worker would ask it."""
    store = {"type": "mysql", "url": "mysql+aiomysql://app:hush-hush-hush@127.0.0.1:9/app", "queue": queue}
    return {
        "service": f"shop-{time.time_ns()}",
        "data_dir": str(folder / "data"),
        "sinks": {"store": store | {"batch": {"linger": 0}, "retry": {"max": "100ms", "timeout": "1s"}}},
        "routes": [{"name": "all", "to": ["store"]}],
    }


def before_sqlite(queue: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same before SQLite; written for ``logweir worker`` too."""
    config = before_nothing(queue, folder)
    url = f"sqlite+aiosqlite:///{folder}/store.db"
    config["sinks"]["store"] |= {"type": "sqlite", "url": url, "provision": True}
    (folder / "routing.yaml").write_text(json.dumps(config))
    return config


def beside_an_outbox(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with a business database, ``bank``, that relays its audit rows to the sink behind the queue."""
    url = f"sqlite+aiosqlite:///{folder}/bank.db"
    bank = {"type": "sqlite", "url": url, "provision": True, "outbox": True}
    routes = [{"name": "audit", "match": {"kind": "audit"}, "to": ["bank", "store"]}]
    return {**config, "sinks": {**config["sinks"], "bank": bank}, "routes": routes}


def actions(folder: Path) -> list[str]:
    """The actions that are in the store, in order of their names."""
    with contextlib.closing(sqlite3.connect(folder / "store.db", timeout=10)) as database:
        try:
            return sorted(name for (name,) in database.execute("SELECT action FROM audit_log"))
        except sqlite3.OperationalError:
            return []


@contextmanager
def audited_and_delivered(config: dict[str, Any], folder: Path) -> Iterator[None]:
    """Audit, and see two processes ``logweir worker`` deliver all of it; they end well at the end."""
    workers = []
    try:
        workers += [start_worker(folder) for _ in range(2)]
        expected = [f"action.{number:03}" for number in range(300)]
        with logweir.running(config):
            for action in expected:
                logweir.audit_sync(action, user_id=7)
            assert logweir.flush(30)
        eventually(lambda: actions(folder) == expected, 60, found=lambda: (actions(folder), said(folder)))
        yield
    finally:
        for process in workers:
            process.terminate()
        ends = [process.wait(60) for process in workers]
    assert ends == [0, 0], said(folder)
