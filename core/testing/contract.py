"""The contract suite: what every sink must hold, as tests that a sink's author inherits.

::

    class TestMySink(SinkContract):
        def make_sink(self, tmp_path):
            return MySink(MyConfig(path=tmp_path / "x"))

Flags say what a sink can do; a sink that can be searched (``Readable``) is also asked what it stored.
The tests are asynchronous: run them with pytest-asyncio in ``auto`` mode, or with anyio.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import Deletable, Prunable, Query, Readable, Sink, SyncSink
from logweir.sinks.results import Health
from logweir.sinks.threaded import as_async
from logweir.testing.conduct import Conduct
from logweir.testing.events import assert_law, make_event

__all__ = ["AWKWARD_FIELDS", "SinkContract", "assert_law", "make_event"]

#: Fields that have broken a store somewhere; all are JSON, as an event's fields always are.
AWKWARD_FIELDS: dict[str, Any] = {
    "empty": "",
    "": "an empty name",
    "none": None,
    "true": True,
    "large": 2**63 - 1,
    "small": -(2**63),
    "float": 0.1,
    "tiny": 5e-324,
    "quotes": "'\"`\\ ;-- DROP TABLE x",
    "unicode": "Grüße 你好 🎉 \u202e \u0000 \u2028",
    "dotted.name": "a.b",
    "$dollar": {"$where": 1},
    "nested": {"list": [1, [2, {"deep": None}]], "empty": {}, "none": []},
    "a name with spaces\n": "x",
    "id": "not the event's id",
    "time": "not the event's time",
    "kind": "not the event's kind",
    "fields": {"not": "the fields"},
}
#: Names that stores have columns of their own for, and what may be logged under any name, of whatever type.
_COLUMN_FIELDS = ("user_id", "status", "resource", "error_type", "duration_ms")
_ANY_VALUES: tuple[Any, ...] = ("text", "x" * 5000, 7, 7.5, True, None, ["list"], {"a": 1})


class SinkContract(Conduct):
    """Inherit, override :meth:`make_sink`, and set the flags that differ.

    Attributes:
        idempotent: The sink stores an event id once, however often it is written.
        reports_duplicates: Of an event that is there already the sink says so; a store that absorbs it
            in silence has it once, and does not know.
        durable: What was stored is there after closing and opening again.
    """

    idempotent: ClassVar[bool] = True
    reports_duplicates: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    def make_sink(self, tmp_path: Path) -> Sink[Any] | SyncSink[Any]:
        """Return a new sink on the same store, each time it is called in one test; does no IO."""
        raise NotImplementedError

    @asynccontextmanager
    async def opened(self, tmp_path: Path) -> AsyncIterator[tuple[Sink[Any], Any]]:
        """An open sink (as workers see it) and the sink itself."""
        sink = self.make_sink(tmp_path)
        adapted = as_async(sink)
        await adapted.open()
        try:
            yield adapted, sink
        finally:
            await adapted.close()

    async def stored(self, sink: Any, ids: Sequence[str] | None = None) -> list[Event]:
        """What the sink has, without what sizes were estimated; skips where it cannot be asked."""
        if not isinstance(sink, Readable):
            pytest.skip("this sink cannot be searched")
        query = Query(ids=None if ids is None else frozenset(ids), limit=None)
        return [_bare(event) async for event in sink.search(query)]

    def duplicates(self, *indexes: int) -> frozenset[int]:
        """The duplicates that the sink must name."""
        return frozenset(indexes) if self.reports_duplicates else frozenset()

    # -- life ---------------------------------------------------------------------------------------

    def test_making_a_sink_touches_nothing(self, tmp_path: Path) -> None:
        self.make_sink(tmp_path)
        assert list(tmp_path.iterdir()) == []

    async def test_opening_twice_is_opening_once(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as (sink, _):
            await sink.open()
            assert_law(await sink.write([make_event()]), 1)

    async def test_closing_twice_is_closing_once(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as (sink, _):
            await sink.close()
            await sink.close()

    async def test_a_closed_sink_can_be_opened_again(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as (sink, _):
            await sink.close()
            await sink.open()
            assert_law(await sink.write([make_event()]), 1)

    async def test_what_was_stored_survives_closing(self, tmp_path: Path) -> None:
        if not self.durable:
            pytest.skip("this sink keeps nothing")
        event = make_event()
        async with self.opened(tmp_path) as (sink, _):
            await sink.write([event])
        async with self.opened(tmp_path) as (_, sink):
            assert await self.stored(sink) == [_bare(event)]

    async def test_check_answers_before_and_after_opening(self, tmp_path: Path) -> None:
        sink = as_async(self.make_sink(tmp_path))
        assert isinstance(await sink.check(), Health)
        await sink.open()
        try:
            health = await sink.check()
        finally:
            await sink.close()
        assert health.status == "ok", health.detail

    # -- writing ------------------------------------------------------------------------------------

    async def test_an_empty_batch_is_nothing(self, tmp_path: Path) -> None:
        async with self.opened(tmp_path) as (sink, _):
            assert_law(await sink.write([]), 0)

    @pytest.mark.parametrize("size", [1, 10, 1000])
    async def test_a_batch_is_stored_whole(self, tmp_path: Path, size: int) -> None:
        batch = [make_event(f"event {number}", number=number) for number in range(size)]
        async with self.opened(tmp_path) as (sink, itself):
            result = await sink.write(batch)
            assert_law(result, size)
            assert not result.duplicate
            assert await self.stored(itself) == [_bare(event) for event in batch]

    async def test_an_event_written_again_is_stored_once(self, tmp_path: Path) -> None:
        batch = [make_event(number=number) for number in range(5)]
        async with self.opened(tmp_path) as (sink, itself):
            await sink.write(batch)
            again = await sink.write([*batch[:3], make_event("new")])
            assert_law(again, 4)
            if not self.idempotent:
                pytest.skip("this sink stores what it is given")
            assert again.duplicate == self.duplicates(0, 1, 2)
            assert len(await self.stored(itself)) == 6

    async def test_an_event_twice_in_a_batch_is_stored_once(self, tmp_path: Path) -> None:
        event = make_event()
        async with self.opened(tmp_path) as (sink, itself):
            result = await sink.write([event, make_event("other"), event])
            assert_law(result, 3)
            if not self.idempotent:
                pytest.skip("this sink stores what it is given")
            assert result.duplicate == self.duplicates(2)
            assert len(await self.stored(itself)) == 2

    async def test_an_event_written_before_closing_is_known_after_opening(self, tmp_path: Path) -> None:
        if not (self.idempotent and self.durable):
            pytest.skip("this sink keeps nothing, or everything")
        event = make_event()
        async with self.opened(tmp_path) as (sink, _):
            await sink.write([event])
        async with self.opened(tmp_path) as (sink, itself):
            assert (await sink.write([event])).duplicate == self.duplicates(0)
            assert len(await self.stored(itself)) == 1

    async def test_awkward_fields_come_back_as_they_were(self, tmp_path: Path) -> None:
        batch = [make_event("event", {name: value}) for name, value in AWKWARD_FIELDS.items()]
        batch.append(make_event("\u0000 'name' \U0001f389", AWKWARD_FIELDS))
        async with self.opened(tmp_path) as (sink, itself):
            assert_law(await sink.write(batch), len(batch))
            assert await self.stored(itself) == [_bare(event) for event in batch]

    async def test_fields_that_stores_give_columns_keep_any_value(self, tmp_path: Path) -> None:
        batches = [[make_event("event", {name: value}) for name in _COLUMN_FIELDS] for value in _ANY_VALUES]
        async with self.opened(tmp_path) as (sink, itself):
            for batch in batches:
                assert_law(await sink.write(batch), len(batch))
            assert await self.stored(itself) == [_bare(event) for batch in batches for event in batch]

    async def test_a_large_event_is_stored(self, tmp_path: Path) -> None:
        event = make_event(body="ß" * 200_000)
        async with self.opened(tmp_path) as (sink, itself):
            assert_law(await sink.write([event]), 1)
            assert await self.stored(itself) == [_bare(event)]

    async def test_an_event_without_a_trace_comes_back_without_one(self, tmp_path: Path) -> None:
        event = Event(
            new_event_id(), 1_700_000_000_123_456_789, Kind.AUDIT, "error", "x", "s", "e", None, None, {}
        )
        async with self.opened(tmp_path) as (sink, itself):
            await sink.write([event])
            assert await self.stored(itself) == [event]

    async def test_several_workers_write_at_once(self, tmp_path: Path) -> None:
        batches = [[make_event(f"{worker}", number=number) for number in range(100)] for worker in range(4)]
        async with self.opened(tmp_path) as (sink, itself):
            results = await asyncio.gather(*(sink.write(batch) for batch in batches))
            for result in results:
                assert_law(result, 100)
            assert len(await self.stored(itself)) == 400

    async def test_a_write_that_is_given_up_does_no_harm(self, tmp_path: Path) -> None:
        batch = [make_event(number=number) for number in range(200)]
        async with self.opened(tmp_path) as (sink, itself):
            writing = asyncio.ensure_future(sink.write(batch))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait((writing,))
            assert_law(await sink.write(batch), 200)
            if self.idempotent:
                assert len(await self.stored(itself)) == 200

    # -- reading ------------------------------------------------------------------------------------

    async def test_each_condition_of_a_search_holds(self, tmp_path: Path) -> None:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        first = int(start.timestamp()) * 10**9
        batch = [
            make_event("fund.refund", kind=Kind.AUDIT, time_ns=first, user_id="ann", amount=5, ok=True),
            make_event("fund.charge", kind=Kind.AUDIT, time_ns=first + 10**9, user_id=7, amount=5.5, ok=1),
            make_event("noise", time_ns=first + 2 * 10**9, nested={"a": {"b": "x"}}, text="needle_100%"),
        ]
        async with self.opened(tmp_path) as (sink, itself):
            if not isinstance(itself, Readable):
                pytest.skip("this sink cannot be searched")
            await sink.write(batch)
            second = start + timedelta(seconds=1)
            expected: list[tuple[Query, list[int]]] = [
                (Query(), [0, 1, 2]),
                (Query(newest_first=True), [2, 1, 0]),
                (Query(limit=1), [0]),
                (Query(newest_first=True, limit=1), [2]),
                (Query(start=second), [1, 2]),
                (Query(end=second), [0]),
                (Query(kind=Kind.AUDIT), [0, 1]),
                (Query(name="noise"), [2]),
                (Query(trace_id="4bf92f3577b34da6a3ce929d0e0e4736"), [0, 1, 2]),
                (Query(trace_id="0" * 32), []),
                (Query(ids=frozenset({batch[1].id})), [1]),
                (Query(fields={"user_id": "ann"}), [0]),
                (Query(fields={"user_id": 7}), [1]),
                (Query(fields={"user_id": "7"}), []),
                (Query(fields={"amount": 5}), [0]),
                (Query(fields={"amount": 5, "user_id": 7}), []),
                (Query(fields={"ok": True}), [0]),
                (Query(fields={"ok": 1}), [1]),
                (Query(fields={"nested.a.b": "x"}), [2]),
                (Query(text="needle_100%"), [2]),
                (Query(text="needle%"), []),
            ]
            for query, indexes in expected:
                found = [_bare(event) async for event in itself.search(query)]
                assert found == [_bare(batch[index]) for index in indexes], query

    async def test_a_search_finds_levels_a_service_and_items_of_lists(self, tmp_path: Path) -> None:
        # Fields of these names are no level and no service.
        decoy = {"level": "error", "service": "other-service"}
        made: list[tuple[str, str, dict[str, Any]]] = [
            ("info", "contract-service", {"tags": ["b", "a"], **decoy}),
            ("error", "contract-service", {"tags": "a", "items": [{"sku": "x"}, {"sku": "y"}]}),
            ("critical", "other-service", {"tags": [], "items": [{"sku": "y"}, {"sku": 7}]}),
        ]
        batch = [
            msgspec.structs.replace(make_event(f"event {number}", fields), level=level, service=service)
            for number, (level, service, fields) in enumerate(made)
        ]
        bad = frozenset({"error", "critical"})
        async with self.opened(tmp_path) as (sink, itself):
            if not isinstance(itself, Readable):
                pytest.skip("this sink cannot be searched")
            await sink.write(batch)
            expected: list[tuple[Query, list[int]]] = [
                (Query(levels=frozenset({"error"})), [1]),
                (Query(levels=bad), [1, 2]),
                (Query(levels=frozenset({"debug"})), []),
                (Query(levels=bad, newest_first=True, limit=1), [2]),
                (Query(service="contract-service"), [0, 1]),
                (Query(service="other-service"), [2]),
                (Query(service="contract"), []),
                (Query(levels=bad, service="contract-service"), [1]),
                (Query(levels=bad, service="other-service", kind=Kind.AUDIT), []),
                (Query(fields={"tags": "a"}), [0, 1]),
                (Query(fields={"tags.1": "a"}), [0]),
                (Query(fields={"items.1.sku": "y"}), [1]),
                (Query(fields={"items.0.sku": "y"}, levels=bad), [2]),
                (Query(fields={"level": "error"}), [0]),
            ]
            for query, indexes in expected:
                found = [_bare(event) async for event in itself.search(query)]
                assert found == [_bare(batch[index]) for index in indexes], query

    async def test_pruning_deletes_what_is_old_and_no_more_than_asked(self, tmp_path: Path) -> None:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        first = int(moment.timestamp()) * 10**9
        batch = [make_event(time_ns=first + number * 10**9) for number in range(6)]
        async with self.opened(tmp_path) as (sink, itself):
            if not isinstance(itself, Prunable):
                pytest.skip("this sink cannot be pruned")
            await sink.write(batch)
            before = moment + timedelta(seconds=4)
            assert await itself.prune(before, limit=3) == 3
            assert await itself.prune(before, kind=Kind.AUDIT) == 0
            assert await itself.prune(before) == 1
            assert await self.stored(itself) == [_bare(event) for event in batch[4:]]

    async def test_deleting_takes_exactly_what_is_named(self, tmp_path: Path) -> None:
        batch = [make_event(number=number) for number in range(1_200)]
        async with self.opened(tmp_path) as (sink, itself):
            if not isinstance(itself, Deletable):
                pytest.skip("this sink does not delete by id")
            await sink.write(batch)
            await self.stored(itself)  # some stores show what they have only after they were asked
            named = [event.id for event in batch[100:]]
            assert await itself.delete([*named, new_event_id()]) == 1_100
            assert await itself.delete(named) == 0
            assert await itself.delete([]) == 0
            assert await self.stored(itself) == [_bare(event) for event in batch[:100]]


def _bare(event: Event) -> Event:
    """The event without its estimated size, which is not stored."""
    return msgspec.structs.replace(event, size=0)
