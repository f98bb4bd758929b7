"""The running engine: one sink's trouble is nobody else's, and every event is accounted for."""

import asyncio
import gc
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog

import logweir
from logweir.config.loading import load_config
from logweir.delivery.queue import DropReason
from logweir.errors import LogweirError, NotRunning
from logweir.sinks.memory import MemorySink
from support import sinks as misbehaving
from support.waiting import eventually

FAST = {"initial": "1ms", "max": "5ms", "timeout": "50ms"}


@pytest.fixture(autouse=True)
def _sick_until_healed() -> Iterator[None]:
    misbehaving.healed.clear()
    yield
    misbehaving.healed.set()


def config(*, routes: list[dict[str, Any]] | None = None, **sinks: dict[str, Any]) -> dict[str, Any]:
    """A configuration that sends everything to every sink."""
    return {
        "sinks": {
            name: {"type": "memory", "retry": FAST, "batch": {"linger": "5ms"}, **options}
            for name, options in sinks.items()
        },
        "routes": routes or [{"name": "all", "match": {"kind": "tracing"}, "to": list(sinks)}],
        "drain_timeout": "500ms",
    }


def sick(kind: str, **options: Any) -> dict[str, Any]:
    """The options of a misbehaving sink."""
    return {"type": f"support.sinks:{kind}", **options}


def names(sink: str = "out") -> list[str]:
    return [event.name for event in MemorySink.of(sink).events.values()]


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("timeout", [float("inf"), 10**12])
def test_a_time_longer_than_any_lock_can_wait_is_as_good_as_for_ever(timeout: float) -> None:
    route = {"name": "all", "to": ["out"]}
    logweir.start(config(routes=[route], out={"queue": {"type": "memory"}}))
    logweir.audit_sync("a", acknowledge="stored", timeout=timeout)
    assert logweir.flush(timeout)
    assert asyncio.run(logweir.aflush(timeout))
    assert logweir.stop(timeout)
    assert names() == ["a"]


# -- one sink's trouble --------------------------------------------------------------------------------


