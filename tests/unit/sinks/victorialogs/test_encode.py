"""Events as lines that VictoriaLogs takes apart into columns of text, and the same events back."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.encoding.times import format_time, parse_time
from logweir.event import Event, Kind
from logweir.sinks.victorialogs.columns import ColumnGuard
from logweir.sinks.victorialogs.encode import Encoder, event_of
from logweir.sinks.victorialogs.limits import Limits
from logweir.testing.contract import AWKWARD_FIELDS, make_event

NOW = 1_800_000_000 * 10**9
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES, max_size=6)


def encoder(most: int = 500) -> Encoder:
    return Encoder({"job": "logweir"}, ColumnGuard(most, lambda: None))


def line_of(event: Event, limits: Limits | None = None, made: Encoder | None = None) -> dict[str, Any]:
    refused: dict[int, str] = {}
    (line,) = (made or encoder()).lines([event], 0, limits or Limits(), refused)
    assert not refused
    written: dict[str, Any] = json.loads(line.text)
    return written


def stored(line: dict[str, Any], message: str = "event") -> dict[str, str]:
    """The columns that the store makes of a line, by its page "Key concepts": text, flat, nothing empty."""
    columns: dict[str, str] = {}

    def take_apart(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                take_apart(inner, f"{name}.{key}" if name else key)
        elif value is not None and value != "":
            assert name not in columns, "two values in one column"
            assert len(name.encode()) <= 128
            columns[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()

    take_apart(line, "")
    time = columns.pop("_time")
    columns["_time"] = format_time(int(time)) if time.lstrip("-").isdigit() else time
    for name in (message, "event"):
        if name in columns:
            columns["_msg"] = columns.pop(name)
            break
    columns.setdefault("_msg", "missing _msg field")
    return columns


def bare(event: Event | None) -> Event:
    assert event is not None
    return msgspec.structs.replace(event, size=0)


@settings(deadline=None)
@given(FIELDS)
def test_any_fields_come_back_as_they_were_in_value_and_type_and_order(fields: dict[str, Any]) -> None:
    found = event_of(stored(line_of(make_event("x", fields))))
    assert found is not None
    assert repr(found.fields) == repr(fields)


@settings(deadline=None)
@given(FIELDS, st.sampled_from(["note", "a", "b.c"]))
def test_a_field_that_is_the_message_comes_back_too(fields: dict[str, Any], message: str) -> None:
    event = make_event("x", {**fields, "note": "text", "a": 7})
    found = event_of(stored(line_of(event), f"fields.{message}"), message)
    assert bare(found) == bare(event)


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_any_time_comes_back(time: int) -> None:
    line = line_of(make_event(time_ns=time))
    assert line["_time"] not in {0, "0"}  # the store would take it for now
    assert parse_time(stored(line)["_time"]) == time or time == 0
    assert bare(event_of(stored(line))).time == time


def test_flat_fields_are_columns_under_their_names() -> None:
    line = line_of(make_event("order.placed", order_id=7, user="ann", paid=True, rate=0.5))
    assert line["fields"] == {"order_id": 7, "user": "ann", "paid": True, "rate": 0.5}
    assert line["shape"] == '{"order_id":"i","user":"s","paid":"b","rate":"f"}'
    assert stored(line)["fields.order_id"] == "7"
    assert stored(line)["_msg"] == "order.placed"
    assert line["job"] == "logweir"


def test_nested_fields_are_columns_with_dots_and_lists_are_json() -> None:
    line = line_of(make_event(order={"id": 7, "lines": [1, {"a": "\u0001"}]}))
    assert line["fields"] == {"order.id": "7", "order.lines": '[1,{"a":"\\u0001"}]'}


@pytest.mark.parametrize(
    "fields",
    [
        {"a.b": 1, "a": {"b": 2}},
        {"": "an empty name"},
        {"x" * 122: 1},
        {"ü" * 70: 1},
        {f"field_{number}": number for number in range(990)},
    ],
)
def test_fields_that_cannot_be_columns_are_one(fields: dict[str, Any]) -> None:
    line = line_of(make_event("x", fields), made=encoder(2000))
    assert json.loads(line["fields"]) == fields
    assert "shape" not in line


def test_no_more_names_become_columns_than_the_store_can_bear_and_that_is_reported_once() -> None:
    reports: list[str] = []
    made = Encoder({"job": "x"}, ColumnGuard(3, lambda: reports.append("too many")))
    known = make_event(a=1, b=2)
    assert line_of(known, made=made)["fields"] == {"a": 1, "b": 2}
    for number in range(5):
        event = make_event("x", {f"user_{number}": number, "a": 1, "c": None, "d": 2})
        assert isinstance(line_of(event, made=made)["fields"], str)
        assert bare(event_of(stored(line_of(event, made=made)))) == bare(event)
    assert reports == ["too many"]
    assert line_of(known, made=made)["fields"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("lost", ["name", "trace_id", "span_id", "service", "env", "level"])
def test_an_attribute_that_is_empty_is_not_one_that_is_absent(lost: str) -> None:
    event = msgspec.structs.replace(make_event("x", AWKWARD_FIELDS), **{lost: ""})
    assert bare(event_of(stored(line_of(event)))) == bare(event)


def test_a_number_that_is_none_costs_itself_alone() -> None:
    found = event_of(stored(line_of(make_event(a=float("nan"), b=1))))
    assert found is not None
    assert found.fields == {"a": None, "b": 1}


def test_an_event_without_a_trace_comes_back_without_one() -> None:
    event = Event("x", NOW, Kind.AUDIT, "error", "x", "s", "e", None, None, {})
    assert bare(event_of(stored(line_of(event)))) == event


# -- what the store would drop --------------------------------------------------------------------------


def test_an_event_that_is_too_long_is_cut_and_marked() -> None:
    event = make_event(body="x" * 500_000, user="ann", listed=["y" * 1000] * 500)
    refused: dict[int, str] = {}
    (line,) = encoder().lines([event], 0, Limits(longest_line=10_000), refused)
    assert len(line.text) <= 10_000
    assert not refused
    found = event_of(stored(json.loads(line.text)))
    assert found is not None
    assert (found.fields["user"], found.fields["logweir_truncated"]) == ("ann", True)
    (again,) = encoder().lines([event], 0, Limits(longest_line=10_000), refused)
    assert again == line


def test_an_event_that_cannot_be_cut_is_refused_alone() -> None:
    fat = msgspec.structs.replace(make_event(), service="s" * 20_000)
    refused: dict[int, str] = {}
    lines = list(encoder().lines([make_event(), fat, make_event()], 5, Limits(longest_line=10_000), refused))
    assert [line.index for line in lines] == [5, 7]
    assert list(refused) == [6]
    assert "longer than the 10000 bytes" in refused[6]


def test_a_text_that_is_no_unicode_is_refused_alone() -> None:
    refused: dict[int, str] = {}
    batch = [make_event(a="\ud800"), make_event(a="x"), make_event("\udfff")]
    assert [line.index for line in encoder().lines(batch, 0, Limits(), refused)] == [1]
    assert set(refused) == {0, 2}
    assert all("cannot be written as JSON" in reason for reason in refused.values())


@pytest.mark.parametrize(
    "row",
    [
        {"_time": "2026-01-01T00:00:00Z", "_msg": "somebody else's"},
        {"_time": "2026-01-01T00:00:00Z", "_msg": "x", "id": "x", "kind": "odd"},
        {"_time": "2026-01-01T00:00:00Z", "_msg": "x", "id": "x", "kind": "audit", "shape": '{"a":"z"}'},
        {"_time": "2026-01-01T00:00:00Z", "_msg": "x", "id": "x", "kind": "audit", "fields": "[]"},
    ],
)
def test_rows_of_others_are_none(row: dict[str, str]) -> None:
    assert event_of(row) is None
