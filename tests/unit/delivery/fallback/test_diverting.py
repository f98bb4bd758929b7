"""A sink with a fallback: each batch goes to one of the two, and nothing is lost or repeated by it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

import pytest

from logweir.delivery.counters import DeliveryCounters
from logweir.delivery.fallback.circuit import CircuitState
from logweir.delivery.fallback.ledger import Noted
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.results import WriteResult

Pairs = Callable[..., Any]


async def given_up(write: Coroutine[Any, Any, object], begun: Callable[[], object]) -> None:
    """Cancel a write, as a worker does whose patience is at its end, once it has begun."""
    writing = asyncio.ensure_future(write)
    async with asyncio.timeout(20):
        while not begun():
            await asyncio.sleep(0.001)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


async def test_while_the_sink_is_up_nothing_goes_to_the_fallback_and_nothing_is_noted(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    assert await one.both.write(one.events("x", "y")) == WriteResult.all_stored()
    assert one.sink.names == ["x", "y"]
    assert one.other.opened == one.other.writes == 0
    assert await one.noted() == 0


async def test_a_failure_shorter_than_after_is_a_failure_as_ever(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    one.goes_down()
    for _ in range(3):
        with pytest.raises(SinkUnavailable, match="away"):
            await one.both.write(one.events("x"))
    assert one.other.writes == 0


async def test_while_the_sink_is_down_its_events_are_stored_in_the_fallback(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    assert await one.both.write(one.events("x", "y")) == WriteResult.all_stored()
    assert (one.sink.names, one.other.names) == ([], ["x", "y"])
    assert one.both.counters.circuit is CircuitState.OPEN
    assert one.both.counters.diverted == 2
    assert "away" in one.both.counters.diverted_to


async def test_a_sink_that_cannot_be_opened_at_a_start_is_gone_round_too(pair: Pairs) -> None:
    one = pair()
    one.goes_down()
    with pytest.raises(SinkUnavailable):
        await one.both.open()
    one.now += 11.0
    await one.both.open()
    await one.both.write(one.events("x"))
    assert one.other.names == ["x"]
    await one.comes_back()
    await one.both.write(one.events("y"))
    assert (one.sink.opened, one.sink.names) == (1, ["y"])


async def test_when_it_is_back_new_events_go_to_it_again(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    await one.both.write(one.events("x"))
    await one.comes_back()
    assert one.circuit.state is CircuitState.HALF_OPEN
    await one.both.write(one.events("y"))
    assert one.circuit.state is CircuitState.CLOSED
    assert (one.sink.names, one.other.names) == (["y"], ["x"])


async def test_a_write_that_is_given_up_counts_as_a_failure(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    one.sink.hangs = True
    await given_up(one.both.write(one.events("x")), lambda: one.sink.writes)
    one.now += 11.0
    await one.both.write(one.events("y"))
    assert one.other.names == ["y"]
    assert one.circuit.reason == "it did not answer in time"


async def test_a_sink_that_puts_everything_off_is_down_and_one_that_refuses_an_event_is_not(
    pair: Pairs,
) -> None:
    one = pair()
    await one.both.open()
    one.sink.refused = {"bad"}
    for _ in range(2):
        with pytest.raises(SinkRejected):
            await one.both.write(one.events("bad", "x"))
        one.now += 11.0
    one.sink.waiting = {"x"}
    assert (await one.both.write(one.events("x"))).retry == {0}
    one.now += 11.0
    await one.both.write(one.events("y"))
    assert one.other.names == ["y"]


async def test_what_the_fallback_refuses_is_no_dead_letter_and_goes_to_the_sink_later(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    one.other.refused = {"bad"}
    events = one.events("x", "bad", "y", "z")
    answer = await one.both.write(events)
    assert (answer.retry, answer.rejected) == ({1}, {})
    assert answer.retry_reason == "the fallback refuses it: refused"
    assert one.other.names == ["x", "y", "z"]
    await one.comes_back()
    await one.both.write([events[1]])
    assert one.sink.names == ["bad"]


@pytest.mark.parametrize("error", [SinkUnavailable("away too"), RuntimeError("a defect"), SystemExit()])
async def test_a_fallback_that_fails_leaves_the_events_where_they_are(pair: Pairs, error: Any) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    one.other.down = error
    with pytest.raises(
        SinkUnavailable, match="the fallback 'b' fails too: .*(away too|a defect|raised SystemExit)"
    ):
        await one.both.write(one.events("x"))
    one.other.down = None
    await one.both.write(one.events("x"))
    assert one.other.names == ["x"]


async def test_what_may_be_in_the_fallback_is_not_written_to_the_sink_as_well(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    events = one.events("x", "y")
    one.other.after_storing = SinkUnavailable("the answer was lost")
    with pytest.raises(SinkUnavailable):
        await one.both.write(events)
    one.other.after_storing = None
    await one.comes_back()
    # As by a process that was killed and delivers again what is in its queue, beside what is new.
    answer = await one.both.write([*events, *one.events("new")])
    assert answer == WriteResult(duplicate=frozenset({0, 1}))
    assert (one.sink.names, one.other.names) == (["new"], ["x", "y"])


async def test_what_may_be_in_a_fallback_that_is_away_waits_and_holds_up_nobody(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    events = one.events("x")
    await one.both.open_other()
    one.other.down = SinkUnavailable("away too")
    with pytest.raises(SinkUnavailable):
        await one.both.write(events)
    await one.comes_back()
    answer = await one.both.write([*events, *one.events("new")])
    assert answer.retry == {0}
    assert (await one.both.write(events)).retry == {0}
    assert one.sink.names == ["new"]
    one.other.down = None
    assert (await one.both.write(events)).retry == frozenset()
    assert one.other.names == ["x"]


async def test_with_return_what_may_be_in_the_fallback_goes_to_the_sink_at_once(pair: Pairs) -> None:
    one = pair(**{"return": True})
    await one.both.open()
    await one.diverts()
    events = one.events("x")
    one.other.after_storing = SinkUnavailable("the answer was lost")
    with pytest.raises(SinkUnavailable):
        await one.both.write(events)
    one.other.after_storing = None
    await one.comes_back()
    await one.both.write(events)
    await one.works()
    assert (one.sink.names, one.other.names) == (["x"], [])
    assert await one.noted() == 0


async def test_an_event_is_noted_before_it_is_written_to_the_fallback(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    (event,) = one.events("x")
    one.other.hangs = True
    await given_up(one.both.write([event]), lambda: one.other.writes)
    (note,) = await asyncio.to_thread(one.ledger.oldest, 10, 5.0)
    assert (note.id, note.state) == (event.id, Noted.SENT)
    assert await asyncio.to_thread(one.ledger.held, [event.id]) == {event.id}


@pytest.mark.parametrize("returns", [False, True])
async def test_a_disk_that_takes_no_notes_keeps_events_out_of_the_fallback_but_not_out_of_the_sink(
    pair: Pairs, returns: bool
) -> None:
    one = pair(**{"return": returns})
    await one.both.open()
    await one.diverts()
    await asyncio.to_thread(one.ledger.path.mkdir)
    with pytest.raises(SinkUnavailable, match="what goes to the fallback cannot be noted"):
        await one.both.write(one.events("x"))
    assert one.other.writes == 0
    with suppress(OSError):  # reported, and tried again, by the task that does this
        await one.comes_back()
    await one.both.write(one.events("y"))
    assert one.sink.names == ["y"]


async def test_a_pause_between_retries_ends_when_the_circuit_is_due_to_open(pair: Pairs) -> None:
    one = pair(queue="80%", after="1h")
    share, slept = 0.0, 0.0
    one.both.attach(DeliveryCounters(), lambda: share)
    await one.both.open()
    one.goes_down()
    with pytest.raises(SinkUnavailable):
        await one.both.write(one.events("x"))

    async def sleep(seconds: float) -> None:
        nonlocal slept, share
        slept += seconds
        share += 0.3

    await one.both.interruptible(sleep)(30.0)
    assert slept == pytest.approx(0.75)


async def test_both_are_closed_even_if_the_first_cannot_be(pair: Pairs) -> None:
    one = pair()
    closed = []

    async def fail() -> None:
        raise RuntimeError("it does not close")

    async def close() -> None:
        closed.append("b")

    one.sink.close, one.other.close = fail, close
    with pytest.raises(RuntimeError):
        await one.both.close()
    assert closed == ["b"]


@pytest.mark.parametrize("seconds", [2.0, 6.0, 19.0])  # of the 20 that a write may take
@pytest.mark.parametrize("poisoned", [[0], [31], [0, 16, 31], [*range(0, 32, 2)]])
async def test_a_slow_fallback_stores_all_but_what_it_refuses_however_often_the_time_is_up(
    pair: Pairs, seconds: float, poisoned: Sequence[int]
) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    one.other.refused = {"poison"}
    began = 0.0

    def takes() -> None:
        one.now += seconds
        assert one.now - began < one.sink.config.retry.timeout

    one.other.on_write = takes
    waiting = one.events(*("poison" if number in poisoned else "good" for number in range(32)))
    good = {event.id for event in waiting if event.name == "good"}
    for _ in range(100):
        began = one.now
        answer = await one.both.write(waiting)
        waiting = [waiting[index] for index in sorted(answer.retry)]
        if len(waiting) == len(poisoned):
            break
    assert set(one.other.events) == good


async def test_what_a_slow_fallback_had_no_time_for_may_be_there_from_an_earlier_write(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    waiting = one.events("poison", "x", "y", "z")
    one.other.hangs = True
    await given_up(one.both.write(waiting), lambda: one.other.writes)
    one.other.hangs = False
    one.other.refused = {"poison"}

    def takes() -> None:
        one.now += 15.0

    one.other.on_write = takes
    answer = await one.both.write(waiting)
    assert answer.retry == {0, 1, 2, 3}
    assert "no time left" in answer.retry_reason
    assert await one.noted() == 4


@pytest.mark.parametrize("returns", [True, False])
async def test_what_a_fallback_puts_off_may_be_there_from_an_earlier_write(
    pair: Pairs, returns: bool
) -> None:
    one = pair(**{"return": returns})
    await one.both.open()
    await one.diverts()
    waiting = one.events("x")
    one.other.after_storing = SinkUnavailable("the connection broke")
    with pytest.raises(SinkUnavailable):
        await one.both.write(waiting)
    one.other.after_storing = None
    one.other.waiting = {"x"}
    assert (await one.both.write(waiting)).retry == {0}
    await one.comes_back()
    one.other.waiting = set()
    await one.both.write(waiting)
    await one.works()
    assert (one.sink.names, one.other.names) == ((["x"], []) if returns else ([], ["x"]))


async def test_what_a_fallback_puts_off_at_once_is_not_there(pair: Pairs) -> None:
    one = pair()
    await one.both.open()
    await one.diverts()
    one.other.waiting = {"x"}
    assert (await one.both.write(one.events("x"))).retry == {0}
    assert await one.noted() == 0