@pytest.mark.wound("vector #22064")
@pytest.mark.parametrize("kind", ["Dead", "Hung", "HungInAThread", "Unopenable", "HungInOpen", "Nonsense"])
def test_a_sink_in_trouble_never_slows_another(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    bad = sick(kind, queue={"max_events": 10, "when_full": "drop_oldest"})
    runtime = logweir.start(config(bad=bad, out={}))
    for number in range(2000):
        runtime.emit(str(number), {})
    runtime._loop_thread.run(_settled(runtime._pipeline.channels["out"].queue), 10)
    assert names() == [str(number) for number in range(2000)]
    counts = runtime.metrics().sinks["bad"]
    assert counts.stored == 0
    assert counts.queue_depth <= 10
    misbehaving.healed.set()


async def _settled(queue: Any) -> None:
    await queue.settled_up_to(queue.mark())


@pytest.mark.busy
@pytest.mark.parametrize("kind", ["Dead", "Hung", "Unopenable", "HungInOpen"])
def test_a_sink_that_recovers_gets_everything_in_order(kind: str) -> None:
    runtime = logweir.start(config(out=sick(kind)))
    for number in range(1000):
        runtime.emit(str(number), {})
    assert not runtime.flush(timeout=0.2)
    misbehaving.healed.set()
    assert runtime.flush(timeout=20)
    assert names() == [str(number) for number in range(1000)]
    assert runtime.metrics().sinks["out"].state == "healthy"


@pytest.mark.busy
def test_a_sink_that_hangs_in_close_does_not_hold_up_the_stop() -> None:
    runtime = logweir.start(config(out=sick("HungInClose")))
    runtime.emit("event", {})
    assert logweir.stop(timeout=1.0)
    assert names() == ["event"]


def test_a_sink_that_logs_while_it_writes_does_not_deadlock() -> None:
    logweir.configure_structlog()
    runtime = logweir.start(config(out=sick("Chatty")))
    runtime.emit("event", {})
    assert runtime.flush()
    assert runtime.flush()
    assert Counter(names()) == {"event": 1, "from the sink": 1}


def test_a_sink_that_answers_nonsense_is_counted_and_its_events_become_dead_letters() -> None:
    runtime = logweir.start(config(out=sick("Nonsense")))
    runtime.emit("event", {})
    assert runtime.flush()
    assert runtime.metrics().sinks["out"].dead == 1


# -- full queues ---------------------------------------------------------------------------------------


@pytest.mark.wound("opentelemetry-python #4336")
@pytest.mark.parametrize(
    ("when_full", "reason", "kept"),
    [
        ("drop_newest", DropReason.QUEUE_FULL_NEWEST, range(5)),
        ("drop_oldest", DropReason.QUEUE_FULL_OLDEST, range(15, 20)),
        ("block", DropReason.BLOCK_TIMEOUT, range(5)),
    ],
)
def test_every_drop_of_a_full_queue_is_counted_and_reported(
    when_full: str, reason: DropReason, kept: range, caplog: pytest.LogCaptureFixture
) -> None:
    queue = {"max_events": 5, "when_full": when_full, "block_timeout": "1ms"}
    runtime = logweir.start(config(out=sick("Unopenable", queue=queue)))
    for number in range(20):
        runtime.emit(str(number), {})
    assert runtime.metrics().sinks["out"].dropped == {reason: 15}
    with caplog.at_level(logging.WARNING, "logweir"):
        runtime._reporter.report()
        runtime._reporter.report()
    reported = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert reported == [f"sink 'out' dropped 15 events: {reason} (15 in all)"]
    misbehaving.healed.set()
    assert runtime.flush()
    assert names() == [str(number) for number in kept]


async def test_a_full_queue_never_blocks_an_event_loop() -> None:
    queue = {"max_events": 1, "when_full": "block", "block_timeout": "1h"}
    settings = await asyncio.to_thread(load_config, config(out=sick("Unopenable", queue=queue)))
    runtime = logweir.start(settings)
    for _ in range(3):
        runtime.emit("event", {})
    assert runtime.metrics().sinks["out"].dropped == {DropReason.FULL_ON_EVENT_LOOP: 2}


# -- accounting ----------------------------------------------------------------------------------------


@pytest.mark.wound("vector #10174")
def test_the_metrics_agree_with_the_truth() -> None:
    runtime = logweir.start(
        config(
            audit={},
            logs={
                "queue": {"max_events": 3, "when_full": "drop_newest"},
                "batch": {"linger": "10s", "max_events": 100},
            },
            routes=[
                {"name": "a", "match": {"kind": "audit"}, "to": ["audit"]},
                {
                    "name": "s",
                    "match": {"event": "sampled", "kind": "tracing"},
                    "to": ["logs"],
                    "sample": 0.0,
                },
                {"name": "t", "match": {"event": "t*"}, "to": ["logs"]},
            ],
        )
    )
    for _ in range(4):
        runtime.emit("x", {"persist_db": True})
        runtime.emit("sampled", {})
        runtime.emit("nowhere", {})
    for _ in range(5):
        runtime.emit("tracing", {})
    before = runtime.metrics()
    assert (before.sinks["logs"].accepted, before.sinks["logs"].queue_depth) == (3, 3)
    assert runtime.flush()
    now = runtime.metrics()
    assert (now.unrouted, now.sampled) == (4, 4)
    assert (now.sinks["audit"].accepted, now.sinks["audit"].stored) == (4, 4)
    logs = now.sinks["logs"]
    assert (logs.accepted, logs.stored, logs.queue_depth, logs.in_flight) == (3, 3, 0, 0)
    assert logs.dropped == {DropReason.QUEUE_FULL_NEWEST: 2}
    assert len(names("logs")) == 3


@pytest.mark.wound("vector #22946")
def test_a_lone_event_is_delivered_without_another_to_push_it() -> None:
    runtime = logweir.start(config(out={"batch": {"linger": "20ms", "max_events": 1000}}))
    runtime.emit("alone", {})
    asyncio.run(until(names))


@pytest.mark.busy
@pytest.mark.wound("vector #18820")
@pytest.mark.parametrize("queue", ["memory", "disk", "spill"])
def test_what_a_stop_leaves_behind_is_kept_reported_and_delivered_by_the_next_start(
    queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"when_full": "spill", "max_events": 100} if queue == "spill" else {"type": queue}
    runtime = logweir.start(config(out=sick("Dead", queue=options)))
    for number in range(700):
        runtime.emit(str(number), {})
    assert logweir.stop(timeout=0.1) is True
    counts = runtime.metrics().sinks["out"]
    assert (counts.accepted, counts.queue_depth, counts.in_flight, counts.dropped) == (700, 700, 0, {})
    assert "700 events were not delivered before the stop; kept on disk" in caplog.text
    misbehaving.healed.set()
    again = logweir.start(config(out=sick("Dead", queue=options)))
    assert again.flush()
    assert sorted(names(), key=int) == [str(number) for number in range(700)]
    counts = again.metrics().sinks["out"]
    assert (counts.accepted, counts.stored, counts.queue_depth, counts.dropped) == (700, 700, 0, {})
    assert logweir.stop()
    assert not list(Path(".logweir/queues").iterdir())


@pytest.mark.busy
@pytest.mark.parametrize("queue", ["memory", "disk"])
def test_what_a_stop_can_neither_deliver_nor_keep_is_counted_and_reported(
    queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(".logweir").mkdir()
    Path(".logweir/queues").touch()
    runtime = logweir.start(config(out=sick("Dead", queue={"type": queue})))
    for _ in range(700):
        runtime.emit("event", {})
    assert logweir.stop(timeout=0.1) is False
    assert runtime.metrics().sinks["out"].dropped == {DropReason.SHUTDOWN: 700}
    assert "700 events were not delivered" in caplog.text
    runtime.emit("too late", {})
    assert runtime.metrics().dropped_at_stop == 1


async def test_200_000_events_of_16_threads_and_200_tasks_arrive_exactly_once() -> None:
    runtime = logweir.start(config(out={"queue": {"max_events": 200_000}, "batch": {"max_events": 1000}}))
    logweir.configure_structlog()
    log = logweir.get_logger()

    def thread(number: int) -> None:
        for count in range(6250):
            log.info(f"thread {number}", count=count)

    async def task(number: int) -> None:
        for count in range(500):
            log.info(f"task {number}", count=count)
            if count % 50 == 0:
                await asyncio.sleep(0)

    threads = [asyncio.to_thread(thread, number) for number in range(16)]
    await asyncio.gather(*threads, *(task(number) for number in range(200)))
    assert await runtime.aflush(60)
    events = list(MemorySink.of("out").events.values())
    counts: dict[str, list[int]] = {}
    for event in events:
        counts.setdefault(event.name, []).append(event.fields["count"])
    assert len(events) == 200_000
    assert runtime.metrics().sinks["out"].stored == 200_000
    assert all(
        seen == list(range(6250 if name.startswith("thread") else 500)) for name, seen in counts.items()
    )


# -- every way in --------------------------------------------------------------------------------------


async def test_every_way_to_log_ends_in_the_sink() -> None:
    runtime = logweir.start(config(out={}, routes=[{"name": "all", "to": ["out"]}]))
    logweir.configure_structlog()
    log = logweir.get_logger("shop")
    handler = logweir.Handler()
    standard = logging.getLogger("some.library")
    standard.addHandler(handler)
    standard.setLevel(logging.INFO)
    try:
        log.info("sync")
        await log.ainfo("async")
        standard.warning("standard %s", "library")
        await logweir.audit("fund.refund", user_id=7, acknowledge="stored")
        await asyncio.to_thread(log.info, "thread")
        await asyncio.to_thread(asyncio.run, log.ainfo("another loop"))
    finally:
        standard.removeHandler(handler)
    assert await runtime.aflush()
    assert Counter(names()) == dict.fromkeys(
        ["sync", "async", "standard library", "fund.refund", "thread", "another loop"], 1
    )


def test_a_chain_of_ones_own_can_tag_route_and_go_on() -> None:
    seen: list[Any] = []

    def remember(_logger: Any, _method: str, event_dict: Any) -> Any:
        seen.append(dict(event_dict))
        raise structlog.DropEvent

    rules = [{"kind": "audit", "match": {"event": "fund.*"}}]
    runtime = logweir.start({**config(out={}, routes=[{"name": "all", "to": ["out"]}]), "classify": rules})
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            logweir.ClassificationProcessor(),
            logweir.RoutingProcessor(final=False),
            remember,
        ]
    )
    structlog.get_logger().warning("fund.refund", amount=3)
    assert runtime.flush()
    (event,) = MemorySink.of("out").events.values()
    assert (event.kind, event.level, event.fields) == ("audit", "warning", {"amount": 3})
    assert seen == [{"event": "fund.refund", "amount": 3, "level": "warning", "kind": "audit"}]


