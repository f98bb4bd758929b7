"""D3: whatever a sink does to the loop of delivery, the others are served, and a stop comes to its end."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.errors import AuditError
from logweir.sinks.memory import MemorySink
from support import hostile
from support.waiting import eventually

pytestmark = pytest.mark.busy

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
            "bad": {"type": f"support.hostile:{kind}", **common, **options},
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


@pytest.mark.parametrize(
    "kind", ["BlocksTheLoop", "Sleeps", "NeverCloses", "BlocksInClose", "SwallowsCancellation"]
)
def test_d3_a_stop_of_three_seconds_takes_no_more_than_four(kind: str) -> None:
    logweir.start(config(kind, queue={"type": "disk"}))
    logweir.get_logger().info("first")
    if "Close" not in kind:
        assert hostile.begun.wait(20.0)
    else:
        eventually(lambda: stored("bad") == {"first"})
    before = time.monotonic()
    logweir.stop(timeout=3.0)
    assert time.monotonic() - before < 4.0


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
