"""``queue: {type: redis, deliver: elsewhere}``: the application only appends, a worker of its host forwards."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from logweir.config.loading import load_config
from logweir.errors import ConfigError
from logweir.runtime.worker_process import WorkerProcess
from logweir.runtime.worker_sinks import Share, sinks_to_deliver
from servers import Server
from support.elsewhere import kill, said, start_worker
from support.waiting import eventually

APPLICATION = """
import sys
import logweir
with logweir.running("routing.yaml"):
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        logweir.audit_sync(f"action.{number:03}", user_id=7)
    assert logweir.flush(30)
    print(*{"redis", "aiosqlite"} & set(sys.modules))
"""


def configure(folder: Path, url: str, **queue: Any) -> dict[str, Any]:
    config = {
        "service": f"shop-{time.time_ns()}",
        "data_dir": "data",
        "sinks": {
            "store": {
                "type": "sqlite",
                "url": "sqlite+aiosqlite:///store.db",
                "provision": True,
                "queue": {"type": "redis", "url": url, "partitions": 2, "claim_after": "1s",
                          "deliver": "elsewhere", **queue},
                "batch": {"linger": 0},
                "retry": {"max": "100ms", "timeout": "5s"},
            }
        },
        "routes": [{"name": "all", "to": ["store"]}],
    }  # fmt: skip
    (folder / "routing.yaml").write_text(json.dumps(config))
    return config


def application(folder: Path, first: int, last: int) -> str:
    """Log some events in a process of its own; says which drivers and clients it had imported."""
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION, str(first), str(last)],
        cwd=folder, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def stored(folder: Path) -> list[str]:
    database = sqlite3.connect(folder / "store.db", timeout=10)
    with contextlib.closing(database), contextlib.suppress(sqlite3.OperationalError):
        return sorted(name for (name,) in database.execute("SELECT action FROM audit_log"))
    return []


def test_a_worker_of_the_host_forwards_and_a_worker_anywhere_delivers(tmp_path: Path, redis: Server) -> None:
    configure(tmp_path, redis.url)
    assert application(tmp_path, 0, 100) == "", "the application has a client of the broker, or the driver"
    forwarder = start_worker(tmp_path, "--forward", begins="forwards for")
    deliverer = start_worker(tmp_path)
    try:
        assert application(tmp_path, 100, 200) == ""
        expected = [f"action.{number:03}" for number in range(200)]
        eventually(lambda: stored(tmp_path) == expected, 60, found=lambda: (stored(tmp_path), said(tmp_path)))
        kill(forwarder)
        application(tmp_path, 200, 300)
        forwarder = start_worker(tmp_path, "--forward", "--sink", "store", begins="forwards for")
        expected = [f"action.{number:03}" for number in range(300)]
        eventually(lambda: stored(tmp_path) == expected, 60, found=lambda: (stored(tmp_path), said(tmp_path)))
    finally:
        for process in (forwarder, deliverer):
            process.terminate()
        ends = [process.wait(60) for process in (forwarder, deliverer)]
    assert ends == [0, 0], said(tmp_path)
    assert not list((tmp_path / "data" / "queues").glob("*.db")), "what was forwarded is still on the disk"


def test_a_forwarder_waits_for_a_broker_that_is_away(tmp_path: Path) -> None:
    config = configure(tmp_path, "redis://127.0.0.1:9")
    config["data_dir"] = str(tmp_path / "data")
    application(tmp_path, 0, 10)
    process = WorkerProcess(load_config(config), forward=True)
    process.start()
    try:
        eventually(lambda: process.metrics().sinks.get("store"))
        eventually(lambda: "Redis" in process.metrics().sinks["store"].last_error)
    finally:
        process.stop(0.1)
    assert list((tmp_path / "data" / "queues").glob("*.db"))


def test_which_sinks_are_forwarded_and_which_are_delivered() -> None:
    broker = {"type": "redis", "url": "redis://h"}
    queues = {
        "a": broker,
        "b": {**broker, "deliver": "elsewhere"},
        "c": {"type": "disk", "deliver": "elsewhere"},
    }
    sinks = {name: {"type": "null", "queue": queue} for name, queue in queues.items()}
    config = load_config({"sinks": sinks, "routes": [{"name": "all", "to": ["a"]}]})
    assert sinks_to_deliver(config) == ["a", "b", "c"]
    assert sinks_to_deliver(config, forward=True) == ["b"]
    assert sinks_to_deliver(config, (), Share(1, 2), forward=True) == []
    with pytest.raises(ConfigError, match="sink 'a' is not forwarded by a worker"):
        sinks_to_deliver(config, ["a"], forward=True)
    del sinks["b"]
    with pytest.raises(ConfigError, match="no sink is forwarded by a worker"):
        sinks_to_deliver(
            load_config({"sinks": sinks, "routes": [{"name": "all", "to": ["a"]}]}), forward=True
        )


@pytest.mark.parametrize("local", ["memory", "none"])
def test_events_that_another_process_forwards_go_over_the_disk(local: str, tmp_path: Path) -> None:
    config = configure(tmp_path, "redis://h", local=local)
    with pytest.raises(ConfigError, match=f"remove it, or local: {local}"):
        load_config(config)