def test_structlogs_own_capturing_still_works() -> None:
    logweir.start(config(out={}))
    logweir.configure_structlog()
    log = logweir.get_logger()
    log.info("before")
    with structlog.testing.capture_logs() as captured:
        log.info("captured", a=1)
    assert captured == [{"a": 1, "event": "captured", "log_level": "info"}]


def test_levels_below_the_lowest_are_not_captured() -> None:
    runtime = logweir.start(config(out={}))
    logweir.configure_structlog(min_level="warning")
    log = logweir.get_logger()
    log.info("quiet")
    log.error("loud")
    assert runtime.flush()
    assert names() == ["loud"]


def test_an_exception_is_stored_as_text_with_its_type() -> None:
    runtime = logweir.start(config(out={}))
    logweir.configure_structlog()
    try:
        raise ValueError("password=hunter2 in a message")
    except ValueError:
        logweir.get_logger().exception("failed")
    assert runtime.flush()
    (event,) = MemorySink.of("out").events.values()
    assert (event.level, event.fields["error_type"]) == ("error", "ValueError")
    assert "Traceback" in event.fields["exception"]


# -- life ----------------------------------------------------------------------------------------------


def test_starting_again_with_the_same_configuration_is_starting_once() -> None:
    first = logweir.start(config(out={}))
    assert logweir.start(config(out={})) is first
    with pytest.raises(LogweirError, match="another configuration is running"):
        logweir.start(config(other={}))


