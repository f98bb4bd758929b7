"""What a worker does with every answer that a sink can give."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.delivery.counters import DeliveryCounters, SinkState
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.retry import pause_before_retry
from logweir.delivery.worker import Clock, Worker
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event, Kind, new_event_id
from logweir.process.pacing import leisure
from logweir.settings.delivery import BatchConfig, QueueConfig, RetryConfig
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult

Answer = Callable[[Sequence[Event]], WriteResult]


def event(name: str) -> Event:
    return Event(new_event_id(), 1, Kind.TRACING, "info", name, "s", "test", None, None, {}, 100)


class ScriptedSink(Sink[SinkConfig]):
    """Keeps what it stores and answers as its script says."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(SinkConfig(type="scripted"))
        self.answer = answer
        self.stored: list[str] = []
        self.calls: list[list[str]] = []

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self.calls.append([item.name for item in batch])
        result = self.answer(batch)
        gone = result.retry | result.duplicate | result.rejected.keys()
        self.stored += [item.name for index, item in enumerate(batch) if index not in gone]
        return result


class Bench:
    """One worker, its sink and everything it counts; sleeping takes no time and is noted."""

    def __init__(self, answer: Answer, tmp_path: Path, **retry: Any) -> None:
        self.sleeps: list[float] = []
        self.receipts = OpenReceipts()
        self.ticks: list[float] = []
        self.sink = ScriptedSink(answer)
        self.counters = DeliveryCounters()
        self.dead_letters = DeadLetters(tmp_path)
        self.config = SinkConfig(
            type="scripted", batch=BatchConfig(linger=0), retry=RetryConfig(**{"timeout": 5.0, **retry})
        )

    async def deliver(self, *names: str) -> None:
        queue = MemoryQueue(QueueConfig(), "block", asyncio.get_running_loop().call_soon_threadsafe)
        for name in names:
            queue.put(event(name))
        queue.close()
        await asyncio.wait_for(self.worker(queue).run(), 10.0)
        assert queue.statistics().in_flight == 0

    def worker(self, queue: MemoryQueue) -> Worker:
        return Worker(
            "test",
            self.sink,
            self.config,
            queue,
            self.dead_letters,
            self.counters,
            self.receipts,
            self._clock(),
        )

    def _clock(self) -> Clock:
        async def sleep(seconds: float) -> None:
            self.sleeps.append(seconds)
            await asyncio.sleep(0)

        return Clock(lambda: self.ticks.pop(0) if self.ticks else 0.0, sleep)

    async def reasons(self) -> list[str]:
        letters = await asyncio.to_thread(self.dead_letters.read)
        return [letter.reason for letter in letters]


def failing(times: int, error: Exception) -> Answer:
    """An answer that raises ``times`` times and then stores."""
    left = [times]

    def answer(_batch: Sequence[Event]) -> WriteResult:
        if left[0]:
            left[0] -= 1
            raise error
        return WriteResult.all_stored()

    return answer


async def test_a_sink_has_time_for_pauses_while_its_queue_has(tmp_path: Path) -> None:
    asked: list[bool] = []

    def answer(_batch: Sequence[Event]) -> WriteResult:
        decide = leisure()
        asked.append(decide is not None and decide())
        queue.close()
        asked.append(decide is not None and decide())
        return WriteResult.all_stored()

    queue = MemoryQueue(QueueConfig(), "block", asyncio.get_running_loop().call_soon_threadsafe)
    queue.put(event("a"))
    await asyncio.wait_for(Bench(answer, tmp_path).worker(queue).run(), 10.0)
    assert asked == [True, False]
    assert leisure() is None


async def test_a_stored_batch_is_counted(tmp_path: Path) -> None:
    bench = Bench(lambda _batch: WriteResult.all_stored(), tmp_path)
    await bench.deliver("a", "b")
    assert (bench.counters.stored, bench.counters.batches, bench.sleeps) == (2, 1, [])
    assert bench.counters.state is SinkState.HEALTHY


async def test_duplicates_are_success_and_counted_apart(tmp_path: Path) -> None:
    bench = Bench(lambda _batch: WriteResult(duplicate=frozenset({0})), tmp_path)
    await bench.deliver("a", "b")
    assert (bench.counters.stored, bench.counters.duplicate) == (1, 1)


async def test_an_unavailable_sink_is_tried_again_until_it_stores(tmp_path: Path) -> None:
    bench = Bench(failing(20, SinkUnavailable("gone")), tmp_path)
    await bench.deliver("a", "b")
    assert bench.sink.stored == ["a", "b"]
    assert len(bench.sleeps) == 20
    assert (bench.counters.retried, bench.counters.failures) == (40, 20)


async def test_back_off_never_undercuts_what_the_server_asked(tmp_path: Path) -> None:
    bench = Bench(failing(1, SinkUnavailable("busy", retry_after=7.0)), tmp_path)
    await bench.deliver("a")
    assert bench.sleeps[0] >= 7.0


