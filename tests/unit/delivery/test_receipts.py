"""What a receipt answers, at each level, whatever the queues and the sinks say and when."""

import asyncio
import gc
import itertools
import threading
import weakref
from typing import Any

import pytest

from logweir.delivery.queue import OnDurable
from logweir.delivery.receipts import AckLevel, OpenReceipts, Receipt
from logweir.errors import AuditError
from logweir.testing.contract import make_event

LEVELS: tuple[AckLevel, ...] = ("accepted", "durable", "stored")


def receipt(*sinks: str) -> Receipt:
    return Receipt(make_event("fund.transfer"), sinks or ("a", "b"))


async def answer(asked: Receipt, level: AckLevel, timeout: float = 0.01) -> str:
    """``ok``, or why not."""
    try:
        assert (await asked.acknowledged(level, timeout)).level == level
    except AuditError as error:
        return str(error).partition(": ")[2] or "too late"
    return "ok"


@pytest.mark.parametrize(
    ("news", "answers"),
    [
        ([], ["ok", "too late", "too late"]),
        (["a on disk"], ["ok", "too late", "too late"]),
        (["a on disk", "b on disk"], ["ok", "ok", "too late"]),
        (["a stored", "b stored"], ["ok", "ok", "ok"]),
        (["a on disk", "b stored"], ["ok", "ok", "too late"]),  # a has its queue on disk, b in memory
        (["a on disk", "b on disk", "a stored", "b stored"], ["ok", "ok", "ok"]),
        (["a on disk", "b on disk", "a dead"], ["ok", "ok", "sink 'a': dead letter"]),
        (["a dead"], ["ok", "sink 'a': dead letter", "sink 'a': dead letter"]),
        (["a failed"], ["ok", "sink 'a': disk full", "sink 'a': disk full"]),
        (["refused"], ["full"] * 3),
        (["a on disk", "refused"], ["full"] * 3),
    ],
)
async def test_each_level_is_answered_as_soon_as_it_is_certain(news: list[str], answers: list[str]) -> None:
    for order in itertools.permutations(news) if "a dead" not in news else [news]:
        asked = receipt()
        for item in order:
            sink = item[0]
            match item.partition(" ")[2] or item:
                case "on disk":
                    asked.on_durable(sink)(None)
                case "stored":
                    asked.settled(sink, None)
                case "dead":
                    asked.settled(sink, "dead letter")
                case "failed":
                    asked.on_durable(sink)(OSError("disk full"))
                case "refused":
                    asked.refused("full")
        assert [await answer(asked, level) for level in LEVELS] == answers


async def test_the_disks_own_error_is_the_cause() -> None:
    asked, error = receipt("a"), OSError("disk full")
    asked.on_durable("a")(error)
    with pytest.raises(AuditError, match=r"fund\.transfer\) was not durable: sink 'a': disk full") as refused:
        await asked.acknowledged("durable", 1.0)
    assert refused.value.__cause__ is error


@pytest.mark.parametrize("level", ["durable", "stored"])
async def test_callers_on_many_loops_and_threads_are_notified_once_it_is_there(level: AckLevel) -> None:
    asked = receipt("a")
    ready = threading.Barrier(5)

    def in_a_thread() -> Any:
        ready.wait()
        return asked.acknowledged_sync(level, 10.0)

    def on_a_loop() -> Any:
        async def wait() -> Any:
            ready.wait()
            return await asked.acknowledged(level, 10.0)

        return asyncio.run(wait())

    threads = [asyncio.to_thread(call) for call in (in_a_thread, in_a_thread, on_a_loop, on_a_loop)]
    waiting = asyncio.gather(*threads, asked.acknowledged(level, 10.0))
    await asyncio.to_thread(ready.wait)
    await asyncio.to_thread(asked.settled, "a", None)
    assert {ack.event_id for ack in await waiting} == {asked.event.id}


class AnsweredInBetween(Receipt):
    """The answer comes when the caller has looked whether it is there, and has not yet said that it waits."""

    def _when(self, level: AckLevel, callback: OnDurable) -> None:
        self.settled("a", None)
        super()._when(level, callback)


