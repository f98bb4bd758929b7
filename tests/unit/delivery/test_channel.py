"""A channel from its first attempt to open the sink to its close, whatever the sink does meanwhile."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.channel import Channel
from logweir.delivery.counters import SinkState
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queue import EventQueue, PutResult
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.receipts import OpenReceipts, Receipt
from logweir.delivery.worker import Clock
from logweir.errors import AuditError, SinkUnavailable
from logweir.event import Event
from logweir.settings.delivery import BatchConfig, QueueConfig, RetryConfig
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult
from logweir.testing.contract import make_event


class Store(Sink[SinkConfig]):
    """Does what it is asked, and by default at once; says what it was asked for."""

    def __init__(self, **settings: Any) -> None:
        retry = RetryConfig(**{"initial": 1.0, "max": 60.0, "timeout": 20.0, **settings.pop("retry", {})})
        batch = BatchConfig(linger=0, max_events=settings.pop("batch", 10))
        super().__init__(SinkConfig(type="store", batch=batch, retry=retry, **settings))
        self.stored: list[str] = []
        self.calls: list[str] = []
        self.refuses_to_open: list[Exception] = []
        self.in_open = self.in_write = self.in_close = _nothing

    async def open(self) -> None:
        self.calls.append("open")
        await self.in_open()
        if self.refuses_to_open:
            raise self.refuses_to_open.pop()

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self.calls.append("write")
        await self.in_write()
        self.stored += [event.name for event in batch]
        return WriteResult.all_stored()

    async def close(self) -> None:
        self.calls.append("close")
        await self.in_close()


async def _nothing() -> None:
    pass


async def _never() -> None:
    await asyncio.Event().wait()


class Bench:
    """A channel over queues in memory; a pause is noted, and lasts until the bench lets it go."""

    def __init__(self, directory: Path, sink: Store, *, left: Sequence[str] = (), **queue: Any) -> None:
        self.sink = sink
        self.receipts = OpenReceipts()
        self.pauses: list[float] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.queue = self._queue(queue.pop("when_full", "block"), **queue)
        self.left = self._queue("block") if left else None
        self.channel = Channel(
            "out",
            sink.config,
            sink,
            self.queue,
            self.left,
            QueueConfig().bounds("memory"),
            DeadLetters(directory),
            self.receipts,
            Clock(time.monotonic, self._pause),
        )
        for name in left:
            assert self.left is not None
            self.left.put(make_event(name))

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)
        await self.go_on.wait()

    @staticmethod
    def _queue(when_full: Any, **settings: Any) -> EventQueue:
        wake = asyncio.get_running_loop().call_soon_threadsafe
        return MemoryQueue(QueueConfig(**settings), when_full, wake)

    def put(self, *names: str) -> list[Event]:
        events = [make_event(name) for name in names]
        assert {self.channel.put(event) for event in events} == {PutResult.ACCEPTED}
        return events

    def watched(self, name: str = "watched") -> Receipt:
        receipt = Receipt(make_event(name), ("out",))
        self.receipts.watch(receipt)
        return receipt


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    return lambda sink=None, **settings: Bench(tmp_path, sink or Store(), **settings)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


# -- opening -------------------------------------------------------------------------------------------


async def test_a_sink_is_opened_before_it_is_written_to_and_closed_when_all_is_stored(
    bench: Callable[..., Bench],
) -> None:
    one = bench()
    one.put("a", "b")
    one.channel.start()
    assert await one.channel.finish(20.0) == []
    assert one.sink.calls == ["open", "write", "close"]
    assert one.sink.stored == ["a", "b"]
    assert one.channel.put(make_event("late")) is PutResult.CLOSED


async def test_a_sink_that_cannot_be_opened_is_tried_again_with_longer_pauses(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    one = bench(Store(retry={"initial": 1.0, "max": 2.0**30}))
    one.sink.refuses_to_open = [ConnectionRefusedError("nobody listens")] * 30
    one.put("a")
    one.go_on.clear()
    with caplog.at_level(logging.WARNING, "logweir"):
        one.channel.start()
        await asyncio.wait_for(one.channel.opened_or_not(), 20.0)
    assert "sink 'out' cannot be opened, trying again: ConnectionRefusedError: nobody listens" in caplog.text
    await until(lambda: one.pauses)
    assert (one.channel.counters.state, one.channel.counters.failures) == (SinkState.DEGRADED, 1)
    assert one.channel.counters.last_error == "ConnectionRefusedError: nobody listens"
    one.go_on.set()
    await until(lambda: one.sink.stored)
    assert len(one.pauses) == one.channel.counters.failures == 30
    # Full jitter: each pause is anything up to twice the one before, so it is the ceilings that must hold.
    assert all(pause <= 2.0**number for number, pause in enumerate(one.pauses))
    assert max(one.pauses) > 100.0
    # No pause leaves anything behind that waits for the end.
    assert len(asyncio.all_tasks()) <= 3
    assert one.channel.counters.state is SinkState.HEALTHY
    assert await one.channel.finish(20.0) == []


async def test_a_sink_that_hangs_in_open_is_tried_again(bench: Callable[..., Bench]) -> None:
    one = bench(Store(retry={"timeout": 0.01}))
    one.sink.in_open = _never
    one.put("a")
    one.channel.start()
    await until(lambda: one.sink.calls == ["open", "open"])
    assert one.channel.counters.last_error == "not open within 0.01 s"
    one.sink.in_open = _nothing
    await until(lambda: one.sink.stored == ["a"])
    assert await one.channel.finish(20.0) == []


async def test_who_waits_for_the_first_attempt_waits_until_it_has_ended(bench: Callable[..., Bench]) -> None:
    one = bench()
    hold = asyncio.Event()
    one.sink.in_open = hold.wait  # type: ignore[assignment]
    one.channel.start()
    tried = asyncio.create_task(one.channel.opened_or_not())
    await until(lambda: one.sink.calls == ["open"])
    assert not tried.done()
    hold.set()
    await asyncio.wait_for(tried, 20.0)
    await one.channel.finish(20.0)


async def test_a_sink_that_is_open_counts_as_healthy_before_anything_is_written(
    bench: Callable[..., Bench],
) -> None:
    one = bench()
    one.channel.start()
    await until(lambda: one.channel.counters.state is SinkState.HEALTHY)
    assert one.sink.calls == ["open"]
    assert await one.channel.finish(20.0) == []


async def test_with_nothing_to_deliver_a_stop_does_not_wait_for_a_sink_that_cannot_be_opened(
    bench: Callable[..., Bench],
) -> None:
    one = bench()
    one.sink.refuses_to_open = [SinkUnavailable("gone")] * 1000
    one.go_on.clear()
    one.channel.start()
    await until(lambda: one.pauses)
    # The pause is over by the stop itself, and nothing else ends it.
    assert await asyncio.wait_for(one.channel.finish(3600.0), 20.0) == []
    assert one.sink.calls == ["open", "open", "close"]
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def test_while_events_wait_a_stop_goes_on_trying_to_open_the_sink(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.sink.refuses_to_open = [SinkUnavailable("gone")] * 5
    one.put("a")
    one.go_on.clear()
    one.channel.start()
    await until(lambda: one.pauses)
    finished = asyncio.create_task(one.channel.finish(3600.0))
    # The stop ends the first pause; those after it last as long as ever, so that it does not spin.
    await until(lambda: one.sink.calls.count("open") == 2 and len(one.pauses) == 2)
    await asyncio.sleep(0.01)
    assert one.sink.calls.count("open") == 2
    one.go_on.set()
    assert await asyncio.wait_for(finished, 20.0) == []
    assert one.sink.stored == ["a"]


# -- delivering ----------------------------------------------------------------------------------------


async def test_what_an_earlier_process_left_is_delivered_counted_and_waited_for_too(
    bench: Callable[..., Bench],
) -> None:
    one = bench(left=["left 1", "left 2"])
    one.put("new")
    assert one.channel.bounds == QueueConfig().bounds("memory")
    assert one.channel.statistics().depth == 3
    one.channel.start()
    await asyncio.wait_for(one.channel.settled(), 20.0)
    assert sorted(one.sink.stored) == ["left 1", "left 2", "new"]
    assert one.channel.statistics().accepted == 3
    assert await one.channel.finish(20.0) == []
    assert one.left is not None
    assert one.left.put(make_event("late")) is PutResult.CLOSED


async def test_settled_waits_for_what_is_under_way(bench: Callable[..., Bench]) -> None:
    one = bench(left=["left"])
    hold = asyncio.Event()
    one.sink.in_write = hold.wait  # type: ignore[assignment]
    one.channel.start()
    settled = asyncio.create_task(one.channel.settled())
    await until(lambda: "write" in one.sink.calls)
    assert not settled.done()
    hold.set()
    await asyncio.wait_for(settled, 20.0)
    assert one.sink.stored == ["left"]
    await one.channel.finish(20.0)


async def test_as_many_writes_are_under_way_as_there_are_workers(bench: Callable[..., Bench]) -> None:
    one = bench(Store(workers=3, batch=1))
    hold = asyncio.Event()
    one.sink.in_write = hold.wait  # type: ignore[assignment]
    one.put(*"abcde")
    one.channel.start()
    await until(lambda: one.sink.calls.count("write") == 3)
    await asyncio.sleep(0.01)
    assert one.sink.calls.count("write") == 3
    hold.set()
    assert await one.channel.finish(20.0) == []
    assert sorted(one.sink.stored) == list("abcde")


async def test_a_sink_counts_as_still_only_after_the_time_of_a_write_and_a_batch(
    bench: Callable[..., Bench],
) -> None:
    sink = Store(retry={"timeout": 20.0})
    sink.config = sink.config.model_copy(update={"batch": BatchConfig(linger=3)})
    assert bench(sink).channel.counters.still_after == pytest.approx(20.0 + 3.0 + 5.0)


async def test_a_task_that_the_sink_cancels_begins_anew_and_is_counted(bench: Callable[..., Bench]) -> None:
    one = bench(Store(retry={"initial": 0.001}))
    done: list[str] = []

    async def cancel_everything() -> None:
        if not done:
            done.append("once")
            for task in asyncio.all_tasks():
                if task.get_name().startswith("logweir: "):
                    task.cancel()

    one.sink.in_write = cancel_everything
    one.put("a")
    one.channel.start()
    await until(lambda: one.sink.stored == ["a"])
    await until(lambda: one.channel.counters.restarts == 2)  # the worker, and the one that waits for it
    assert one.sink.calls.count("open") == 1
    assert "close" not in one.sink.calls
    one.put("b")
    assert await one.channel.finish(20.0) == []
    assert one.sink.stored == ["a", "b"]
    assert one.sink.calls[-1] == "close"


async def test_an_audit_caller_learns_that_a_full_queue_forgot_its_event(bench: Callable[..., Bench]) -> None:
    one = bench(when_full="drop_oldest", max_events=1)
    forgotten = one.watched()
    one.channel.put(forgotten.event)
    one.put("newer")
    with pytest.raises(AuditError, match="sink 'out': its queue was full and forgot it"):
        forgotten.acknowledged_sync("stored", 0.0)


# -- the end -------------------------------------------------------------------------------------------


async def test_what_is_not_delivered_in_time_is_handed_back_in_its_order(bench: Callable[..., Bench]) -> None:
    one = bench(Store(workers=2, batch=2))
    one.sink.in_write = _never
    events = one.put(*"abcdef")
    one.channel.start()
    await until(lambda: one.sink.calls.count("write") == 2)
    assert await one.channel.finish(0.01) == events
    assert one.channel.statistics().depth == one.channel.statistics().in_flight == 0
    assert one.sink.stored == []
    assert one.sink.calls[-1] == "close"


async def test_a_write_that_is_at_its_end_may_end_before_the_channel_lets_go(
    bench: Callable[..., Bench],
) -> None:
    """A cancelled worker has some tenths of a second to clean up; nothing is handed back before that."""
    one = bench()
    cleaned: list[str] = []

    async def clean_up() -> None:
        try:
            await _never()
        finally:
            await asyncio.sleep(0.02)
            cleaned.append("up")

    one.sink.in_write = clean_up
    events = one.put("a")
    one.channel.start()
    await until(lambda: "write" in one.sink.calls)
    assert await one.channel.finish(0.01) == events
    assert cleaned == ["up"]
    assert one.sink.calls[-1] == "close"


async def test_nothing_begins_anew_once_a_channel_has_let_go(bench: Callable[..., Bench]) -> None:
    one = bench()
    one.sink.in_write = _never
    events = one.put("a")
    one.channel.start()
    await until(lambda: "write" in one.sink.calls)
    assert one.channel.let_go() == events
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("logweir: ")]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.15)  # longer than the pause before a restart
    assert one.sink.calls.count("write") == one.sink.calls.count("open") == 1
    assert one.channel.counters.restarts == 0
    assert one.channel.put(make_event("late")) is PutResult.CLOSED


@pytest.mark.parametrize(
    ("in_close", "said"),
    [("hangs", "sink 'out' did not close in time"), ("fails", "sink 'out' did not close: it is stuck")],
)
async def test_a_sink_that_does_not_close_is_reported_and_holds_up_nobody(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture, in_close: str, said: str
) -> None:
    async def fail() -> None:
        raise OSError("it is stuck")

    one = bench(Store(retry={"timeout": 0.01}))
    one.sink.in_close = _never if in_close == "hangs" else fail
    one.put("a")
    with caplog.at_level(logging.WARNING, "logweir"):
        one.channel.start()
        assert await asyncio.wait_for(one.channel.finish(3600.0), 20.0) == []
    assert said in caplog.text
    assert one.sink.stored == ["a"]


async def test_what_is_saved_or_lost_at_the_stop_is_counted_and_its_callers_learn_of_it(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    one = bench()
    saved, lost = one.watched("saved"), one.watched("lost")
    with caplog.at_level(logging.WARNING, "logweir"):
        one.channel.count_saved([saved.event])
        one.channel.count_lost([])
        assert caplog.text == ""
        one.channel.count_lost([lost.event])
    assert "sink 'out': 1 event was not delivered before the stop" in caplog.text
    assert (one.channel.counters.moved, one.channel.counters.lost) == (1, 1)
    assert saved.acknowledged_sync("durable", 0.0).sinks == ("out",)
    with pytest.raises(AuditError, match="the runtime stopped before it was delivered"):
        lost.acknowledged_sync("stored", 0.0)


async def test_what_stays_on_disk_is_reported_if_there_is_any(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    one = bench(left=["left"])
    with caplog.at_level(logging.WARNING, "logweir"):
        bench().channel.report_kept()
        assert caplog.text == ""
        one.channel.report_kept()
    assert (
        "sink 'out': 1 event was not delivered before the stop; kept on disk for the next start"
        in caplog.text
    )


async def test_the_books_of_all_its_queues_begin_anew(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, begun = bench(left=["left"]), list[object]()
    for queue in (one.queue, one.left):
        monkeypatch.setattr(queue, "close_books", lambda queue=queue: begun.append(queue))
    one.channel.close_books()
    assert begun == [one.queue, one.left]


async def test_a_call_that_the_watchdog_sees_has_the_name_of_the_sink(bench: Callable[..., Bench]) -> None:
    call = bench().channel.call("prune")
    assert (call.name, call.method, call.module) == ("out", "prune", __name__)
