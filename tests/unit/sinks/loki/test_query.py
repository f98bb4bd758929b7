"""From a query to LogQL, and pages out of answers that are bounded."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.errors import SinkRejected
from logweir.event import Kind
from logweir.sinks.contract import Query
from logweir.sinks.loki.paging import AnswerTooLarge, Found, Span, answer_entries, instants
from logweir.sinks.loki.query import logql

PLACED = ("env", "service", "level", "kind", "trace_id")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), ""),
        (Query(name='a"b'), r' |= "\"event\":\"a\\\"b\""'),
        (Query(text='100% "x"'), r' |= "100% \\\"x\\\""'),
        (Query(trace_id="abc"), ' | trace_id="abc"'),
        (Query(kind=Kind.AUDIT), ' | kind="audit"'),
        (Query(ids=frozenset({"b", "a"})), ' |~ "a|b"'),
        (Query(ids=frozenset(str(number) for number in range(1000))), ""),
        (Query(fields={"a": "x", "b": 5, "c": True}), r' |= "\"x\""'),
    ],
)
def test_a_query_is_narrowed_down_in_logql(query: Query, expected: str) -> None:
    assert logql(query, {"job": 'lo"g'}, PLACED) == r'{job="lo\"g"}' + expected


def test_what_is_in_the_line_is_looked_for_in_the_line() -> None:
    assert logql(Query(kind=Kind.AUDIT, trace_id="abc"), {"job": "x"}, ()) == (
        r'{job="x"} |= "\"audit\"" |= "\"abc\""'
    )


def test_an_answer_that_is_not_lokis_is_refused() -> None:
    for data in (None, [], {"data": None}, {"data": {"result": [{"values": [[1]]}]}}):
        with pytest.raises(SinkRejected, match="is the url that of a Loki"):
            answer_entries(data)


class Loki:
    """A model: lines by time and id, answers of bounded lines and bytes."""

    def __init__(self, found: Sequence[Found], most: int) -> None:
        self._found = found
        self._most = most
        self.questions = 0

    async def ask(self, text: str, start: int, end: int, limit: int, newest_first: bool) -> list[Found]:
        self.questions += 1
        ending = text.rpartition("*")[2].rstrip('"').rstrip("\\") if "|~" in text else ""
        fitting = [
            item
            for item in self._found
            if start <= item.stamp < end and json.loads(item.line)["id"].endswith(ending)
        ]
        fitting.sort(key=lambda item: item.stamp, reverse=newest_first)
        if min(limit, len(fitting)) > self._most:
            raise AnswerTooLarge("too large")
        return fitting[:limit]


@given(
    st.lists(st.integers(0, 30), max_size=300),
    st.sampled_from([1, 7, 100, 5000]),
    st.booleans(),
    st.integers(0, 40),
)
def test_every_line_is_found_once_and_in_order(
    stamps: list[int], most: int, newest_first: bool, end: int
) -> None:
    import asyncio

    found = [
        Found(stamp, json.dumps({"id": f"{number * 2654435761 % 2**32:08x}"}), {})
        for number, stamp in enumerate(stamps)
    ]
    loki = Loki(found, most)

    async def read() -> list[Any]:
        groups = instants(loki.ask, "{}", Span(0, end), None, newest_first=newest_first)
        return [group async for group in groups]

    groups = asyncio.run(read())
    seen = [item for group in groups for item in group]
    assert sorted(seen, key=str) == sorted((item for item in found if item.stamp < end), key=str)
    bounds = [
        (min(item.stamp for item in group), max(item.stamp for item in group)) for group in groups if group
    ]
    ordered = bounds[::-1] if newest_first else bounds
    assert all(before[1] < after[0] for before, after in pairwise(ordered))


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 300), st.booleans())
def test_windows_cover_the_span_without_overlap(
    start: int, end: int, longest: int, newest_first: bool
) -> None:
    windows = list(Span(start, end).windows(longest, newest_first=newest_first))
    inside = [moment for window in windows for moment in range(window.start, window.end)]
    assert sorted(inside) == list(range(start, end))
    assert all(window.end - window.start <= longest for window in windows)
