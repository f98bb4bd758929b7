"""What went to a fallback comes back: written by its id, then deleted there, whoever is killed in between."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from logweir.delivery.fallback.circuit import CircuitState
from logweir.errors import SinkUnavailable

Pairs = Callable[..., Any]
RETURN = {"return": True}


async def with_events_in_the_fallback(pair: Pairs, *names: str) -> Any:
    one = pair(**RETURN)
    await one.both.open()
    await one.diverts()
    await one.both.write(one.events(*names))
    assert one.other.names == list(names)
    return one


async def test_what_is_in_the_fallback_is_written_to_the_sink_and_deleted_there(pair: Pairs) -> None:
    one = await with_events_in_the_fallback(pair, "x", "y", "z")
    await one.works()
    assert (one.sink.names, one.both.counters.in_fallback) == ([], 3)
    await one.comes_back()
    assert (one.sink.names, one.other.names) == (["x", "y", "z"], [])
    assert one.circuit.state is CircuitState.CLOSED
    assert (one.both.counters.returned, one.both.counters.in_fallback, await one.noted()) == (3, 0, 0)


async def test_without_return_it_stays_in_the_fallback(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    await one.both.write(one.events("x"))
    await one.comes_back()
    await one.both.write(one.events("y"))
    await one.works()
    assert (one.sink.names, one.other.names) == (["y"], ["x"])


async def test_it_comes_back_in_several_batches(pair: Pairs) -> None:
    one = await with_events_in_the_fallback(pair, "x")
    for _ in range(3):
        await one.both.write(one.events(*["y"] * 400))
    await one.comes_back()
    assert (len(one.sink.events), len(one.other.events)) == (1201, 0)


@pytest.mark.parametrize("killed_in", ["write", "returned", "delete", "deleted"])
async def test_whatever_step_a_kill_interrupts_the_next_process_ends_in_the_same_place(
    pair: Pairs, killed_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await with_events_in_the_fallback(pair, "x", "y")
    for done in (False, True):
        owner = {"write": one.sink, "delete": one.other}.get(killed_in, one.ledger)
        original = getattr(owner, killed_in)

        def killed(*args: Any, done: bool = done, original: Any = original) -> Any:
            if not done:
                raise MemoryError("killed before it")
            answer = original(*args)
            if not asyncio.iscoroutine(answer):
                raise MemoryError("killed after it")

            async def after() -> None:
                await answer
                raise MemoryError("killed after it")

            return after()

        monkeypatch.setattr(owner, killed_in, killed)
        one.sink.down = None
        with pytest.raises(MemoryError):
            await one.works()
        monkeypatch.undo()
        await one.killed()
    for _ in range(3):
        await one.works()
    assert (one.sink.names, one.other.names) == (["x", "y"], [])
    assert await one.noted() == 0


async def test_what_the_sink_refuses_stays_in_the_fallback_and_is_reported(
    pair: Pairs, caplog: pytest.LogCaptureFixture
) -> None:
    one = await with_events_in_the_fallback(pair, "x", "bad", "y")
    one.sink.refused = {"bad"}
    with caplog.at_level(logging.WARNING, "logweir"):
        await one.comes_back()
    assert (sorted(one.sink.names), one.other.names) == (["x", "y"], ["bad"])
    assert "which stays in its fallback 'b': refused" in caplog.text
    assert await one.noted() == 0


async def test_what_somebody_changed_in_the_fallback_holds_up_nothing_and_is_reported(
    pair: Pairs, caplog: pytest.LogCaptureFixture
) -> None:
    one = await with_events_in_the_fallback(pair, "x", "changed", "y")
    one.other.unreadable = {"changed"}
    with caplog.at_level(logging.WARNING, "logweir"):
        await one.comes_back()
    assert (sorted(one.sink.names), one.other.names) == (["x", "y"], ["changed"])
    assert "is no event" in caplog.text
    one.other.unreadable = set()
    await one.works()
    assert (sorted(one.sink.names), one.other.names) == (["changed", "x", "y"], [])


async def test_what_the_sink_puts_off_is_tried_again(pair: Pairs) -> None:
    one = await with_events_in_the_fallback(pair, "x", "busy")
    one.sink.waiting = {"busy"}
    await one.comes_back()
    assert (one.sink.names, one.other.names) == (["x"], ["busy"])
    one.sink.waiting = set()
    await one.works()
    assert (one.sink.names, one.other.names) == (["x", "busy"], [])


async def test_a_sink_that_goes_down_again_leaves_the_rest_for_later(pair: Pairs) -> None:
    one = await with_events_in_the_fallback(pair, "x")
    one.sink.after_storing = SinkUnavailable("away again")
    one.sink.down = None
    with pytest.raises(SinkUnavailable):
        await one.works()
    assert one.circuit.state is CircuitState.OPEN
    assert one.other.names == ["x"]
    one.sink.after_storing = None
    await one.works()
    assert (one.sink.names, one.other.names) == (["x"], [])


async def test_what_is_not_found_is_looked_for_for_an_hour_and_then_reported(
    pair: Pairs, caplog: pytest.LogCaptureFixture
) -> None:
    one = await with_events_in_the_fallback(pair, "x", "y")
    held = dict(one.other.events)
    one.other.events.clear()  # a store that shows late what was written
    await one.comes_back()
    assert await one.noted() == 2
    first = next(iter(held))
    one.other.events[first] = held[first]
    await one.works()
    assert (one.sink.names, await one.noted()) == (["x"], 1)
    one.now += 3601.0
    with caplog.at_level(logging.WARNING, "logweir"):
        await one.works()
    assert "1 event is gone from its fallback 'b'" in caplog.text
    assert await one.noted() == 0


async def test_what_never_came_to_the_fallback_is_not_looked_for_for_long(
    pair: Pairs, caplog: pytest.LogCaptureFixture
) -> None:
    one = await with_events_in_the_fallback(pair, "x")
    events = one.events("killed before it was written")
    await asyncio.to_thread(one.ledger.note, [events[0].id])
    await one.comes_back()
    await one.both.write(events)
    assert await one.noted() == 1
    one.now += 61.0
    with caplog.at_level(logging.WARNING, "logweir"):
        await one.works()
    assert await one.noted() == 0
    assert "gone from its" not in caplog.text
    assert one.sink.names == ["x", "killed before it was written"]


@pytest.mark.parametrize("noted_before", ["write", "delete"])
async def test_what_goes_to_the_fallback_again_while_it_returns_is_brought_back_again(
    pair: Pairs, noted_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await with_events_in_the_fallback(pair, "x")
    (event,) = one.other.events.values()
    write, delete = one.sink.write, one.other.delete

    async def note_before(method: str) -> None:
        """As another process does that has the event too, and whose connection to the sink is cut."""
        if method == noted_before:
            one.now += 0.1
            await asyncio.to_thread(one.ledger.note, [event.id])

    async def writes(batch: Any) -> Any:
        await note_before("write")
        return await write(batch)

    async def deletes(ids: Any) -> int:
        await note_before("delete")
        gone = int(await delete(ids))
        monkeypatch.undo()
        await one.other.write([event])
        return gone

    monkeypatch.setattr(one.sink, "write", writes)
    monkeypatch.setattr(one.other, "delete", deletes)
    await one.comes_back()
    await one.works()
    assert (one.sink.names, one.other.names) == (["x"], [])
    assert await one.noted() == 0


async def test_what_goes_to_the_fallback_again_while_it_is_given_up_is_brought_back(
    pair: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await with_events_in_the_fallback(pair, "x")
    (event,) = one.other.events.values()
    one.other.events.clear()
    one.now += 4000.0
    give_up = one.ledger.give_up

    def gives_up(*given: Any) -> None:
        monkeypatch.undo()
        one.ledger.note([event.id])
        one.other.events[event.id] = event
        one.ledger.settle([event.id], [])
        give_up(*given)

    monkeypatch.setattr(one.ledger, "give_up", gives_up)
    await one.comes_back()
    await one.works()
    assert (one.sink.names, one.other.names) == (["x"], [])


async def test_of_several_processes_one_at_a_time_brings_back(pair: Pairs) -> None:
    one = await with_events_in_the_fallback(pair, "x")
    second = one.another_process()
    one.sink.down = None
    await one.works()
    await one.diverts()
    await one.both.write(one.events("y"))
    one.sink.down = None
    one.now += 6.0
    while await second.step():
        pass
    assert (one.sink.names, one.other.names) == (["x"], ["y"])
    await asyncio.to_thread(one.returning._let_go)
    one.now += 6.0
    while await second.step():
        pass
    assert (one.sink.names, one.other.names) == (["x", "y"], [])
    await asyncio.to_thread(second._let_go)


async def test_a_failure_is_reported_and_the_task_goes_on(
    pair: Pairs, caplog: pytest.LogCaptureFixture
) -> None:
    one = await with_events_in_the_fallback(pair, "x")
    one.sink.down = None
    one.other.down = SinkUnavailable("the fallback is away")
    failing = one.other.search

    def search(_query: Any) -> Any:
        raise SinkUnavailable("the fallback is away")

    one.other.search = search

    task = asyncio.ensure_future(one.another_process().run())
    with caplog.at_level(logging.WARNING, "logweir"):
        async with asyncio.timeout(20):
            while "cannot be seen to, trying again: the fallback is away" not in caplog.text:
                await asyncio.sleep(0.001)
            one.other.search = failing
            while one.other.names:
                await asyncio.sleep(0.001)
    assert one.sink.names == ["x"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_notes_of_an_earlier_life_come_back_only_when_the_sink_is_open(
    pair: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pair(**RETURN)
    events = one.events("x", "y")
    ids = [event.id for event in events]
    await one.other.open()
    await one.other.write(events)
    await asyncio.to_thread(one.ledger.note, ids)
    await asyncio.to_thread(one.ledger.settle, ids, [])
    begun, may_end, order = asyncio.Event(), asyncio.Event(), []
    original = one.sink.open

    async def opens() -> None:
        order.append("open begins")
        begun.set()
        await may_end.wait()
        await original()
        order.append("open ends")

    monkeypatch.setattr(one.sink, "open", opens)
    one.sink.on_write = lambda: order.append("write")
    opening = asyncio.ensure_future(one.both.open())
    await begun.wait()
    returning = asyncio.ensure_future(one.works())
    for _ in range(20):  # it looks into its notes, in threads
        await asyncio.sleep(0.005)
    may_end.set()
    await asyncio.gather(opening, returning)
    assert order == ["open begins", "open ends", "write"]
    assert (one.sink.names, one.other.names) == (["x", "y"], [])


async def test_a_sink_that_nobody_has_opened_is_opened_before_anything_comes_back(pair: Pairs) -> None:
    one = pair(**RETURN)
    events = one.events("x")
    await one.other.open()
    await one.other.write(events)
    await asyncio.to_thread(one.ledger.note, [events[0].id])
    await one.works()
    assert (one.sink.opened, one.sink.names) == (1, ["x"])