def test_without_a_runtime_there_is_nothing_to_flush_or_reload() -> None:
    for call in (logweir.flush, logweir.reload, logweir.metrics):
        with pytest.raises(NotRunning, match=r"call logweir.start\(...\) first"):
            call()
    assert logweir.stop()


async def test_running_drains_at_the_end_of_an_async_block() -> None:
    async with logweir.running(config(out={})) as runtime:
        runtime.emit("event", {})
    assert names() == ["event"]
    assert logweir.current() is None


def test_a_blocked_application_loop_does_not_stop_delivery() -> None:
    runtime = logweir.start(config(out={}))

    async def block() -> None:
        runtime.emit("event", {})
        logweir.flush()  # blocks this loop: the runtime has its own

    asyncio.run(block())
    assert names() == ["event"]


def test_a_reload_hands_what_a_dead_sink_holds_to_its_successor() -> None:
    runtime = logweir.start(config(out=sick("Dead")))
    for number in range(300):
        runtime.emit(str(number), {})
    logweir.reload(config(out={}))
    runtime.emit("after", {})
    asyncio.run(until(lambda: len(names()) == 301))
    assert runtime.flush()
    metrics = runtime.metrics().sinks["out"]
    assert (metrics.accepted, metrics.stored, metrics.dropped) == (301, 301, {})


@pytest.mark.parametrize("change", ["reload", "stop"])
def test_d6_a_caller_who_waits_for_durable_is_answered_when_what_waits_in_memory_is_saved(
    change: str,
) -> None:
    audited = [{"name": "audit", "match": {"kind": "audit"}, "to": ["out"]}]
    before = config(routes=audited, out=sick("Dead", queue={"type": "memory"}))
    runtime = logweir.start(before)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(logweir.audit_sync, "waits", acknowledge="durable", timeout=30.0)
        eventually(lambda: runtime.metrics().sinks["out"].failures)
        if change == "reload":
            logweir.reload(config(routes=audited, out=sick("Dead", queue={"type": "memory"}, workers=2)))
        else:
            logweir.stop(0.2)
        assert answer.result(20).sinks == ("out",)


def test_a_flush_after_reloads_between_kinds_of_queues_sees_what_another_queue_settles() -> None:
    def queued(kind: str) -> dict[str, Any]:
        return config(out={"queue": {"type": kind}})

    for _ in range(5):  # the queues race for the event
        runtime = logweir.start(queued("disk"))
        runtime.emit("event", {})
        logweir.reload(queued("memory"))
        logweir.reload(queued("disk"))
        assert runtime.flush(timeout=30)
        logweir.stop()


@pytest.mark.parametrize("queue", ["memory", "disk"])
def test_what_is_set_aside_survives_a_reload_and_a_stop(queue: str) -> None:
    options = {"queue": {"type": queue}}
    runtime = logweir.start(config(out=sick("PutsOff", **options)))
    for name in ("waits", "passes", "waits"):
        runtime.emit(name, {})
    asyncio.run(until(lambda: runtime.metrics().sinks["out"].set_aside == 2 and names() == ["passes"]))
    logweir.reload(config(out=sick("PutsOff", workers=2, **options)))
    asyncio.run(until(lambda: runtime.metrics().sinks["out"].set_aside == 2))
    assert runtime.metrics().sinks["out"].state.value == "degraded"
    assert logweir.stop(0.3)
    misbehaving.healed.set()
    logweir.start(config(out=sick("PutsOff", **options)))
    asyncio.run(until(lambda: names() == ["waits", "waits"]))


