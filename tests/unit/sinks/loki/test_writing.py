"""Each event of a batch has its own end, whatever Loki refuses; against a model of Loki."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.errors import SinkUnavailable
from logweir.sinks.loki.doubts import REFUSALS, Doubts
from logweir.sinks.loki.encode import Encoder, Entry, to_event
from logweir.sinks.loki.labels import LabelGuard
from logweir.sinks.loki.remedies import remedy_for
from logweir.sinks.loki.verdicts import Answer, Fault, Outcome, Refusal
from logweir.sinks.loki.writing import RequestSize, store
from logweir.sinks.results import WriteResult
from logweir.testing.contract import make_event

LARGEST = 3_000_000


def encoder() -> Encoder:
    return Encoder({"job": "x"}, ("level",), ("kind",), LabelGuard({"level": 100}))


class Loki:
    """A model: it refuses poisoned events, stores the others, absorbs what it has, and may lie about how many."""

    def __init__(self, *, counts: bool = True, names: bool = True, capacity: int | None = None) -> None:
        self.stored: list[str] = []
        self.requests: list[Sequence[Entry]] = []
        self._counts = counts
        self._names = names
        self._capacity = capacity

    async def push(self, entries: Sequence[Entry]) -> Answer:
        await asyncio.sleep(0)
        self.requests.append(entries)
        assert len({entry.stream.labels for entry in entries}) == 1, "one stream in a request"
        assert [entry.stamp for entry in entries] == sorted(entry.stamp for entry in entries)
        if self._capacity is not None and len(self.requests) > self._capacity:
            raise SinkUnavailable("down", retry_after=3.0)
        bad = [entry for entry in entries if entry.event.fields.get("poison")]
        known = set(self.stored)
        self.stored += [e.event.id for e in entries if e not in bad and e.event.id not in known]
        if not bad:
            return Answer(Outcome.STORED)
        if not self._names:
            return Answer(Outcome.REFUSED, "bad")
        count = len(bad) if self._counts else len(bad) + 1
        ids = {entry.event.id for entry in bad}
        return Answer(
            Outcome.REFUSED, "bad", [Refusal(Fault.OTHER, "bad", lambda entry: entry.event.id in ids, count)]
        )


def give_up(entry: Entry, refusal: Refusal) -> str:
    return refusal.reason


async def stored(
    loki: Loki, batch: list[Any], *, largest: int = LARGEST, doubts: Doubts | None = None
) -> WriteResult:
    return await store(encoder().entries(batch), loki.push, give_up, RequestSize(largest), doubts or Doubts())


def batch_of(poisoned: Sequence[bool], levels: Sequence[str] = ("info",)) -> list[Any]:
    return [
        msgspec.structs.replace(make_event(poison=bad, number=number), level=levels[number % len(levels)])
        for number, bad in enumerate(poisoned)
    ]


@given(
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.booleans(),
    st.booleans(),
    st.sampled_from([("info",), ("info", "error", "debug")]),
    st.sampled_from([1024, LARGEST]),
)
def test_every_event_is_stored_once_or_rejected_or_waits_where_nothing_is_taken_for_unknown_reasons(
    poisoned: list[bool], counts: bool, names: bool, levels: tuple[str, ...], largest: int
) -> None:
    loki, batch = Loki(counts=counts, names=names), batch_of(poisoned, levels)
    result = asyncio.run(stored(loki, batch, largest=largest))
    refused = {index: "bad" for index, bad in enumerate(poisoned) if bad}
    known = names or not all(poisoned)
    assert (result.rejected, result.retry) == ((refused, set()) if known else ({}, refused.keys()))
    assert sorted(loki.stored) == sorted(e.id for e, bad in zip(batch, poisoned, strict=True) if not bad)


async def test_a_refusal_that_is_certain_costs_one_more_request() -> None:
    loki = Loki()
    await stored(loki, batch_of([number % 3 == 0 for number in range(1000)]))
    assert len(loki.requests) == 2


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 12), st.booleans())
def test_what_was_not_answered_is_sent_again_and_nothing_else(
    poisoned: list[bool], capacity: int, names: bool
) -> None:
    loki, batch = Loki(names=names, capacity=capacity), batch_of(poisoned, ("info", "error"))
    try:
        result = asyncio.run(stored(loki, batch))
    except SinkUnavailable as error:
        assert error.retry_after == 3.0
        return
    if result.retry and result.retry_after is None:
        assert not names  # refused for reasons that nobody knows, and nothing was taken
        return
    settled = set(range(len(batch))) - result.retry - result.rejected.keys()
    assert not result.retry & result.rejected.keys()
    assert all(poisoned[index] for index in result.rejected)
    assert {batch[index].id for index in settled} <= set(loki.stored)
    assert result.retry_after == (3.0 if result.retry else None)


async def test_what_is_refused_in_unknown_words_is_given_up_when_others_were_taken_between_the_refusals() -> (
    None
):
    loki, doubts = Loki(names=False), Doubts()
    poison, good = batch_of([True]), batch_of([False])
    for _ in range(REFUSALS - 1):
        # Twice in a row says no more than once: nothing was taken since.
        for _ in range(2):
            result = await stored(loki, poison, doubts=doubts)
            assert (result.rejected, result.retry, result.retry_reason) == ({}, {0}, "bad")
        assert await stored(loki, good, doubts=doubts) == WriteResult()
    result = await stored(loki, poison, doubts=doubts)
    assert not result.retry
    assert result.rejected == {0: f"bad (refused {REFUSALS} times while Loki took others)"}


async def test_what_a_loki_refuses_in_unknown_words_waits_while_it_takes_nothing_at_all() -> None:
    loki, doubts = Loki(names=False), Doubts()
    batch = batch_of([True] * 3)
    for _ in range(10 * REFUSALS):
        result = await stored(loki, batch, doubts=doubts)
        assert (result.rejected, result.retry) == ({}, {0, 1, 2})


async def test_an_event_that_loki_takes_at_last_is_no_longer_in_doubt() -> None:
    doubts, (entry,) = Doubts(), encoder().entries(batch_of([False]))
    for _ in range(3 * REFUSALS):
        for _ in range(REFUSALS - 1):
            doubts.taken([])
            assert not doubts.is_at_fault(entry.event.id)
        doubts.taken([entry])


async def test_a_server_that_is_down_is_unavailable_as_a_whole() -> None:
    with pytest.raises(SinkUnavailable):
        await stored(Loki(capacity=0), batch_of([False] * 10, ("info", "error")))


async def test_d1_a_stream_too_many_goes_to_the_static_labels_then_to_one_that_is_there_or_waits() -> None:
    made, sent = encoder(), list[Entry]()
    refused: list[Callable[[dict[str, str]], bool]] = [lambda labels: "level" in labels]

    async def push(entries: Sequence[Entry]) -> Answer:
        if refused[0](dict(entries[0].stream.labels)):
            return Answer(
                Outcome.REFUSED, "limit", [Refusal(Fault.STREAMS, "too many streams", lambda entry: True)]
            )
        sent.extend(entries)
        return Answer(Outcome.STORED)

    def find_remedy(entry: Entry, refusal: Refusal) -> Any:
        return remedy_for(entry, refusal, made, restamp_to=None)

    batch = batch_of([False] * 4)
    result = await store(made.entries(batch), push, find_remedy, RequestSize(LARGEST), Doubts())
    assert result == WriteResult()
    assert [dict(entry.stream.labels) for entry in sent] == [{"job": "x"}] * 4
    assert dict(sent[0].metadata) == {"level": "info", "kind": "tracing"}
    # It takes nothing any more: they wait, and that is no failure of the sink.
    refused[0] = lambda labels: True
    result = await store(made.entries(batch), push, find_remedy, RequestSize(LARGEST), Doubts())
    assert result == WriteResult(retry=frozenset(range(4)), retry_reason="too many streams")
    # It still takes the stream of the errors: theirs are the labels, and the line has what is true.
    made.note_taken(made.entries(batch_of([False], ("error",)))[0].stream)
    refused[0] = lambda labels: labels != {"job": "x", "level": "error"}
    sent.clear()
    result = await store(made.entries(batch), push, find_remedy, RequestSize(LARGEST), Doubts())
    assert result == WriteResult()
    assert [dict(entry.stream.labels)["level"] for entry in sent] == ["error"] * 4
    found = [
        to_event(entry.stamp, entry.line.decode(), dict(entry.stream.labels) | dict(entry.metadata))
        for entry in sent
    ]
    assert [msgspec.structs.replace(event, size=100) if event else None for event in found] == [
        msgspec.structs.replace(event, size=100) for event in batch
    ]


async def test_an_unexpected_error_is_not_hidden() -> None:
    async def push(entries: Sequence[Entry]) -> Answer:
        raise ZeroDivisionError

    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        await store(
            encoder().entries(batch_of([False] * 4, ("info", "error"))),
            push,
            give_up,
            RequestSize(LARGEST),
            Doubts(),
        )
