"""The drain where the loop does not answer: what waits is saved by whoever stops, and its callers learn of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import logweir
from logweir.delivery.queue import DropReason
from logweir.delivery.spool import closing
from logweir.delivery.spool.spool_file import SpoolFile
from logweir.errors import LogweirError
from logweir.sinks.memory import MemorySink
from support import hostile
from support.leading import Disk, Hold, started
from support.waiting import eventually


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    hostile.begin_anew()
    yield
    hostile.go_on.set()


def config(kind: str, **options: Any) -> dict[str, Any]:
    out = {"type": kind, "batch": {"linger": 0, "max_events": 2}, "retry": {"timeout": "60s"}, **options}
    return {"sinks": {"out": out}, "routes": [{"name": "all", "match": {}, "to": ["out"]}]}


@pytest.mark.busy
def test_a_stop_while_a_sink_blocks_the_loop_keeps_all_that_waits_for_the_next_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runtime = logweir.start(config("support.hostile:BlocksTheLoop", queue={"type": "memory"}))
    runtime.emit("0", {})
    assert hostile.begun.wait(20.0)
    for number in range(1, 10):
        runtime.emit(str(number), {})
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(logweir.audit_sync, "audited", acknowledge="durable", timeout=60.0)
        eventually(lambda: runtime.metrics().sinks["out"].accepted == 11)
        assert logweir.stop(0.1) is True
        assert answer.result(20).sinks == ("out",)
    assert "a sink blocks the loop" in caplog.text
    assert "11 events were not delivered before the stop; kept on disk" in caplog.text
    counts = runtime.metrics().sinks["out"]
    assert (counts.queue_depth, counts.in_flight, counts.dropped) == (11, 0, {})
    again = logweir.start(config("memory", queue={"type": "memory"}))
    assert again.flush(20.0)
    names = [event.name for event in MemorySink.of("out").events.values()]
    assert sorted(names) == [*map(str, range(10)), "audited"]


def test_what_a_full_queue_dropped_is_reported_by_the_stop(caplog: pytest.LogCaptureFixture) -> None:
    queue = {"max_events": 1, "when_full": "drop_newest"}
    tracing = [{"name": "all", "match": {"kind": "tracing"}, "to": ["out"]}]
    runtime = logweir.start({**config("support.hostile:BlocksTheLoop", queue=queue), "routes": tracing})
    runtime.emit("0", {})
    assert hostile.begun.wait(20.0)
    for number in range(1, 5):
        runtime.emit(str(number), {})
    hostile.go_on.set()
    assert logweir.stop(20.0)
    (dropped,) = runtime.metrics().sinks["out"].dropped.items()
    assert dropped[0] is DropReason.QUEUE_FULL_NEWEST
    assert f"sink 'out' dropped {dropped[1]} events" in caplog.text


def test_a_stop_from_the_delivery_itself_is_refused() -> None:
    runtime = logweir.start(config("memory"))

    async def stop() -> None:
        runtime.stop(0.1)

    with pytest.raises(LogweirError, match="stop"):
        runtime._loop_thread.run(stop(), 10.0)
    assert not runtime.stopped
    assert logweir.stop()


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """A disk whose next write does not return, and counts as hung soon."""
    monkeypatch.setattr(closing, "HANGS_AFTER", 0.3)
    disk = Disk()

    def write(*written: Any) -> None:
        disk.write(*written)

    monkeypatch.setattr(SpoolFile, "write", write)
    disk.before = hold = Hold()
    yield hold
    hold.go_on.set()


def test_a_stop_does_not_wait_for_a_disk_that_hangs_and_says_what_is_not_known_to_be_on_it(
    hung: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = logweir.start(config("memory", queue={"type": "disk"}))
    runtime.emit_audit("hangs", {}, acknowledge="accepted")
    assert hung.inside.wait(20.0)
    runtime.emit_audit("behind it", {}, acknowledge="accepted")
    assert started(lambda: logweir.stop(0.1)).result(10.0) is False
    assert runtime.metrics().sinks["out"].dropped == {DropReason.SHUTDOWN: 2}
    assert "does not answer" in caplog.text
    assert "2 events were not delivered before the stop" in caplog.text
    hung.go_on.set()

    def comes_late() -> bool:
        again = logweir.start(config("memory", queue={"type": "disk"}))
        logweir.flush(20.0)
        del again
        logweir.stop()
        return len(MemorySink.of("out").events) == 2

    eventually(comes_late)


def test_a_stop_that_saves_what_waits_in_memory_does_not_wait_for_a_disk_that_hangs(
    hung: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = logweir.start(config("support.hostile:BlocksTheLoop", queue={"type": "memory"}))
    for number in range(10):
        runtime.emit(str(number), {})
    assert hostile.begun.wait(20.0)
    assert started(lambda: logweir.stop(0.1)).result(10.0) is False
    assert hung.inside.is_set()
    assert runtime.metrics().sinks["out"].dropped == {DropReason.SHUTDOWN: 10}
    assert "10 events were not delivered before the stop" in caplog.text