@pytest.mark.parametrize("level", ["durable", "stored"])
async def test_an_answer_between_the_look_and_the_wait_is_not_missed(level: AckLevel) -> None:
    for wait in ("loop", "thread"):
        asked = AnsweredInBetween(make_event("fund.transfer"), ("a",))
        if wait == "loop":
            answered = asked.acknowledged(level, 3600.0)
        else:
            answered = asyncio.to_thread(asked.acknowledged_sync, level, 3600.0)
        assert (await asyncio.wait_for(answered, 10.0)).level == level


def test_a_caller_who_has_its_answer_is_not_called_again() -> None:
    asked, calls = receipt("a"), list[object]()
    asked._when("durable", calls.append)
    asked.durable("a")
    asked.settled("a", None)
    asked.refused("too late to matter")
    assert calls == [None]


async def test_a_refusal_ends_the_waiting_at_once() -> None:
    asked = receipt()
    waiting = asyncio.create_task(asked.acknowledged("stored", 3600.0))
    await asyncio.sleep(0)
    await asyncio.to_thread(asked.refused, "its queue answered dropped")
    with pytest.raises(AuditError, match="answered dropped"):
        await waiting


async def test_what_a_server_said_is_shown_to_the_caller_without_secrets() -> None:
    asked = receipt("a")
    asked.settled("a", "dead letter: refused by postgresql://app:hunter2@db/app")
    with pytest.raises(AuditError, match="dead letter: refused by") as caught:
        await asked.acknowledged("stored", 1.0)
    assert "hunter2" not in str(caught.value)


async def test_a_caller_that_is_cancelled_is_forgotten() -> None:
    asked = receipt("a")
    waiting = asyncio.create_task(asked.acknowledged("durable", 3600.0))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    asked.durable("a")
    assert (await asked.acknowledged("durable", 1.0)).sinks == ("a",)


async def test_too_late_says_who_has_not_answered() -> None:
    asked = receipt()
    asked.durable("a")
    with pytest.raises(AuditError, match=r"not durable within 0\.01 s by b; it stays in the queue"):
        await asked.acknowledged("durable", 0.01)
    with pytest.raises(AuditError, match=r"not stored within 0\.01 s by a, b"):
        await asyncio.to_thread(asked.acknowledged_sync, "stored", 0.01)


async def test_a_tracker_forgets_what_is_complete_and_ends_what_is_not() -> None:
    tracker, done, open_ = OpenReceipts(), receipt("a"), receipt("a")
    for asked in (done, open_):
        tracker.watch(asked)
    tracker.settled("a", done.event)
    assert tracker
    tracker.end()
    assert not tracker
    assert await answer(done, "stored") == "ok"
    assert (await answer(open_, "stored")).startswith("sink 'a': the runtime stopped first")


async def test_what_is_on_disk_when_the_runtime_stops_was_durable_whenever_its_caller_looks() -> None:
    tracker, saved, half = OpenReceipts(), receipt("a"), receipt("a", "b")
    for asked in (saved, half):
        tracker.watch(asked)
        tracker.durable("a", asked.event)
    tracker.end()
    assert [await answer(saved, level) for level in LEVELS[:2]] == ["ok", "ok"]
    assert await answer(half, "accepted") == "ok"
    assert (await answer(half, "durable")).startswith("sink 'b': the runtime stopped first")
    for asked in (saved, half):
        assert "sink 'a': the runtime stopped first" in await answer(asked, "stored")


async def test_callers_with_different_patience_give_up_each_in_its_time() -> None:
    asked = receipt("a")
    patience = [0.2, 0.01, 0.05, 0.01, 3600.0]
    waiting = [asyncio.create_task(asked.acknowledged("durable", seconds)) for seconds in patience]
    await asyncio.wait(waiting[:4])
    assert [str(task.exception()).split(" within ")[1].split(" by ")[0] for task in waiting[:4]] == [
        "0.2 s",
        "0.01 s",
        "0.05 s",
        "0.01 s",
    ]
    assert not waiting[4].done()
    asked.durable("a")
    assert (await waiting[4]).level == "durable"
    with pytest.raises(AuditError, match=r"not durable within 0\.01 s"):
        await receipt("a").acknowledged("durable", 0.01)


def test_loops_that_are_gone_are_forgotten() -> None:
    loops = []

    async def wait() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        asked = receipt("a")
        threading.Timer(0.005, asked.durable, "a").start()
        await asked.acknowledged("durable", 3600.0)

    for _ in range(3):
        asyncio.run(wait())
    gc.collect()
    assert [loop() for loop in loops] == [None] * 3
