"""From a query to LogsQL: everything of a caller's is quoted."""

from datetime import UTC, datetime

import pytest

from logweir.event import Kind
from logweir.sinks.contract import Query
from logweir.sinks.victorialogs.query import filter_of, ids_filter, quoted, span_filter, span_of


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), ""),
        (Query(name='a" or *'), r' (_msg:="a\" or *" or event:="a\" or *")'),
        (Query(name=""), ""),
        (Query(text="100% x|y"), r' *:~"100%\\ x\\|y"'),
        (Query(text='"quoted"'), ""),
        (Query(text="{"), ""),
        (Query(trace_id="abc"), ' trace_id:="abc"'),
        (Query(kind=Kind.AUDIT), ' kind:="audit"'),
        (Query(ids=frozenset({"b", "a"})), ' id:in("a","b")'),
        (Query(ids=frozenset({"b", ""})), ""),
        (Query(ids=frozenset(str(number) for number in range(1000))), ""),
        (Query(fields={"a": "x"}), r' ("fields.a":="x" or "fields.a":~"\"x\"" or fields:*)'),
        (
            Query(fields={'a" or *:"': "x"}),
            r' ("fields.a\" or *:\"":="x" or "fields.a\" or *:\"":~"\"x\"" or fields:*)',
        ),
        (Query(fields={"a": True}), ' ("fields.a":="true" or "fields.a":~"true" or fields:*)'),
        (Query(fields={"a": None}), ""),
        (Query(fields={"a": ""}), ""),
        (Query(fields={"a": [1]}), ""),
        (
            Query(fields={"m": "x"}),
            r' ("fields.m":="x" or _msg:="x" or "fields.m":~"\"x\"" or _msg:~"\"x\"" or fields:*)',
        ),
        (
            Query(fields={"a.0.b": True}),
            ' ("fields.a.0.b":="true" or "fields.a.0.b":~"true" or "fields.a":~"true" or fields:*)',
        ),
        (Query(levels=frozenset({"info", "error"}), service="s"), ' level:in("error","info") service:="s"'),
        (Query(text="nu"), ""),
    ],
)
def test_a_query_is_narrowed_down_in_logsql(query: Query, expected: str) -> None:
    assert filter_of(query, {"job": 'lo"g', "b": "c"}, "m") == r'{"job"="lo\"g","b"="c"}' + expected


@pytest.mark.parametrize(
    ("value", "texts"),
    [(5, {"5", "5.0"}), (5.0, {"5", "5.0"}), (5.5, {"5.5"}), (10**16, {"10000000000000000", "1e16"}), (0, {"0", "0.0", "-0.0"})],
)  # fmt: skip
def test_a_number_is_asked_for_in_each_way_that_it_may_stand_there(value: float, texts: set[str]) -> None:
    asked = filter_of(Query(fields={"n": value}), {"job": "x"}, None)
    assert {part.partition(":=")[2] for part in asked.split("(")[1].split(" or ")[:-2]} == set(
        map(quoted, texts)
    )


def test_a_query_stays_within_the_length_that_the_server_takes() -> None:
    long = Query(name="n" * 20_000, text="t" * 20_000, trace_id="x" * 20_000, fields={"f": "v" * 20_000})
    assert filter_of(long, {"job": "x"}, None) == '{"job"="x"}'
    most = Query(ids=frozenset(f"{number:0>36}" for number in range(100)))
    assert len(filter_of(most, {"job": "x"}, None)) < 8_000


def test_times_are_written_to_the_nanosecond_and_the_end_is_not_included() -> None:
    query = Query(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, microsecond=1, tzinfo=UTC))
    assert span_filter(span_of(query)) == (
        '_time:>="2026-01-01T00:00:00.000000000Z" _time:<"2026-01-01T00:00:00.000001000Z"'
    )
    assert span_filter((None, None)) == ""


def test_ids_are_quoted() -> None:
    assert ids_filter(['") or *']) == r'id:in("\") or *")'
