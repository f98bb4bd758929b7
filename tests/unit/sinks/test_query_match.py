"""Whether one event matches a query."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from logweir.event import Event, Kind
from logweir.sinks.contract import Query
from logweir.sinks.query_match import limited, matches, nanoseconds
from logweir.testing.contract import make_event

MOMENT = datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
EVENT = make_event(
    "fund.refund",
    {
        "dotted.name": 1,
        "dotted": {"name": 2, "other": 3},
        "ok": True,
        "none": None,
        "who": 'Zoë says "hi"',
        "tags": ["a", {"of": ["b"]}, 7],
    },
    kind=Kind.AUDIT,
    time_ns=nanoseconds(MOMENT),
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), True),
        (Query(start=MOMENT), True),
        (Query(start=MOMENT + timedelta(microseconds=1)), False),
        (Query(end=MOMENT), False),
        (Query(end=MOMENT + timedelta(microseconds=1)), True),
        (Query(kind=Kind.AUDIT, name="fund.refund"), True),
        (Query(kind=Kind.AUDIT, name="fund"), False),
        (Query(kind=Kind.TRACING), False),
        (Query(ids=frozenset()), False),
        (Query(ids=frozenset({EVENT.id})), True),
        (Query(text="Zoë"), True),
        (Query(text="Chloë"), False),
        (Query(text='says "hi"'), True),
        (Query(text="refund"), True),
        (Query(text="dotted.na"), True),
        (Query(text="tru"), True),
        (Query(text="contract-service"), False),
        (Query(text='"ok":true'), False),
        (Query(levels=frozenset({"info"})), True),
        (Query(levels=frozenset({"warning", "error"})), False),
        (Query(levels=frozenset()), False),
        (Query(service=EVENT.service), True),
        (Query(service="nobody"), False),
    ],
)
def test_every_condition_must_hold(query: Query, expected: bool) -> None:
    assert matches(EVENT, query) is expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dotted.name", 1, True),
        ("dotted.name", 2, False),
        ("dotted.other", 3, True),
        ("dotted.other.deeper", 3, False),
        ("ok", True, True),
        ("ok", 1, False),
        ("dotted.name", True, False),
        ("none", None, True),
        ("absent", None, False),
        ("dotted", {"name": 2, "other": 3}, True),
        ("dotted", {"other": 3.0, "name": 2}, True),
        ("dotted", {"name": 2, "other": True}, False),
        ("tags", "a", True),
        ("tags", 7.0, True),
        ("tags", {"of": ["b"]}, True),
        ("tags", "b", False),
        ("tags", ["a"], False),
        ("tags.0", "a", True),
        ("tags.1.of", "b", True),
        ("tags.1.of.0", "b", True),
        ("tags.3", None, False),
        ("tags.-1", 7, False),
        ("tags.00", "a", False),
        ("tags.²", 7, False),
    ],
)
def test_a_field_must_equal_the_value(name: str, value: Any, expected: bool) -> None:
    assert matches(EVENT, Query(fields={name: value})) is expected


def test_a_time_without_an_offset_is_utc() -> None:
    assert nanoseconds(datetime(1970, 1, 1, 0, 0, 1)) == 10**9  # noqa: DTZ001 - that is the question
    assert nanoseconds(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == 0


@pytest.mark.parametrize(("limit", "fetched"), [(None, 3), (0, 0), (2, 2), (3, 3), (4, 3)])
async def test_a_limited_search_yields_the_first_so_many_and_fetches_no_more(
    limit: int | None, fetched: int
) -> None:
    asked = 0

    async def three() -> AsyncIterator[Event]:
        nonlocal asked
        for _ in range(3):
            asked += 1
            yield EVENT

    assert len([event async for event in limited(three(), limit)]) == fetched
    assert asked == fetched


def test_the_hour_that_a_clock_shows_twice_is_two_hours() -> None:
    """Such moments of one zone are equal for Python, whichever of the two is meant."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert nanoseconds(first.replace(fold=1)) - nanoseconds(first) == 3600 * 10**9
