"""What a worker's answers come to: what callers learn and when, what is counted, what a worker cut off leaves."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.unit.delivery.test_worker import Answer, Bench, ScriptedSink, event

from logweir.delivery.counters import SinkState
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.receipts import Receipt
from logweir.errors import AuditError, SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.settings.delivery import BatchConfig, QueueConfig
from logweir.sinks.results import WriteResult


def one_after_the_other(answers: list[WriteResult | Exception]) -> Answer:
    """Give, or raise, each answer once."""

    def answer(_batch: Sequence[Event]) -> WriteResult:
        following = answers.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    return answer


async def dead(bench: Bench, receipts: Mapping[str, Receipt]) -> set[str]:
    """The names of those events that are dead letters."""
    ids = {letter.id.partition(":")[0] for letter in await asyncio.to_thread(bench.dead_letters.read)}
    return {name for name, receipt in receipts.items() if receipt.event.id in ids}


# -- what callers learn --------------------------------------------------------------------------------


async def test_who_waits_for_an_event_learns_what_became_of_it_when_that_is_certain(tmp_path: Path) -> None:
    names = ("stored", "duplicate", "put off", "rejected")
    queue = MemoryQueue(QueueConfig(), "block", asyncio.get_running_loop().call_soon_threadsafe)
    receipts = [Receipt(event(name), ("test",)) for name in names]
    answers = [
        WriteResult(duplicate=frozenset({1}), retry=frozenset({2}), rejected={3: "too long"}),
        WriteResult(),
    ]
    seen: list[list[str]] = []

    def state(receipt: Receipt) -> str:
        try:
            receipt.acknowledged_sync("stored", 0.0)
        except AuditError as error:
            return "waits" if "within" in str(error) else str(error).partition(": ")[2]
        return "stored"

    def answer(_batch: Sequence[Event]) -> WriteResult:
        seen.append([state(receipt) for receipt in receipts])
        return answers.pop(0)

    bench = Bench(answer, tmp_path)
    for receipt in receipts:
        bench.receipts.watch(receipt)
        queue.put(receipt.event)
    queue.close()
    await asyncio.wait_for(bench.worker(queue).run(), 10.0)
    seen.append([state(receipt) for receipt in receipts])
    dead = "sink 'test': dead letter: too long"
    assert seen == [
        ["waits"] * 4,
        ["stored", "stored", "waits", dead],
        ["stored", "stored", "stored", dead],
    ]
    assert not bench.receipts


async def test_nobody_learns_of_a_dead_letter_before_it_is_written(tmp_path: Path) -> None:
    """The sink is done with the event only then: until then it is in hand."""
    blocked = tmp_path / "data"
    blocked.write_text("a file where the directory should be")
    bench = Bench(lambda _batch: WriteResult(rejected={0: "bad"}), blocked)
    receipt = Receipt(event("a"), ("test",))
    bench.receipts.watch(receipt)
    queue = MemoryQueue(QueueConfig(), "block", asyncio.get_running_loop().call_soon_threadsafe)
    queue.put(receipt.event)
    worker = bench.worker(queue)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(10):
        while len(bench.sleeps) < 3:
            await asyncio.sleep(0.001)
    assert bench.receipts
    assert not receipt.complete
    assert bench.counters.dead == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    worker.let_go()
    assert queue.statistics().depth == 1


async def test_what_is_counted_and_said_of_writes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = [
        SinkUnavailable("gone"),
        WriteResult(retry=frozenset({0, 1}), retry_reason="later", rejected={2: "too long"}),
        WriteResult(retry=frozenset({0})),
        WriteResult(),
    ]

    bench = Bench(one_after_the_other(answers), tmp_path)
    bench.ticks = [1.0, 10.0, 12.5, 20.0, 21.0, 30.0, 30.25]
    await bench.deliver("a", "b", "c")
    counters = bench.counters
    assert (counters.batches, counters.failures) == (3, 3)
    assert counters.write_seconds == pytest.approx(2.5 + 1.0 + 0.25)
    # Three events after the first failure, two that were put off, and one of them again.
    assert (counters.retried, counters.put_off) == (6, 3)
    assert (counters.stored, counters.dead) == (2, 1)
    for said in (
        "sink 'test' failed: gone",
        "sink 'test' put off 2 events: later",
        "(c): too long",
    ):
        assert said in caplog.text
    assert counters.last_error == "the sink asks to send it again"


async def test_a_write_notes_that_something_moves(tmp_path: Path) -> None:
    seen: list[float] = []
    bench = Bench(lambda _batch: (seen.append(bench.counters.still_for(3600.0)), WriteResult())[1], tmp_path)
    bench.counters.moved_at -= 1800.0
    assert bench.counters.still_for(3600.0) > 0
    await bench.deliver("a")
    assert seen == [0.0]


# -- putting off ---------------------------------------------------------------------------------------


async def test_what_is_put_off_is_out_of_attempts_after_as_many_as_all_others(tmp_path: Path) -> None:
    bench = Bench(lambda _batch: WriteResult(retry=frozenset({0})), tmp_path, max_attempts=3, initial=0.001)
    await bench.deliver("a")
    assert bench.sink.calls == [["a"]] * 3
    assert await bench.reasons() == ["the sink asks to send it again"]


async def test_attempts_before_and_after_an_event_was_put_off_count_together(tmp_path: Path) -> None:
    answers = [SinkUnavailable("gone"), WriteResult(retry=frozenset({0})), SinkUnavailable("gone for good")]

    bench = Bench(one_after_the_other(answers), tmp_path, max_attempts=3, initial=0.001)
    await bench.deliver("a")
    assert answers == []
    assert await bench.reasons() == ["gone for good"]


async def test_a_sink_that_takes_a_part_is_healthy_and_gets_the_next_batch_at_once(tmp_path: Path) -> None:
    states: list[SinkState] = []

    def answer(batch: Sequence[Event]) -> WriteResult:
        states.append(bench.counters.state)
        return WriteResult(retry=frozenset({0})) if len(batch) > 1 else WriteResult()

    bench = Bench(answer, tmp_path, initial=1e-6, max=1e-6)
    bench.config = bench.config.model_copy(update={"batch": BatchConfig(linger=0, max_events=2)})
    await bench.deliver("a", "b", "c", "d", "e")
    assert set(states[1:]) == {SinkState.HEALTHY}
    assert bench.sleeps == []
    assert sorted(bench.sink.stored) == ["a", "b", "c", "d", "e"]


async def test_a_server_that_names_a_time_for_events_of_a_batch_is_left_alone_until_then(
    tmp_path: Path,
) -> None:
    answers = [WriteResult(retry=frozenset({0}), retry_after=0.05), WriteResult(), WriteResult()]
    bench = Bench(lambda _batch: answers.pop(0), tmp_path, initial=0.0)
    bench.config = bench.config.model_copy(update={"batch": BatchConfig(linger=0, max_events=2)})
    await bench.deliver("a", "b", "c")
    assert bench.sleeps == [0.05]
    assert bench.sink.calls == [["a", "b"], ["c"], ["a"]]


async def test_a_time_that_the_server_names_for_what_was_set_aside_holds_for_all(tmp_path: Path) -> None:
    answers = [WriteResult(retry=frozenset({0})), SinkUnavailable("busy", retry_after=0.05), WriteResult()]

    bench = Bench(one_after_the_other(answers), tmp_path, initial=0.0)
    await bench.deliver("a")
    assert bench.sleeps[-1] == 0.05
    assert bench.sink.stored == ["a"]
    assert bench.counters.put_off == 2


# -- a worker that is cut off --------------------------------------------------------------------------


@pytest.mark.parametrize("step", range(40))
async def test_a_worker_that_is_cut_off_at_any_step_gives_back_what_is_not_settled(
    tmp_path: Path, step: int
) -> None:
    """Each event is stored, a dead letter, or waits; and who waits for it learns nothing untrue."""
    failed: set[str] = set()

    def answer(batch: Sequence[Event]) -> WriteResult:
        names = [item.name for item in batch]
        if "away" not in failed:
            failed.add("away")
            raise SinkUnavailable("gone")
        if len(names) > 1 and "poison" in names:
            raise SinkRejected("cannot encode")
        rejected = {index: "bad" for index, name in enumerate(names) if name in {"bad", "poison"}}
        later = {index for index, name in enumerate(names) if name == "later" and name not in failed}
        failed.update(names[index] for index in later)
        return WriteResult(rejected=rejected, retry=frozenset(later))

    class Slow(ScriptedSink):
        async def write(self, batch: Sequence[Event]) -> WriteResult:
            await asyncio.sleep(0)
            result = await super().write(batch)
            await asyncio.sleep(0)
            return result

    bench = Bench(answer, tmp_path, initial=0.001, max=0.002)
    bench.sink = Slow(answer)
    names = ["a", "later", "bad", "b", "poison", "c"]
    receipts = {name: Receipt(event(name), ("test",)) for name in names}
    queue = MemoryQueue(QueueConfig(), "block", asyncio.get_running_loop().call_soon_threadsafe)
    for receipt in receipts.values():
        bench.receipts.watch(receipt)
        queue.put(receipt.event)
    worker = bench.worker(queue)
    running = asyncio.create_task(worker.run())
    for _ in range(step):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    worker.let_go()
    letters = await dead(bench, receipts)
    now = queue.statistics()
    assert now.in_flight == 0
    done = {name for name, receipt in receipts.items() if receipt.complete}
    assert done <= {*bench.sink.stored, *letters}
    assert now.depth == len(names) - len(done)
    assert bench.counters.stored + bench.counters.dead == len(done)
    queue.close()
    await asyncio.wait_for(bench.worker(queue).run(), 10.0)
    assert {*bench.sink.stored} == {"a", "later", "b", "c"}
    letters = await dead(bench, receipts)
    assert letters == {"bad", "poison"}
    assert not bench.receipts
    assert bench.counters.stored + bench.counters.dead == len(names)


async def test_a_worker_that_has_let_go_has_nothing_in_hand_any_more(tmp_path: Path) -> None:
    answers: list[WriteResult | Exception] = [SinkUnavailable("gone"), WriteResult()]
    bench = Bench(one_after_the_other(answers), tmp_path)
    queue = MemoryQueue(QueueConfig(), "block", asyncio.get_running_loop().call_soon_threadsafe)
    queue.put(event("a"))
    worker = bench.worker(queue)
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(10):
        while not bench.sleeps:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    worker.let_go()
    queue.close()
    await asyncio.wait_for(worker.run(), 10.0)
    assert bench.sink.calls == [["a"], ["a"]]
    assert bench.counters.stored == 1
