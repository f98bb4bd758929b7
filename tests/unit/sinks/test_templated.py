"""A sink with a destination for each event: what fails at one of them is the matter of its events alone."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Sink, SinkContext
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.destinations import TemplatedConfig
from logweir.sinks.templated import TemplatedSink
from logweir.sinks.threaded import as_async
from logweir.testing.contract import make_event


class ShelfConfig(TemplatedConfig):
    template_key: ClassVar[str] = "shelf"

    type: str = "shelf"
    shelf: str = "{fields.on}"


class Shelf(Sink[ShelfConfig]):
    """Keeps events, and fails as its name says."""

    Config = ShelfConfig
    kept: ClassVar[list[tuple[str, str]]] = []
    closed: ClassVar[list[str]] = []

    async def open(self) -> None:
        if self.config.shelf == "locked":
            raise SinkRejected("we are refused")

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        shelf = self.config.shelf
        if shelf == "hung":
            await asyncio.Event().wait()
        if shelf == "away":
            raise SinkUnavailable("it is away", retry_after=7)
        if shelf == "broken":
            raise RuntimeError("nobody knows why")
        if shelf == "picky" and any(event.name == "bad" for event in batch):
            raise SinkRejected("not this one")
        self.kept.extend((shelf, event.name) for event in batch)
        late = frozenset(index for index, event in enumerate(batch) if event.name == "late")
        return WriteResult(retry=late, retry_reason="later" if late else "")

    async def close(self) -> None:
        self.closed.append(self.config.shelf)


@pytest.fixture
def sink() -> TemplatedSink:
    Shelf.kept.clear()
    Shelf.closed.clear()
    config = ShelfConfig.model_validate({"retry": {"timeout": 1}})
    made = as_async(Shelf(config, SinkContext(name="shelves")))
    assert isinstance(made, TemplatedSink)
    return made


def batch_of(*places: str) -> list[Event]:
    """Events by destination, each with a name behind a colon if it matters."""
    return [make_event(name or "event", on=on) for on, _, name in (place.partition(":") for place in places)]


async def test_a_destination_that_hangs_holds_up_no_other(sink: TemplatedSink) -> None:
    result = await sink.write(batch_of("a", "hung", "b", "hung"))
    assert (result.retry, result.rejected) == ({1, 3}, {})
    assert "hung" in result.retry_reason
    assert sorted(Shelf.kept) == [("a", "event"), ("b", "event")]


async def test_a_destination_that_is_away_or_refuses_us_has_its_events_sent_again(
    sink: TemplatedSink,
) -> None:
    result = await sink.write(batch_of("away", "a", "locked", "a:late"))
    assert (result.retry, result.rejected) == ({0, 2, 3}, {})
    assert result.retry_after == 7


async def test_when_every_destination_fails_the_write_fails_as_a_whole(sink: TemplatedSink) -> None:
    with pytest.raises(SinkUnavailable):
        await sink.write(batch_of("away", "locked"))
    with pytest.raises(SinkUnavailable, match="we are refused"):
        await sink.write(batch_of("locked"))


async def test_a_batch_that_a_destination_refuses_is_split_down_to_the_event(sink: TemplatedSink) -> None:
    result = await sink.write(batch_of("picky", "a", "picky:bad", "picky", "picky:bad"))
    assert (result.rejected, result.retry) == ({2: "not this one", 4: "not this one"}, frozenset())
    assert sorted(Shelf.kept) == [("a", "event"), ("picky", "event"), ("picky", "event")]


async def test_what_a_destination_raises_that_is_no_sink_error_comes_through_after_the_others(
    sink: TemplatedSink,
) -> None:
    with pytest.raises(RuntimeError):
        await sink.write(batch_of("broken", "a"))
    assert Shelf.kept == [("a", "event")]


async def test_all_destinations_are_closed_and_the_overflow_is_the_last(sink: TemplatedSink) -> None:
    await sink.open()
    await sink.write(batch_of("a", "b", "no name"))
    await sink.close()
    assert {*Shelf.closed} == {"a", "b", "overflow"}
    assert Shelf.closed[-1] == "overflow"
    assert sink.idempotent


def test_an_ability_is_there_if_the_class_has_it(sink: TemplatedSink) -> None:
    assert not any(hasattr(sink, ability) for ability in ("search", "delete", "prune"))


def test_a_second_adapter_changes_nothing(sink: Any) -> None:
    assert as_async(sink) is sink


async def test_what_is_stored_at_the_overflow_is_counted_once_however_often_it_is_sent(
    sink: TemplatedSink,
) -> None:
    await sink.write(batch_of("a", "no name", "no name:late"))
    assert (sink.counts.overflowed, sink.counts.used) == (1, 1)
    await sink.write(batch_of("no name"))
    assert (sink.counts.overflowed, sink.counts.used) == (2, 1)
    await sink.write(batch_of("overflow"))  # which the event itself says
    assert (sink.counts.overflowed, sink.counts.used) == (2, 1)
