"""Delivery by a command: what the worker does, until the patience is over."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from logweir.delivery.worker import Clock
from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.settings.delivery import BatchConfig, RetryConfig
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult
from logweir.stores.bounded_delivery import COPYING, Delivered, Patience, deliver, open_within
from logweir.stores.reading import OpenSink
from logweir.testing.contract import make_event

Answer = Callable[[Sequence[Event]], WriteResult]


class ScriptedSink(Sink[SinkConfig]):
    """Answers as its script says, and counts the calls."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(
            SinkConfig(type="scripted", batch=BatchConfig(max_events=4), retry=RetryConfig(max=0.001))
        )
        self.answer = answer
        self.calls: list[int] = []

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self.calls.append(len(batch))
        return self.answer(batch)


class Sleeps(list[float]):
    """Notes the pauses, which take no time."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


def raises(error: BaseException) -> Answer:
    def answer(_batch: Sequence[Event]) -> WriteResult:
        raise error

    return answer


def opened(sink: ScriptedSink) -> OpenSink:
    return OpenSink("scripted", sink, sink)


async def copy(sink: ScriptedSink, events: Sequence[Event], patience: Patience = COPYING) -> Delivered:
    return await deliver(opened(sink), events, patience, clock=Clock(sleep=Sleeps()))


def events(*names: str) -> list[Event]:
    return [make_event(name) for name in names]


async def test_what_is_stored_known_and_refused_is_noted_for_each_event() -> None:
    def answer(batch: Sequence[Event]) -> WriteResult:
        if any(event.name == "poison" for event in batch):
            raise SinkRejected("cannot encode")
        known = frozenset(index for index, event in enumerate(batch) if event.name == "known")
        return WriteResult(
            duplicate=known, rejected={i: "too long" for i, e in enumerate(batch) if e.name == "long"}
        )

    sent = events("", "known", "poison", "long", "", "")
    delivered = await copy(ScriptedSink(answer), sent)
    assert (delivered.stored, delivered.duplicate) == (3, 1)
    assert sorted(delivered.present) == sorted(sent[index].id for index in (0, 1, 4, 5))
    assert delivered.rejected == {sent[2].id: "cannot encode", sent[3].id: "too long"}
    assert delivered.settled == 6


async def test_nothing_is_nothing() -> None:
    sink = ScriptedSink(raises(SinkUnavailable("down")))
    assert await copy(sink, []) == Delivered()
    assert sink.calls == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (raises(SinkUnavailable("the server has gone away")), "the server has gone away"),
        (raises(TimeoutError()), "no answer within"),
        (lambda batch: WriteResult(retry=frozenset(range(len(batch)))), "again and again"),
    ],
)
async def test_copying_gives_up_after_six_failures_in_a_row(answer: Answer, reason: str) -> None:
    sink = ScriptedSink(answer)
    with pytest.raises(SinkUnavailable, match=reason):
        await copy(sink, events("a", "b"))
    assert sink.calls == [2] * 6


async def test_a_success_in_between_renews_the_patience() -> None:
    failures = iter([*[True] * 5, False, *[True] * 5, False])

    def answer(_batch: Sequence[Event]) -> WriteResult:
        if next(failures):
            raise SinkUnavailable("busy")
        return WriteResult()

    assert (await copy(ScriptedSink(answer), events(*"abcdefgh"))).stored == 8


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (SinkError("what is this?"), SinkError),
        (ZeroDivisionError(), ZeroDivisionError),
        (SystemExit(), RuntimeError),
    ],
)
async def test_what_no_sink_should_raise_ends_copying_at_once(
    error: BaseException, raised: type[Exception]
) -> None:
    sink = ScriptedSink(raises(error))
    with pytest.raises(raised):
        await copy(sink, events("a", "b"))
    assert sink.calls == [2]


async def test_a_patience_that_allows_it_takes_the_unexpected_for_a_passing_fault() -> None:
    sink = ScriptedSink(raises(ZeroDivisionError("by zero")))
    sent = events("a")
    delivered = await copy(sink, sent, Patience(silence=10, unexpected=True))
    assert delivered.rejected == {sent[0].id: "ZeroDivisionError: by zero"}
    assert sink.calls == [1] * 3


async def test_an_answer_that_is_none_is_judged_by_the_worker() -> None:
    sink = ScriptedSink(lambda _batch: None)  # type: ignore[arg-type,return-value]
    sent = events("a")
    delivered = await copy(sink, sent, Patience(silence=10, unexpected=True))
    assert "instead of a WriteResult" in delivered.rejected[sent[0].id]


async def test_silence_ends_it_and_what_was_answered_is_noted() -> None:
    def answer(batch: Sequence[Event]) -> WriteResult:
        return WriteResult(retry=frozenset(i for i, event in enumerate(batch) if event.name == "again"))

    sent, delivered = events("", "again", ""), Delivered()
    with pytest.raises(SinkUnavailable, match="the sink asks to send it again"):
        await deliver(opened(ScriptedSink(answer)), sent, Patience(silence=0.05), into=delivered)
    assert sorted(delivered.present) == sorted([sent[0].id, sent[2].id])
    assert delivered.healthy


async def test_a_sink_that_did_not_answer_last_is_not_healthy() -> None:
    delivered, sink = Delivered(), ScriptedSink(raises(SinkUnavailable("connection refused")))
    with pytest.raises(SinkUnavailable, match="connection refused"):
        await deliver(opened(sink), events("a"), Patience(silence=0.02), into=delivered)
    assert not delivered.healthy


async def test_a_cancelled_delivery_has_noted_what_was_answered() -> None:
    def answer(batch: Sequence[Event]) -> WriteResult:
        return WriteResult(retry=frozenset({1}) if len(batch) > 1 else frozenset({0}))

    sink, sent, delivered = ScriptedSink(answer), events("a", "b"), Delivered()
    work = asyncio.create_task(deliver(opened(sink), sent, Patience(), into=delivered))
    while not sink.calls:
        await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (delivered.present, delivered.stored) == ([sent[0].id], 1)


async def test_opening_is_tried_again_until_the_time_is_over() -> None:
    class Late(ScriptedSink):
        left = 3

        async def open(self) -> None:
            self.left -= 1
            if self.left:
                raise SinkUnavailable("it starts")

    sleeps = Sleeps()
    await open_within(Late(raises(SinkError("-"))), 10, Clock(sleep=sleeps))
    assert len(sleeps) == 2
    never = Late(raises(SinkError("-")))
    never.left = 10**9
    with pytest.raises(SinkUnavailable, match="cannot be opened: it starts"):
        await open_within(never, 0.02, Clock(sleep=Sleeps()))