@pytest.mark.parametrize(("asked", "at_least"), [(1e300, 300.0), (float("inf"), 0.0), ("soon", 0.0)])
async def test_b5_a_sink_that_asks_to_wait_for_ever_is_tried_again_within_minutes(
    tmp_path: Path, asked: Any, at_least: float
) -> None:
    bench = Bench(failing(1, SinkUnavailable("busy", retry_after=asked)), tmp_path)
    await bench.deliver("a")
    assert bench.sink.stored == ["a"]
    assert at_least <= bench.sleeps[0] <= at_least + 31


async def test_only_the_events_to_retry_are_sent_again_in_their_order(tmp_path: Path) -> None:
    answers = [WriteResult(retry=frozenset({0, 2})), WriteResult()]
    bench = Bench(lambda _batch: answers.pop(0), tmp_path)
    await bench.deliver("a", "b", "c")
    assert bench.sink.calls == [["a", "b", "c"], ["a", "c"]]
    assert bench.counters.stored == 3


async def test_while_all_is_put_off_the_worker_pauses_longer_each_time_up_to_a_second(tmp_path: Path) -> None:
    """What comes next may pass; and a server that is short of breath is not overrun."""
    answers = [WriteResult(retry=frozenset({0}))] * 40
    bench = Bench(
        lambda _batch: answers.pop() if answers else WriteResult(), tmp_path, initial=0.001, max=60.0
    )
    bench.config = bench.config.model_copy(update={"batch": BatchConfig(linger=0, max_events=1)})
    await bench.deliver(*map(str, range(40)))
    assert len(bench.sink.stored) == 40
    assert 0.001 < max(bench.sleeps) <= 1.0


async def test_a_rejected_event_becomes_a_dead_letter_with_its_reason(tmp_path: Path) -> None:
    bench = Bench(lambda _batch: WriteResult(rejected={1: "too long"}), tmp_path)
    await bench.deliver("a", "b", "c")
    assert (bench.sink.stored, await bench.reasons()) == (["a", "c"], ["too long"])
    assert (bench.counters.stored, bench.counters.dead) == (2, 1)


async def test_a_poisoned_batch_is_split_until_the_poison_is_alone(tmp_path: Path) -> None:
    def answer(batch: Sequence[Event]) -> WriteResult:
        if any(item.name == "poison" for item in batch):
            raise SinkRejected("cannot encode")
        return WriteResult.all_stored()

    bench = Bench(answer, tmp_path)
    await bench.deliver(*"abc", "poison", *"defg")
    assert bench.sink.stored == list("abcdefg")
    assert await bench.reasons() == ["cannot encode"]
    halves = ["abc poison defg", "abc poison", "ab", "c poison", "c", "poison", "defg"]
    assert ["".join(call) for call in bench.sink.calls] == [half.replace(" ", "") for half in halves]
    assert bench.sleeps == []


async def test_a_poisoned_event_that_is_alone_is_tried_three_times_when_the_sink_has_a_bug(
    tmp_path: Path,
) -> None:
    bench = Bench(failing(100, ZeroDivisionError()), tmp_path)
    await bench.deliver("a")
    assert bench.sink.calls == [["a"]] * 3
    assert len(bench.sleeps) == 2
    assert await bench.reasons() == ["ZeroDivisionError: "]


async def test_an_unexpected_exception_is_transient_three_times_and_then_poison(tmp_path: Path) -> None:
    def answer(batch: Sequence[Event]) -> WriteResult:
        if any(item.name == "poison" for item in batch):
            raise ZeroDivisionError("a bug in the sink")
        return WriteResult.all_stored()

    bench = Bench(answer, tmp_path)
    await bench.deliver("a", "poison", "b")
    assert bench.sink.stored == ["a", "b"]
    assert await bench.reasons() == ["ZeroDivisionError: a bug in the sink"]


async def test_max_attempts_ends_in_the_dead_letters(tmp_path: Path) -> None:
    bench = Bench(failing(100, SinkUnavailable("gone")), tmp_path, max_attempts=4)
    await bench.deliver("a", "b")
    assert len(bench.sink.calls) == 4
    assert await bench.reasons() == ["gone", "gone"]


async def test_a_sink_that_never_answers_is_timed_out_and_tried_again(tmp_path: Path) -> None:
    class Hanging(ScriptedSink):
        async def write(self, batch: Sequence[Event]) -> WriteResult:
            if not self.calls:
                self.calls.append([])
                await asyncio.Event().wait()
            return await super().write(batch)

    bench = Bench(lambda _batch: WriteResult.all_stored(), tmp_path, timeout=0.05)
    bench.sink = Hanging(bench.sink.answer)
    await bench.deliver("a")
    assert bench.sink.stored == ["a"]
    assert "no answer within" in bench.counters.last_error


async def test_a_sink_is_down_after_three_failures_and_healthy_when_it_answers(tmp_path: Path) -> None:
    states: list[SinkState] = []
    bench = Bench(failing(4, SinkUnavailable("gone")), tmp_path)
    answer = bench.sink.answer

    def watched(batch: Sequence[Event]) -> WriteResult:
        states.append(bench.counters.state)
        return answer(batch)

    bench.sink.answer = watched
    await bench.deliver("a")
    assert states == [
        SinkState.OPENING,
        SinkState.DEGRADED,
        SinkState.DEGRADED,
        SinkState.DOWN,
        SinkState.DOWN,
    ]
    assert bench.counters.state is SinkState.HEALTHY


