"""D3: whatever a sink does to the loop of delivery, the others are served, and a stop comes to its end."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.config.loading import load_config
from logweir.errors import AuditError, LogweirError
from logweir.runtime import runtime as runtime_module
from logweir.runtime.pipeline import files_of_sinks
from logweir.sinks.memory import MemorySink
from support import hostile
from support.waiting import eventually

pytestmark = pytest.mark.busy
LONG = os.environ.get("LOGWEIR_SOAK") == "long"

FAST = {"initial": "1ms", "max": "5ms", "timeout": "5s"}


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    hostile.begin_anew()
    logweir.configure_structlog()
    yield
    hostile.go_on.set()


def config(kind: str, **options: Any) -> dict[str, Any]:
    """One sink that disturbs and one that does not, both for every event."""
    common = {"retry": FAST, "batch": {"linger": 0}}
    return {
        "sinks": {
            "bad": {"type": kind if kind == "memory" else f"support.hostile:{kind}", **common, **options},
            "good": {"type": "memory", **common},
        },
        "routes": [{"name": "all", "match": {}, "to": ["bad", "good"]}],
        "data_dir": "data",
    }


def stored(sink: str) -> set[str]:
    return {event.name for event in MemorySink.of(sink).events.values()}


@pytest.mark.parametrize(
    "kind",
    [
        "StopsTheLoop",
        "CancelsEverything",
        "CancelsItsWorker",
        "CancelsItsWorkerLater",
        "RaisesGeneratorExit",
        "ExitsInATask",
        "ExitsInACallback",
    ],
)
def test_d3_delivery_goes_on_after_a_sink_disturbed_its_loop(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "logweir"):
        runtime = logweir.start(config(kind))
        log = logweir.get_logger()
        log.info("first")
        assert hostile.begun.wait(20.0)
        log.info("second")
        eventually(
            lambda: stored("bad") == stored("good") == {"first", "second"},
            found=lambda: str(runtime.metrics()),
        )
        assert all(not task.is_over() for task in runtime._background)
        assert logweir.stop(timeout=5.0)
    assert [record for record in caplog.records if "sink" in record.getMessage()], "nothing was reported"


@pytest.mark.soak
@pytest.mark.parametrize(
    "kind", ["BlocksTheLoop", "Sleeps", "NeverCloses", "BlocksInClose", "SwallowsCancellation"]
)
def test_d3_a_stop_takes_no_more_than_a_second_longer_than_it_may(kind: str) -> None:
    logweir.start(config(kind, queue={"type": "disk"}))
    logweir.get_logger().info("first")
    if "Close" not in kind:
        assert hostile.begun.wait(20.0)
    else:
        eventually(lambda: stored("bad") == {"first"})
    seconds = 3.0 if LONG else 1.0
    before = time.monotonic()
    logweir.stop(timeout=seconds)
    assert time.monotonic() - before < seconds + 1.0


def in_sync_code(service: logweir.LogService) -> None:
    service.create_audit_log_sync(action="a")


def in_async_code(service: logweir.LogService) -> None:
    asyncio.run(service.create_audit_log(action="a"))


@pytest.mark.parametrize("create", [in_sync_code, in_async_code])
def test_d3_a_row_of_the_callers_own_waits_no_longer_than_asked_where_a_sink_blocks_the_loop(
    create: Callable[[logweir.LogService], None], tmp_path: Path
) -> None:
    blocked = config("BlocksTheLoop")
    blocked["sinks"]["table"] = {
        "type": "sqlite",
        "url": f"sqlite+aiosqlite:///{tmp_path}/rows.db",
        "provision": True,
    }
    runtime = logweir.start(blocked)
    assert runtime.flush(20.0)
    logweir.get_logger().info("first")
    assert hostile.begun.wait(20.0)
    raised: list[BaseException] = []

    def call() -> None:
        try:
            create(logweir.LogService(sink="table", timeout=0.1))
        except AuditError as error:
            raised.append(error)

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    caller.join(20.0)
    assert [type(error) for error in raised] == [AuditError], "the caller still waits"
    assert "maybe a sink blocks its loop" in str(raised[0])


def reload_in_a_thread(after: dict[str, Any]) -> tuple[threading.Thread, list[str]]:
    """A reload that a sink holds up, and what it raises."""
    raised: list[str] = []

    def call() -> None:
        try:
            logweir.reload(after)
        except LogweirError as error:
            raised.append(str(error))

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    return caller, raised


@pytest.fixture(params=["the loop", "its making"])
def held_up(request: pytest.FixtureRequest) -> tuple[logweir.Runtime, dict[str, Any]]:
    """A runtime, and a configuration that it cannot go over to until a sink lets it."""
    if request.param == "its making":
        return logweir.start(config("memory")), config("BlocksWhileItIsMade")
    runtime = logweir.start(config("BlocksTheLoop"))
    logweir.get_logger().info("first")
    assert hostile.begun.wait(20.0)
    return runtime, config("BlocksTheLoop", workers=2)


def test_d3_a_reload_that_a_sink_holds_up_is_refused_and_never_comes(
    held_up: tuple[logweir.Runtime, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, after = held_up
    before = runtime.config
    monkeypatch.setattr(runtime_module, "_RELOADING", 0.3)
    caller, raised = reload_in_a_thread(after)
    assert hostile.begun.wait(20.0)
    caller.join(20.0)
    assert [text for text in raised if "the old configuration stays in force" in text], "it still waits"
    hostile.go_on.set()
    logweir.get_logger().info("second")
    assert runtime.flush(20.0)
    assert runtime.config is before
    assert "second" in stored("good")
    monkeypatch.undo()
    logweir.reload(after)
    assert runtime.config == load_config(after)


def test_d3_a_stop_does_not_wait_for_a_reload_that_a_sink_holds_up(
    held_up: tuple[logweir.Runtime, dict[str, Any]],
) -> None:
    runtime, after = held_up
    caller, raised = reload_in_a_thread(after)
    eventually(lambda: runtime._reloading is not None)
    before = time.monotonic()
    stopper = threading.Thread(target=logweir.stop, args=(0.5,), daemon=True)
    stopper.start()
    stopper.join(20.0)
    assert time.monotonic() - before < 5.0
    caller.join(20.0)
    assert [text for text in raised if "a stop came first" in text]


def test_d3_a_stop_does_not_wait_for_a_sink_that_blocks_while_it_is_made_with_a_renewed_secret() -> None:
    runtime = logweir.start(config("memory"))
    after = load_config(config("BlocksWhileItIsMade"))
    renewal = runtime._reload.replace_if_idle(runtime._lock, runtime.config, after, files_of_sinks(after))
    runtime._loop_thread.submit(renewal)
    assert hostile.begun.wait(20.0)
    stopper = threading.Thread(target=logweir.stop, args=(0.5,), daemon=True)
    stopper.start()
    stopper.join(20.0)
    assert not stopper.is_alive()


def test_d3_a_sink_whose_calls_hang_in_threads_takes_them_from_nobody_else() -> None:
    hanging = config("HangsInThreads", queue={"type": "memory"})
    hanging["sinks"]["bad"]["retry"] = {"initial": "1ms", "max": "5ms", "timeout": "20ms"}
    hanging["sinks"]["good"]["type"] = "support.hostile:WorksInThreads"
    hanging["routes"] = [
        {"name": "first", "match": {"event": "first"}, "to": ["bad"]},
        {"name": "rest", "to": ["good"]},
    ]
    runtime = logweir.start(hanging)
    log = logweir.get_logger()
    log.info("first")
    eventually(lambda: runtime.metrics().sinks["bad"].failures > 10)
    log.info("second")
    log.info("refused")
    eventually(lambda: runtime.metrics().sinks["good"].dead == 1, found=lambda: str(runtime.metrics()))
    eventually(lambda: stored("good") == {"second"})


def test_d3_a_sink_whose_calls_hang_in_threads_leaves_its_fallback_some() -> None:
    hanging = config("HangsInThreads", queue={"type": "memory"})
    hanging["sinks"]["bad"] |= {
        "retry": {"initial": "1ms", "max": "5ms", "timeout": "100ms"},
        "fallback": {"to": "good", "after": "2s"},
    }
    hanging["sinks"]["good"]["type"] = "support.hostile:WorksInThreads"
    hanging["routes"] = [{"name": "all", "to": ["bad"]}]
    runtime = logweir.start(hanging)
    runtime.emit("a", {})
    eventually(lambda: runtime.metrics().sinks["bad"].diverted == 1, found=lambda: str(runtime.metrics()))
    assert runtime.metrics().sinks["bad"].failures > 8