@pytest.mark.parametrize("queue", ["memory", "disk"])
def test_what_is_set_aside_for_a_sink_that_a_reload_removes_becomes_dead_letters(queue: str) -> None:
    runtime = logweir.start(config(out=sick("PutsOff", queue={"type": queue})))
    runtime.emit("waits", {})
    asyncio.run(until(lambda: runtime.metrics().sinks["out"].set_aside == 1))
    logweir.reload(config(other={}))
    asyncio.run(until(lambda: runtime.metrics().dead_letters.waiting == {"out": 1}))
    assert runtime.metrics().sinks["out"].set_aside == 0


def test_what_a_reload_moves_to_another_data_directory_counts_once(tmp_path: Path) -> None:
    """Found by the simulation: what the old queue had accepted was accepted again by the new one."""
    before = {**config(out=sick("Dead", queue={"type": "disk"})), "data_dir": str(tmp_path / "one")}
    runtime = logweir.start(before)
    for number in range(20):
        runtime.emit(str(number), {})
    runtime.reload({**before, "data_dir": str(tmp_path / "two")})
    eventually(lambda: all(task.is_over() for task in runtime._reload._retirements))
    misbehaving.healed.set()
    eventually(lambda: sorted(names(), key=int) == [str(number) for number in range(20)])
    assert runtime.flush(10)
    counts = runtime.metrics().sinks["out"]
    assert counts.accepted == counts.stored + counts.duplicate


def test_a_second_reload_leaves_the_files_to_what_still_retires(tmp_path: Path) -> None:
    """Found by the simulation: the spool was closed and taken over under channels that still delivered."""
    first = {
        **config(out=sick("Slow", queue={"type": "disk"}, batch={"max_events": 5})),
        "data_dir": str(tmp_path / "one"),
    }
    runtime = logweir.start(first)
    for number in range(20):
        runtime.emit(str(number), {})
    eventually(lambda: runtime.metrics().sinks["out"].in_flight)
    second = {**first, "sinks": {"out": {**first["sinks"]["out"], "workers": 2}}}
    runtime.reload(second)
    runtime.reload({**second, "data_dir": str(tmp_path / "two")})
    misbehaving.healed.set()
    eventually(lambda: all(task.is_over() for task in runtime._reload._retirements))
    assert runtime.flush(10)
    counts = runtime.metrics().sinks["out"]
    assert (counts.stored, counts.duplicate) == (20, 0)


def test_a_reload_keeps_the_channels_that_did_not_change() -> None:
    runtime = logweir.start(config(out={}, other={}))
    before = runtime._pipeline.channels
    logweir.reload(config(out={}, other={"workers": 2}))
    after = runtime._pipeline.channels
    assert after["out"] is before["out"]
    assert after["other"] is not before["other"]


def test_the_threads_of_a_sink_end_when_a_reload_has_replaced_it() -> None:
    def in_a_thread(workers: int) -> dict[str, Any]:
        return config(out={"type": "support.hostile:WorksInThreads", "workers": workers})

    def count() -> int:
        runtime.emit("a", {})
        assert runtime.flush()
        gc.collect()
        return sum(thread.name == "logweir-work" for thread in threading.enumerate())

    runtime = logweir.start(in_a_thread(1))
    for workers in range(2, 10):
        runtime.emit(f"{workers}", {})
        assert runtime.flush()
        runtime.reload(in_a_thread(workers))
    eventually(lambda: count() < 6)


@pytest.mark.parametrize(("after", "stored"), [({"out": {"workers": 2}}, "out"), ({"new": {}}, "new")])
def test_an_event_that_meets_a_reload_on_its_way_is_routed_again(after: dict[str, Any], stored: str) -> None:
    runtime = logweir.start(config(out={}))
    router = runtime._pipeline.router
    route = router.route

    def route_and_reload(event: Any) -> Any:
        channels = route(event)
        logweir.reload(config(**after))
        return channels

    router.route = route_and_reload  # type: ignore[method-assign]
    runtime.emit("overtaken", {})
    assert runtime.flush()
    assert names(stored) == ["overtaken"]
    assert runtime.metrics().dropped_at_stop == 0
