"""Between events and rows of the audit table."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logweir.event import Event, Kind
from logweir.sinks.sql.canonical import canonical
from logweir.sinks.sql.encode import to_event, to_parameters, to_row
from logweir.sinks.sql.table import TYPED_FIELDS, audit_table
from logweir.testing.contract import make_event

TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from([*TYPED_FIELDS]) | TEXT, JSON, max_size=8)


def read_back(event: Event) -> Event:
    """The event of its row, after the row's JSON went through text as in a database."""
    *columns, extra_info = to_parameters(event)
    return to_event([*columns, json.loads(extra_info)])


def bare(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in Event.__struct_fields__ if name != "size"}


@given(FIELDS, TEXT, st.integers(-(2**60), 2**60))
def test_a_row_gives_back_the_identical_event(fields: dict[str, Any], name: str, time: int) -> None:
    event = make_event(name, fields, time_ns=time, kind=Kind.AUDIT)
    found = read_back(event)
    assert bare(found) == bare(event)
    assert canonical(found.fields) == canonical(
        event.fields
    )  # which distinguishes 1 from 1.0, and 0.0 from -0.0


@given(st.dictionaries(TEXT, JSON, max_size=4) | st.lists(NUMBERS, max_size=4))
@example([1e16, -1e-5, 0.00001, 1e300, 5e-324, 123456789012345680.0, 0.0001])
@example({"a": "0.0000", "b": "e5", "c": 1e22})
def test_the_canonical_text_is_that_of_pythons_json(document: object) -> None:
    written = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(document) == written.encode()


def test_the_parameters_stand_in_the_order_of_the_columns() -> None:
    assert list(to_row(make_event())) == audit_table("audit_log").columns.keys()
    event = make_event(user_id=7, status="x" * 40, resource="r", duration_ms=1.5, other=[1])
    row = to_row(event)
    assert to_parameters(event) == (
        *[*row.values()][:-1],
        json.dumps(row["extra_info"], sort_keys=True, separators=(",", ":")),
    )


@pytest.mark.parametrize(
    ("fields", "column", "left"),
    [
        ({"user_id": "ann"}, "ann", {}),
        ({"user_id": 7}, "7", {"user_id": 7}),
        ({"user_id": True}, None, {"user_id": True}),
        ({"user_id": None}, None, {"user_id": None}),
        ({"user_id": "x" * 64}, "x" * 64, {}),
        ({"user_id": "x" * 65}, "x" * 64, {"user_id": "x" * 65}),
        ({"user_id": {"a": 1}}, None, {"user_id": {"a": 1}}),
        ({"other": 1}, None, {"other": 1}),
    ],
)
def test_a_text_leaves_the_json_only_if_its_column_holds_it_whole(
    fields: dict[str, Any], column: Any, left: dict[str, Any]
) -> None:
    row = to_row(make_event("event", fields))
    assert row["user_id"] == column
    assert row["extra_info"] == left


@pytest.mark.parametrize(
    ("value", "column", "stays"), [(1.5, 1.5, False), (2, 2, True), ("2", None, True), (False, None, True)]
)
def test_a_duration_leaves_the_json_only_if_it_is_a_float(value: Any, column: Any, stays: bool) -> None:
    row = to_row(make_event(duration_ms=value))
    assert row["duration_ms"] == column
    assert ("duration_ms" in row["extra_info"]) is stays


def test_the_event_itself_is_left_as_it_was() -> None:
    event = make_event(user_id="ann", amount=5)
    to_parameters(event)
    assert event.fields == {"user_id": "ann", "amount": 5}


def test_time_is_kept_to_the_nanosecond() -> None:
    row = to_row(make_event(time_ns=1_700_000_000_123_456_789))
    assert (row["time_us"], row["time_ns"]) == (1_700_000_000_123_456, 789)


def test_time_before_1970_sorts_and_comes_back() -> None:
    row = to_row(make_event(time_ns=-1))
    assert (row["time_us"], row["time_ns"]) == (-1, 999)
    assert to_event([*row.values()]).time == -1
