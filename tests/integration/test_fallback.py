"""A sink with a fallback in a whole runtime: full queues, reloads, worker processes, metrics and commands."""

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

import logweir
from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.runtime.runtime import Runtime
from logweir.runtime.worker_process import WorkerProcess
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import Health, HealthStatus, WriteResult
from servers import Server
from support import forked
from support.waiting import eventually


class Store(Sink[SinkConfig]):
    """Keeps names, unless it is down or hangs."""

    names: ClassVar[list[str]] = []
    down: ClassVar[bool] = False
    hangs: ClassVar[bool] = False
    opened: ClassVar[int] = 0

    async def open(self) -> None:
        if Store.down:
            raise SinkUnavailable("nobody listens")
        Store.opened += 1

    async def check(self) -> Health:
        return Health(HealthStatus.DOWN, "still away") if Store.down else Health(HealthStatus.OK)

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        if Store.hangs:
            await asyncio.Event().wait()
        if Store.down:
            raise SinkUnavailable("nobody listens")
        Store.names += [event.name for event in batch]
        return WriteResult.all_stored()


@pytest.fixture(autouse=True)
def _anew() -> None:
    Store.names, Store.down, Store.hangs, Store.opened = [], False, False, 0


def configured(folder: Path, **options: Any) -> dict[str, Any]:
    fallback = options.pop("fallback", {})
    return {
        "service": f"shop-{time.time_ns()}",
        "data_dir": str(folder / "data"),
        "sinks": {
            "store": {
                "type": f"{__name__}:Store",
                "batch": {"linger": "0ms"},
                "retry": {"initial": "5ms", "max": "20ms"},
                "fallback": {"to": "local", "after": "50ms", **fallback},
                **options,
            },
            "local": {
                "type": "sqlite",
                "url": f"sqlite+aiosqlite:///{folder}/local.db",
                "table": "audit_log",
                "provision": True,
            },
        },
        "routes": [{"name": "all", "to": "store"}],
    }


@contextmanager
def running(config: dict[str, Any]) -> Iterator[Runtime]:
    runtime = Runtime(load_config(config))
    runtime.start()
    try:
        yield runtime
    finally:
        runtime.stop()


def in_local(folder: Path) -> list[str]:
    if not (folder / "local.db").exists():
        return []
    with closing(sqlite3.connect(folder / "local.db")) as connection:
        try:
            return sorted(name for (name,) in connection.execute("SELECT action FROM audit_log"))
        except sqlite3.OperationalError:
            return []


def numbered(count: int, what: str = "e") -> list[str]:
    return [f"{what}{number:03}" for number in range(count)]


def emit(runtime: Runtime, names: Sequence[str]) -> None:
    for name in names:
        assert runtime.emit(name, {}) is not None


def test_a_queue_that_fills_up_does_not_wait_for_the_next_retry(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        fallback={"after": "1h", "queue": "50%"},
        queue={"type": "memory", "max_events": 100, "when_full": "drop_newest"},
        retry={"initial": "1h", "max": "1h"},
        batch={"linger": "0ms", "max_events": 1},
    )
    config["routes"][0]["match"] = {"kind": "tracing"}
    Store.down = True
    with running(config) as runtime:
        emit(runtime, numbered(20))
        eventually(lambda: runtime.metrics().sinks["store"].failures)
        assert runtime.metrics().sinks["store"].circuit.value == "closed"
        emit(runtime, numbered(60, "f"))
        assert runtime.flush(30)
        assert in_local(tmp_path) == [*numbered(20), *numbered(60, "f")]


def test_a_start_while_the_sink_is_down_waits_for_after_and_then_goes_round_it(tmp_path: Path) -> None:
    Store.down = True
    with running(configured(tmp_path)) as runtime:
        emit(runtime, numbered(10))
        assert runtime.flush(30)
        assert in_local(tmp_path) == numbered(10)
        Store.down = False
        eventually(lambda: runtime.metrics().sinks["store"].circuit.value == "half_open")
        emit(runtime, numbered(10, "f"))
        assert runtime.flush(30)
        assert Store.names == numbered(10, "f")
        assert Store.opened == 1


@pytest.mark.parametrize("what", ["the sink", "the fallback", "no fallback any more"])
def test_a_reload_while_the_circuit_is_open_loses_and_repeats_nothing(tmp_path: Path, what: str) -> None:
    config = configured(tmp_path, queue={"type": "disk"}, fallback={"return": True})
    Store.down = True
    with running(config) as runtime:
        emit(runtime, numbered(10))
        assert runtime.flush(30)
        emit(runtime, numbered(10, "f"))
        changed = json.loads(json.dumps(config))
        if what == "the sink":
            changed["sinks"]["store"]["workers"] = 2
        elif what == "the fallback":
            changed["sinks"]["local"]["batch"] = {"linger": "1ms"}
        else:
            del changed["sinks"]["store"]["fallback"]
        runtime.reload(changed)
        emit(runtime, numbered(10, "g"))
        Store.down = False
        assert runtime.flush(30)
        if what != "no fallback any more":
            eventually(lambda: not in_local(tmp_path))
        else:
            runtime.reload(config)  # named again, it gives back what it has
            eventually(lambda: not in_local(tmp_path))
        assert runtime.flush(30)
    expected = sorted([*numbered(10), *numbered(10, "f"), *numbered(10, "g")])
    assert sorted(set(Store.names)) == expected


