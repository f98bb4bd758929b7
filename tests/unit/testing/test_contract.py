"""The contract suite finds the faults it is there to find."""

import asyncio
import copy
import select
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.memory import MemoryConfig, MemorySink
from logweir.sinks.results import Health, WriteResult
from logweir.testing.contract import SinkContract, assert_law


class Honest(MemorySink):
    """The memory sink; those that derive from it are at fault in one way each."""


class KeepsRepeats(Honest):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        for event in batch:
            self.events[f"{len(self.events)}"] = event
        return WriteResult.all_stored()


class LosesTheLast(Honest):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        await super().write(batch[:-1])
        return WriteResult.all_stored()


class ForgetsNanoseconds(Honest):
    async def search(self, query: Query) -> AsyncIterator[Event]:
        async for event in super().search(query):
            fields = {name: getattr(event, name) for name in Event.__struct_fields__}
            yield Event(**{**fields, "time": event.time // 1000 * 1000})


class TurnsTrueIntoOne(Honest):
    async def search(self, query: Query) -> AsyncIterator[Event]:
        async for event in super().search(query):
            fields = {name: getattr(event, name) for name in Event.__struct_fields__}
            changed = {key: 2 if value is True else value for key, value in event.fields.items()}
            yield Event(**{**fields, "fields": changed})


class CountsBeyondTheBatch(Honest):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        return replace(await super().write(batch), duplicate=frozenset({len(batch)}))


class ClosesOnce(Honest):
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise SinkUnavailable("closed already")
        self.closed = True


class SearchesBackwards(Honest):
    async def search(self, query: Query) -> AsyncIterator[Event]:
        for event in reversed([event async for event in super().search(query)]):
            yield event


class IgnoresLevels(Honest):
    def search(self, query: Query) -> AsyncIterator[Event]:
        return super().search(replace(query, levels=None))


class IgnoresTheService(Honest):
    def search(self, query: Query) -> AsyncIterator[Event]:
        return super().search(replace(query, service=None))


class TakesFieldsForLevels(Honest):
    async def search(self, query: Query) -> AsyncIterator[Event]:
        async for event in super().search(replace(query, levels=None)):
            if query.levels is None or event.fields.get("level", event.level) in query.levels:
                yield event


class FindsNoItems(Honest):
    async def search(self, query: Query) -> AsyncIterator[Event]:
        async for event in super().search(query):
            if all(event.fields.get(name) == value for name, value in query.fields.items()):
                yield event


class IgnoresTheLimit(Honest):
    async def prune(self, *arguments: Any, limit: int = 0, **options: Any) -> int:
        return await super().prune(*arguments, **options)


class CheckRaises(Honest):
    async def check(self) -> Health:
        raise SinkUnavailable("cannot say")


class ChangesFields(Honest):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        result = await super().write([replace_fields(event) for event in batch])
        for event in batch:
            event.fields.get("nested", {}).pop("b", None)
        return result


class EmptiesTheBatch(Honest):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        result = await super().write(tuple(batch))
        batch.clear()  # type: ignore[attr-defined]
        return result


class AnswersLists(Honest):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        return replace(await super().write(batch), duplicate=[])  # type: ignore[arg-type]


class Blocks(Honest):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        select.select([], [], [], 1.2)
        return await super().write(batch)


class BreaksWhenCancelled(Honest):
    broken = False

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        if self.broken:
            raise SinkUnavailable("its connection is in the middle of a command")
        self.broken = True
        await asyncio.sleep(0)
        self.broken = False
        return await super().write(batch)


class AcknowledgesWhenCancelled(Honest):
    async def write(self, batch: Sequence[Event]) -> WriteResult:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return WriteResult.all_stored()
        return await super().write(batch)


class StaysHalfOpen(Honest):
    opening = False

    async def open(self) -> None:
        if self.opening:
            raise SinkUnavailable("is being opened")
        self.opening = True
        await asyncio.sleep(0)
        self.opening = False
        await super().open()


class StaysHalfClosed(Honest):
    closing = False

    async def open(self) -> None:
        if self.closing:
            raise SinkUnavailable("is being closed")
        await super().open()

    async def close(self) -> None:
        self.closing = True
        await asyncio.sleep(0)
        self.closing = False
        await super().close()


class ReliesOnRisingTimes(Honest):
    latest = 0

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        late = {index: "too late" for index, event in enumerate(batch) if event.time < self.latest}
        self.latest = max([self.latest, *(event.time for event in batch)])
        return replace(await super().write(batch), rejected=late)


def replace_fields(event: Event) -> Event:
    return msgspec.structs.replace(event, fields=copy.deepcopy(event.fields))


async def outcome(sink_class: type[Honest], test: str, folder: Path, *arguments: Any) -> str:
    """How a test of the suite ends for a sink."""

    class Suite(SinkContract):
        def make_sink(self, tmp_path: Path) -> MemorySink:
            return sink_class(MemoryConfig(), SinkContext())

    try:
        await getattr(Suite(), test)(folder, *arguments)
    except (AssertionError, SinkUnavailable) as error:
        return f"failed: {type(error).__name__}"
    return "passed"


@pytest.mark.parametrize(
    ("sink_class", "test", "arguments"),
    [
        (KeepsRepeats, "test_an_event_written_again_is_stored_once", ()),
        (KeepsRepeats, "test_an_event_twice_in_a_batch_is_stored_once", ()),
        (LosesTheLast, "test_a_batch_is_stored_whole", (10,)),
        (ForgetsNanoseconds, "test_an_event_without_a_trace_comes_back_without_one", ()),
        (TurnsTrueIntoOne, "test_awkward_fields_come_back_as_they_were", ()),
        (TurnsTrueIntoOne, "test_fields_that_stores_give_columns_keep_any_value", ()),
        (CountsBeyondTheBatch, "test_an_empty_batch_is_nothing", ()),
        (ClosesOnce, "test_closing_twice_is_closing_once", ()),
        (SearchesBackwards, "test_each_condition_of_a_search_holds", ()),
        (IgnoresLevels, "test_a_search_finds_levels_a_service_and_items_of_lists", ()),
        (IgnoresTheService, "test_a_search_finds_levels_a_service_and_items_of_lists", ()),
        (TakesFieldsForLevels, "test_a_search_finds_levels_a_service_and_items_of_lists", ()),
        (FindsNoItems, "test_a_search_finds_levels_a_service_and_items_of_lists", ()),
        (IgnoresTheLimit, "test_pruning_deletes_what_is_old_and_no_more_than_asked", ()),
        (ChangesFields, "test_a_write_leaves_its_events_as_they_were", ()),
        (EmptiesTheBatch, "test_a_write_leaves_its_events_as_they_were", ()),
        (AnswersLists, "test_verdicts_have_their_declared_types", ()),
        (Blocks, "test_no_call_blocks_the_event_loop", ()),
        (BreaksWhenCancelled, "test_a_write_may_be_cancelled_at_every_await", ()),
        (AcknowledgesWhenCancelled, "test_a_write_may_be_cancelled_at_every_await", ()),
        (StaysHalfOpen, "test_an_open_may_be_cancelled_at_every_await", ()),
        (StaysHalfClosed, "test_a_close_may_be_cancelled_at_every_await", ()),
        (ReliesOnRisingTimes, "test_events_may_come_in_any_order_of_their_times", ()),
        (CheckRaises, "test_check_answers_before_and_after_opening", ()),
    ],
)
async def test_a_faulty_sink_fails_where_an_honest_one_passes(
    tmp_path: Path, sink_class: type[Honest], test: str, arguments: tuple[Any, ...]
) -> None:
    assert await outcome(Honest, test, tmp_path, *arguments) == "passed"
    assert (await outcome(sink_class, test, tmp_path, *arguments)).startswith("failed")


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        (WriteResult(duplicate=frozenset({0}), rejected={0: "why"}), "two verdicts"),
        (WriteResult(duplicate=frozenset({3})), "not in the batch"),
        (WriteResult(retry=frozenset({1})), "nothing is to be sent again"),
        (WriteResult(rejected={1: "why"}), "rejected: {1: 'why'}"),
    ],
)
def test_a_result_that_breaks_the_law_is_reported(result: WriteResult, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        assert_law(result, 3)