@pytest.mark.busy
class _Silent(SinkUnavailable):
    """Calls no other ``__init__``, as an error of a sink's own may."""

    def __init__(self, code: int) -> None:
        self.code = code


class _Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class _MuteRejection(SinkRejected):
    def __repr__(self) -> str:
        return "a rejection"

    __str__ = _Mute.__str__


class _MuteWait(SinkUnavailable):
    @property
    def retry_after(self) -> float:  # type: ignore[override]
        raise RuntimeError("no wait")

    @retry_after.setter
    def retry_after(self, _value: float | None) -> None:
        pass


@pytest.mark.parametrize(
    "error",
    [_Silent(503), _Mute(), _MuteRejection("bad"), _MuteWait("busy")],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_that_cannot_be_asked_for_its_text_or_wait_is_an_error_like_others(
    error: Exception, tmp_path: Path
) -> None:
    def answer(batch: Sequence[Event]) -> WriteResult:
        if any(item.name == "poison" for item in batch):
            raise error
        return WriteResult.all_stored()

    bench = Bench(answer, tmp_path, max_attempts=3)
    await bench.deliver("poison")
    await bench.deliver("good")
    assert bench.sink.stored == ["good"]
    assert bench.counters.dead == 1
    (reason,) = await bench.reasons()
    assert reason == bench.counters.last_error
    assert isinstance(error, _Silent) or type(error).__name__ in reason


async def test_dead_letters_that_cannot_be_written_are_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "data"
    blocked.write_text("a file where the directory should be")
    bench = Bench(lambda _batch: WriteResult(rejected={0: "bad"}), blocked)
    delivery = asyncio.create_task(bench.deliver("a"))
    async with asyncio.timeout(10):
        while not bench.sleeps:
            await asyncio.sleep(0.001)
    blocked.unlink()
    await delivery
    assert await bench.reasons() == ["bad"]


async def test_a_worker_that_failed_resumes_with_what_it_had_in_hand(tmp_path: Path) -> None:
    bench = Bench(lambda _batch: WriteResult.all_stored(), tmp_path)
    queue = MemoryQueue(QueueConfig(), "block", asyncio.get_running_loop().call_soon_threadsafe)
    queue.put(event("a"))
    queue.close()
    worker = bench.worker(queue)
    deliver, worker._deliver = worker._deliver, None  # type: ignore[method-assign,assignment]
    with pytest.raises(TypeError):
        await worker.run()
    worker._deliver = deliver  # type: ignore[method-assign]
    await worker.run()
    assert bench.sink.stored == ["a"]


@given(
    st.integers(1, 200), st.floats(0, 10), st.floats(0, 100), st.none() | st.floats(0, 1000), st.floats(0, 1)
)
def test_a_pause_lies_between_its_floor_and_its_ceiling(
    attempt: int, initial: float, maximum: float, retry_after: float | None, chance: float
) -> None:
    config = RetryConfig(initial=initial, max=maximum)
    pause = pause_before_retry(
        attempt, config, retry_after=retry_after, uniform=lambda low, high: low + (high - low) * chance
    )
    floor = retry_after or 0.0
    assert floor <= pause <= floor + maximum


@given(data=st.data())
@settings(max_examples=25, deadline=None)
async def test_every_event_settles_exactly_once_whatever_the_sink_answers(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The law of delivery: stored + duplicate + dead = accepted, over random answers."""
    settled: list[str] = []

    def answer(batch: Sequence[Event]) -> WriteResult:
        choice = data.draw(st.sampled_from(["mixed", "unavailable", "rejected", "bug", "stored"]))
        if choice == "unavailable":
            raise SinkUnavailable("gone")
        if choice == "rejected":
            raise SinkRejected("no")
        if choice == "bug":
            raise RuntimeError("bug")
        if choice == "stored":
            settled.extend(item.name for item in batch)
            return WriteResult.all_stored()
        verdicts = [data.draw(st.sampled_from("sdrx")) for _ in batch]
        chosen = {verdict: [index for index, v in enumerate(verdicts) if v == verdict] for verdict in "sdrx"}
        settled.extend(batch[index].name for index in chosen["s"] + chosen["d"])
        return WriteResult(
            duplicate=frozenset(chosen["d"]),
            retry=frozenset(chosen["r"]),
            rejected=dict.fromkeys(chosen["x"], "bad"),
        )

    names = [str(number) for number in range(data.draw(st.integers(1, 6)))]
    bench = Bench(answer, tmp_path_factory.mktemp("letters"), max_attempts=6)
    await bench.deliver(*names)
    counters = bench.counters
    assert counters.stored + counters.duplicate + counters.dead == len(names)
    assert len(settled) == counters.stored + counters.duplicate
    assert len(set(settled)) == len(settled)
    assert len(await bench.reasons()) == counters.dead
