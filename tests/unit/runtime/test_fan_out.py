"""The fan-out: what becomes of an event that meets queues which a reload, or the stop, has closed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import make_event
from logweir.delivery.queue import PutResult
from logweir.delivery.receipts import OpenReceipts
from logweir.errors import AuditError
from logweir.event import Event
from logweir.routing.router import SAMPLED, UNROUTED
from logweir.runtime.fan_out import FanOut
from support.disk import make_queue, make_spool
from support.interrupting import interrupt_at, steps
from support.waiting import eventually


class Channel:
    """A channel that remembers what was put; ``closed`` may be a function that reloads first."""

    def __init__(self, name: str, *, closed: bool | Callable[[], None] = False) -> None:
        self.name = name
        self.closed = closed
        self.events: list[Event] = []
        self.queue = SimpleNamespace(durable=False)
        self.reports_stored = True
        self.config: Any = None

    def put(self, event: Event, on_durable: Any = None) -> PutResult:
        if self.closed:
            if callable(self.closed):
                self.closed()
            return PutResult.CLOSED
        self.events.append(event)
        return PutResult.ACCEPTED


def pipeline(channels: Sequence[Channel], routed: Sequence[Channel] | None = None) -> Any:
    """A pipeline that sends every event to ``routed``, by default to all."""
    answer = tuple(channels) if routed is None else routed
    return SimpleNamespace(
        channels={channel.name: channel for channel in channels},
        router=SimpleNamespace(route=lambda _event: answer),
    )


def reloaded(old: Sequence[Channel], new: Any, receipts: OpenReceipts | None = None) -> FanOut:
    """A fan-out whose event has chosen ``old`` when a reload puts ``new`` in force."""
    fan_out = FanOut(pipeline(old), OpenReceipts() if receipts is None else receipts)

    def route(_event: Event) -> Sequence[Channel]:
        fan_out.pipeline = new
        return tuple(old)

    fan_out.pipeline.router.route = route  # type: ignore[method-assign,assignment]
    return fan_out


def counts(fan_out: FanOut) -> tuple[int, int, int]:
    return fan_out.unrouted, fan_out.sampled, fan_out.dropped_at_stop


def test_what_meets_a_closed_queue_goes_to_the_successor_and_the_rest_where_it_was_going() -> None:
    first, closed, last = Channel("a"), Channel("b", closed=True), Channel("c")
    successor = Channel("b")
    fan_out = reloaded([first, closed, last], pipeline([first, successor, last]))
    event = make_event()
    fan_out.dispatch(event)
    assert [channel.events for channel in (first, successor, last)] == [[event]] * 3
    assert counts(fan_out) == (0, 0, 0)


def test_what_was_for_a_sink_that_is_gone_goes_where_the_new_routes_say_and_nowhere_twice() -> None:
    first, gone, last = Channel("a"), Channel("b", closed=True), Channel("c")
    new, unwanted = Channel("d"), Channel("e")
    fan_out = reloaded([first, gone, last], pipeline([first, last, new, unwanted], (first, last, new)))
    event = make_event()
    fan_out.dispatch(event)
    assert [channel.events for channel in (first, last, new, unwanted)] == [[event]] * 3 + [[]]
    assert counts(fan_out) == (0, 0, 0)


@pytest.mark.parametrize(("answer", "counted"), [(UNROUTED, (1, 0, 0)), (SAMPLED, (0, 1, 0))])
def test_an_event_whose_sinks_are_gone_and_that_no_new_route_takes_is_counted(
    answer: Any, counted: tuple[int, int, int]
) -> None:
    fan_out = reloaded([Channel("a", closed=True)], pipeline([Channel("b")], answer))
    fan_out.dispatch(make_event())
    assert counts(fan_out) == counted


def test_a_reload_while_another_is_followed_is_followed_too() -> None:
    fan_out = FanOut(pipeline([]), OpenReceipts())
    final = Channel("a")

    def reload_again() -> None:
        fan_out.pipeline = pipeline([final])

    between = Channel("a", closed=reload_again)
    fan_out.pipeline = pipeline([between], (Channel("a", closed=True),))
    fan_out.dispatch(make_event())
    assert len(final.events) == 1
    assert counts(fan_out) == (0, 0, 0)


def test_after_the_stop_an_event_is_counted_once_however_many_sinks_it_has() -> None:
    fan_out = FanOut(pipeline([Channel("a", closed=True), Channel("b", closed=True)]), OpenReceipts())
    fan_out.dispatch(make_event())
    fan_out.audit(make_event(), "stored")
    assert counts(fan_out) == (0, 0, 2)


def test_a_sink_that_still_accepts_gets_what_another_that_has_stopped_refuses() -> None:
    open_ = Channel("b")
    fan_out = FanOut(pipeline([Channel("a", closed=True), open_]), OpenReceipts())
    fan_out.dispatch(make_event())
    assert len(open_.events) == 1
    assert counts(fan_out) == (0, 0, 1)


async def test_an_audit_event_follows_its_sinks_to_their_successors() -> None:
    successor, other = Channel("a"), Channel("b")
    fan_out = reloaded([Channel("a", closed=True), other], pipeline([successor, other]))
    receipt = fan_out.audit(make_event(), "accepted")
    assert (await receipt.acknowledged("accepted", 1.0)).sinks == ("a", "b")
    assert successor.events == other.events == [receipt.event]


async def test_the_caller_of_an_audit_event_waits_for_a_successor_that_is_in_memory() -> None:
    closed, successor = Channel("a", closed=True), Channel("a")
    closed.queue.durable = True
    receipts = OpenReceipts()
    fan_out = reloaded([closed], pipeline([successor]), receipts)
    receipt = fan_out.audit(make_event(), "durable")
    receipts.settled("a", successor.events[0])
    assert await receipt.acknowledged("durable", 0.1)


async def test_the_caller_of_an_audit_event_does_not_wait_for_a_successor_that_never_says_stored() -> None:
    closed, successor = Channel("a", closed=True), Channel("a")
    successor.reports_stored = False
    successor.config = SimpleNamespace(queue=SimpleNamespace(is_forwarded_here=False))
    fan_out = reloaded([closed], pipeline([successor]))
    with pytest.raises(AuditError, match="another process delivers to it"):
        await fan_out.audit(make_event(), "stored").acknowledged("stored", 10)


async def test_an_audit_event_whose_sinks_are_all_gone_is_routed_anew() -> None:
    new = Channel("new")
    fan_out = reloaded([Channel("a", closed=True), Channel("b", closed=True)], pipeline([new]))
    receipt = fan_out.audit(make_event(), "accepted")
    assert (await receipt.acknowledged("accepted", 1.0)).sinks == ("new",)
    assert new.events == [receipt.event]


async def test_the_receipt_of_an_audit_event_says_that_one_of_its_sinks_is_gone() -> None:
    left = Channel("left")
    fan_out = reloaded([Channel("gone", closed=True), left], pipeline([left]))
    receipt = fan_out.audit(make_event(), "accepted")
    with pytest.raises(AuditError, match="sink 'gone': its queue answered closed"):
        await receipt.acknowledged("accepted", 1.0)
    assert left.events == [receipt.event]
    assert counts(fan_out) == (0, 0, 0)


def test_c1_the_caller_of_an_audit_event_does_not_wait_with_the_lock_of_another_sinks_queue(
    tmp_path: Path,
) -> None:
    spool = make_spool(tmp_path)
    make_queue(spool, "other")
    sink = Channel("sink")
    with spool.lock:  # as a finaliser has it that interrupts a put
        receipt = FanOut(pipeline([sink]), OpenReceipts()).audit(make_event(), "stored")
    assert sink.events == [receipt.event]
    with pytest.raises(AuditError, match="cannot be waited for where it was made"):
        receipt.acknowledged_sync("stored", 1.0)
    spool.close()


def test_what_a_retired_channel_hands_over_reaches_its_successor_or_nobody() -> None:
    retired, successor, other = Channel("a", closed=True), Channel("a"), Channel("b")
    fan_out = FanOut(pipeline([successor, other]), OpenReceipts())
    assert fan_out.hand_over(retired, make_event())  # type: ignore[arg-type]
    assert len(successor.events) == 1
    fan_out.pipeline = pipeline([other])
    assert not fan_out.hand_over(retired, make_event())  # type: ignore[arg-type]
    assert not other.events


@pytest.mark.parametrize("acknowledge", ["durable", "stored"])
def test_nobody_watches_for_an_event_that_no_queue_took(acknowledge: Any) -> None:
    receipts = OpenReceipts()
    fan_out = FanOut(pipeline([Channel("a", closed=True), Channel("b", closed=True)]), receipts)
    fan_out.audit(make_event(), acknowledge)
    assert not receipts


@pytest.mark.soak
def test_c1_an_audit_call_that_may_wait_wakes_whom_the_call_that_it_interrupts_was_about_to_wake(
    tmp_path: Path,
) -> None:
    """Whatever the sinks of both: what was put before it would lie on its way to the disk as long as it waits."""
    spool = make_spool(tmp_path, threaded=True)
    queue, fan_out = make_queue(spool), FanOut(pipeline([Channel("other")]), OpenReceipts())

    def interrupt() -> None:
        fan_out.audit(make_event(), "durable")
        if not queue.is_interrupted():
            eventually(lambda: not spool.has_staged)

    for step in steps(5):
        if not interrupt_at(step, lambda: queue.put(make_event()), interrupt):
            break
    spool.close()
