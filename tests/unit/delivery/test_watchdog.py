"""The watchdog names who blocks the loop while it lasts, and costs nothing while nothing is under way."""

import asyncio
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import logweir
from logweir.delivery import watchdog
from logweir.delivery.counters import DeliveryCounters, SinkState
from logweir.delivery.queue import QueueStatistics
from logweir.settings.delivery import Bounds
from logweir.telemetry.model import SinkMetrics
from support import hostile
from support import sinks as misbehaving
from support.waiting import eventually

pytestmark = pytest.mark.busy


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    hostile.begin_anew()
    misbehaving.healed.clear()
    logweir.configure_structlog()
    yield
    misbehaving.healed.set()
    hostile.go_on.set()


def start(kind: str) -> Any:
    retry = {"initial": "1ms", "max": "5ms", "timeout": "60s"}
    sinks = {"bad": {"type": f"support.hostile:{kind}", "batch": {"linger": 0}, "retry": retry}}
    return logweir.start({"sinks": sinks, "routes": [{"name": "all", "match": {}, "to": ["bad"]}]})


def test_d3_a_sink_that_blocks_the_loop_is_named_while_it_does(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "logweir"):
        runtime = start("BlocksTheLoop")
        logweir.get_logger().info("first")
        assert hostile.begun.wait(20.0)
        eventually(lambda: "blocks the delivery" in caplog.text)
        assert "sink 'bad' blocks the delivery to all sinks: its write" in caplog.text
        assert "hostile.py" in caplog.text
        assert "in block" in caplog.text
        during = runtime.metrics().sinks["bad"]
        assert (during.blocks, during.state) == (1, SinkState.DEGRADED)
        assert during.blocked_seconds >= watchdog.BLOCKED_AFTER
        assert "its write blocks the loop of delivery" in during.last_error
        hostile.go_on.set()
        eventually(lambda: runtime.metrics().sinks["bad"].state is SinkState.HEALTHY)
        assert runtime.metrics().sinks["bad"].blocks == 1


def test_d3_a_fallback_that_blocks_the_loop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    sinks = {
        "down": {"type": "support.sinks:Dead", "batch": {"linger": 0}, "fallback": {"to": "bad", "after": 0}},
        "bad": {"type": "support.hostile:BlocksTheLoop"},
    }
    with caplog.at_level(logging.WARNING, "logweir"):
        runtime = logweir.start({"sinks": sinks, "routes": [{"name": "all", "match": {}, "to": ["down"]}]})
        runtime.emit("first", {})
        eventually(lambda: "sink 'bad' blocks the delivery to all sinks: its write" in caplog.text)


def test_d3_a_close_that_blocks_the_loop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "logweir"):
        start("BlocksInClose")
        logweir.stop(timeout=1.5)
        eventually(lambda: "its close has not" in caplog.text)


def test_d3_a_task_of_the_sinks_own_that_blocks_is_laid_to_the_sink(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "logweir"):
        start("BlocksInATask")
        logweir.get_logger().info("first")
        eventually(lambda: "sink 'bad' blocks the delivery to all sinks: its write" in caplog.text)


def test_nothing_beats_while_nothing_is_under_way() -> None:
    runtime = start("NeverCloses")
    logweir.get_logger().info("first")
    eventually(lambda: runtime.metrics().sinks["bad"].stored == 1)
    eventually(lambda: not any(heart.beating for heart in list(watchdog._watch.hearts.values())))
    thread = watchdog._watch.thread
    assert thread is not None
    assert thread.daemon


def test_a_loop_that_ended_with_nothing_under_way_is_not_said_to_stand_still(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    heart = watchdog._Heart(loop, threading.get_ident(), beating=True)
    with caplog.at_level(logging.WARNING, "logweir"):
        watchdog._look(heart)
    assert caplog.text == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forks_child_watches_with_a_thread_of_its_own() -> None:
    runtime = start("NeverCloses")
    logweir.get_logger().info("first")
    eventually(lambda: runtime.metrics().sinks["bad"].stored == 1)
    child = os.fork()
    if child == 0:
        fresh = watchdog._watch.thread is None and not watchdog._watch.hearts
        logweir.get_logger().info("second")
        logweir.flush(10.0)
        thread = watchdog._watch.thread
        os._exit(0 if fresh and thread is not None and thread.is_alive() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert threading.main_thread().is_alive()


def test_a_sink_is_healthy_only_while_something_moves_or_nothing_waits() -> None:
    counters = DeliveryCounters(still_after=15.0)
    counters.succeeded()

    def seen(depth: int = 0, in_flight: int = 0, oldest: float = 0.0) -> SinkMetrics:
        queue = QueueStatistics(depth, in_flight, 0, 0, oldest=oldest)
        return SinkMetrics.of(queue, counters, Bounds(1, 1))

    assert seen(depth=3, oldest=100.0).state is SinkState.HEALTHY
    counters.moved_at -= 20.0
    assert seen().state is SinkState.HEALTHY
    assert seen(depth=3, oldest=1.0).state is SinkState.HEALTHY
    assert seen(depth=3, oldest=100.0).state is SinkState.DEGRADED
    assert "nothing has moved for 20 s" in seen(in_flight=1).last_error
