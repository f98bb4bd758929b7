from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from logweir.event import Event, Kind
from logweir.sinks.contract import Query
from logweir.sinks.mongodb.query import filter_of, older_than
from logweir.sinks.mongodb.reading import in_order
from logweir.sinks.query_match import matches
from logweir.testing.contract import make_event

MONGODB = (7, 0, 5)
MOMENT = datetime(2026, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)


def conditions(query: Query, version: tuple[int, ...] = MONGODB) -> list[dict[str, Any]]:
    return list(filter_of(query, version)["$and"])


def test_a_search_without_a_kind_names_both_so_that_the_index_serves() -> None:
    assert conditions(Query()) == [{"kind": {"$in": ["audit", "tracing"]}}]
    assert conditions(Query(kind=Kind.AUDIT)) == [{"kind": "audit"}]


def test_a_moment_below_a_millisecond_is_exact() -> None:
    first, second = older_than(MOMENT)["$and"][1:]
    assert int(first["time"]["$lte"]) == int(MOMENT.timestamp() * 1000)
    assert second["$or"][1] == {"ns": {"$lt": 456_000}}
    (only,) = older_than(MOMENT.replace(microsecond=123_000))["$and"][1:]
    assert list(only["time"]) == ["$lt"]


def test_text_is_taken_literally() -> None:
    (_, condition) = conditions(Query(text="a.b*(c)"))
    assert condition["$or"][0] == {"text": {"$regex": r"a\.b\*\(c\)"}}
    assert condition["$or"][1] == {"text": {"$exists": False}}
    (_, condition) = conditions(Query(text='say "hi"'))
    assert condition["$or"][0] == {"text": {"$regex": r'say\ "hi"|say\ \\"hi\\"'}}
    assert len(conditions(Query(text="a\0b"))) == 1


def test_fields_whose_names_no_path_can_have_are_left_to_us() -> None:
    for name in ("", "$where", "a..b", "a.$b", "nul\0"):
        assert conditions(Query(fields={name: 1}))[1] == {}
    assert conditions(Query(fields={"a.b": 1}), (4, 4))[1] == {}
    assert len(conditions(Query(fields={"a.b": 1}))[1]["$or"]) == 3


def test_values_that_mongodb_compares_otherwise_are_left_to_us() -> None:
    for value in ({"a": 1}, [{"a": 1}], [[{}]]):
        assert conditions(Query(fields={"x": value}))[1]["$or"][0] == {"fields.x": {"$exists": True}}
    for value in ("x", 1, 1.5, True, None, [1, "x"]):
        assert conditions(Query(fields={"x": value}))[1]["$or"][0] == {"fields.x": value}


def test_what_the_filter_lets_through_too_many_is_not_yielded() -> None:
    event = make_event("name", {"list": [1, 2], "one": 1})
    assert matches(event, Query(fields={"list": 1}))
    assert not matches(event, Query(fields={"absent": None}))
    assert not matches(event, Query(fields={"one": True}))
    assert matches(event, Query(fields={"list": [1, 2.0]}, text="one"))
    assert not matches(event, Query(text='"one":1'))
    assert not matches(event, Query(text="contract-service"))


def at(moment: int, identifier: str) -> Event:
    return msgspec.structs.replace(make_event(), id=identifier, time=moment)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_what_shares_a_millisecond_is_put_in_order_and_yielded_once(newest_first: bool) -> None:
    events = [
        at(1_000_001, "b"),
        at(1_000_001, "a"),
        at(1_000_000, "c"),
        at(1_000_000, "c"),
        at(2_000_000, "d"),
    ]
    wanted = ["c", "a", "b", "d"]
    if newest_first:
        events.reverse()
        wanted.reverse()

    async def found() -> AsyncIterator[Event]:
        for event in events:
            yield event

    assert [event.id async for event in in_order(found(), newest_first=newest_first)] == wanted