def test_a_stop_while_both_are_down_keeps_everything_for_the_next_start(tmp_path: Path) -> None:
    config = configured(tmp_path, fallback={"return": True})
    (tmp_path / "file").touch()
    config["sinks"]["local"]["url"] = f"sqlite+aiosqlite:///{tmp_path}/file/local.db"
    config["drain_timeout"] = "200ms"
    Store.down = True
    with running(config) as runtime:
        emit(runtime, numbered(10))
        eventually(lambda: "fails too" in runtime.metrics().sinks["store"].last_error)
        assert runtime.stop()
    Store.down = False
    with running(config) as runtime:
        assert runtime.flush(30)
    assert sorted(Store.names) == numbered(10)


def test_a_sink_that_hangs_is_gone_round_and_a_stop_keeps_its_time(tmp_path: Path) -> None:
    config = configured(tmp_path, retry={"initial": "5ms", "max": "20ms", "timeout": "300ms"})
    Store.hangs = True
    with running(config) as runtime:
        emit(runtime, numbered(10))
        assert runtime.flush(30)
        assert in_local(tmp_path) == numbered(10)
        assert runtime.stop(5)


def test_a_worker_process_goes_round_a_sink_that_is_delivered_elsewhere(tmp_path: Path) -> None:
    config = configured(tmp_path, queue={"type": "disk", "deliver": "elsewhere"}, fallback={"return": True})
    Store.down = True
    with running(config) as runtime:
        for name in numbered(10):
            runtime.emit_audit(name, {}, acknowledge="durable").acknowledged_sync("durable", 30)
        _expect_outage_and_return(config, tmp_path)


def test_a_worker_process_goes_round_a_sink_behind_a_broker(tmp_path: Path, redis: Server) -> None:
    config = configured(
        tmp_path,
        queue={"type": "redis", "url": redis.url, "partitions": 2, "claim_after": "1s"},
        fallback={"return": True},
    )
    Store.down = True
    with running(config) as runtime:
        emit(runtime, numbered(10))
        assert runtime.flush(30)
        assert runtime.metrics().sinks["store"].circuit.value == "none"  # it forwards, and nothing else
        _expect_outage_and_return(config, tmp_path)


def _expect_outage_and_return(config: dict[str, Any], folder: Path) -> None:
    worker = WorkerProcess(load_config(config))
    worker.start()
    try:
        eventually(lambda: in_local(folder) == numbered(10), found=lambda: worker.metrics().sinks["store"])
        assert worker.metrics().sinks["store"].circuit.value == "open"
        Store.down = False
        eventually(lambda: sorted(Store.names) == numbered(10) and not in_local(folder))
    finally:
        worker.stop()


def test_the_circuit_shows_in_metrics_top_and_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = {**configured(tmp_path, fallback={"return": True}), "metrics": {"port": 0}}
    Store.down = True
    runtime = logweir.start(config, handle_signals=False)
    emit(runtime, numbered(3))
    assert runtime.flush(30)
    url = runtime.metrics_url
    assert url is not None
    eventually(lambda: runtime.metrics().sinks["store"].in_fallback == 3)
    shown = CliRunner().invoke(app, ["top", "--json", "--url", url, "--interval", "0.1"])
    store = next(row for row in map(json.loads, shown.stdout.splitlines()) if row["sink"] == "store")
    assert (store["circuit"], store["in_fallback"], store["state"]) == ("open", 3.0, "degraded")
    config["metrics"] = {"port": int(url.split(":")[2].split("/")[0])}
    Path("routing.yaml").write_text(json.dumps(config))
    checked = CliRunner().invoke(app, ["check", "--no-probe"], env={"COLUMNS": "200"})
    assert "the circuit of sink 'store' is open in the running process" in checked.output
    assert "3 events of sink 'store' may be in 'local', its fallback, and will return" in checked.output
    Store.down = False
    eventually(lambda: not in_local(tmp_path))
    eventually(lambda: runtime.metrics().sinks["store"].in_fallback == 0)
    checked = CliRunner().invoke(app, ["check", "--no-probe"], env={"COLUMNS": "200"})
    assert "circuit" not in checked.output
    assert "fallback" not in checked.output


def test_the_example_shows_an_outage_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    environment = {**os.environ, "COLUMNS": "200"}
    command = ["python", "-m", "logweir.examples.fallback"]
    done = forked.run(command, cwd=tmp_path, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "before the outage: the circuit is closed; the store has 3 events, the fallback 0",
        "during the outage: the circuit is open; the store has 3 events, the fallback 5",
        "after the outage: the circuit is closed; the store has 10 events, the fallback 0",
    ]


def test_a_wrong_fallback_ends_a_command_with_one_message_and_code_2(tmp_path: Path) -> None:
    config = configured(tmp_path, fallback={"to": "nowhere"})
    (tmp_path / "routing.yaml").write_text(json.dumps(config))
    checked = CliRunner().invoke(app, ["check", "-c", str(tmp_path / "routing.yaml")])
    assert checked.exit_code == 2
    assert checked.output.count("which is not declared") == 1
