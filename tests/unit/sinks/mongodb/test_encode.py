from typing import Any

import bson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logweir.event import Event, Kind
from logweir.sinks.mongodb.encode import document_of, event_of, guarded_document_of, text_of
from logweir.testing.contract import AWKWARD_FIELDS, make_event

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXT | st.sampled_from(["", "a.b", "$ref", "$id", "$db", "$where", "_id", "fields_json", "\0"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=5)
TIMES = st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9 + 999_999_999)


def event_with(fields: dict[str, Any], time: int = 1_700_000_000_123_456_789) -> Event:
    return Event("0199", time, Kind.AUDIT, "info", "name\0", "service", "env", None, "span", fields)


def exact(value: Any) -> Any:
    """A value beside its type, at every depth: 1, 1.0 and true are equal to Python, and are not the same."""
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list) else (type(value), repr(value))


def has_nul_name(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or has_nul_name(item) for name, item in value.items())
    return isinstance(value, list) and any(map(has_nul_name, value))


@settings(max_examples=80, deadline=None)
@given(fields=FIELDS, time=TIMES)
@example(
    fields={"$ref": "", "$id": None}, time=0
)  # the event's own fields are what the driver makes an object of
def test_an_event_comes_back_as_it_was(fields: dict[str, Any], time: int) -> None:
    event = event_with(fields, time)
    make = guarded_document_of if has_nul_name(fields) else document_of
    read = event_of(bson.encode(make(event)))
    assert read == event
    assert exact(read.fields) == exact(fields)


@settings(max_examples=50, deadline=None)
@given(fields=FIELDS)
def test_a_guarded_event_comes_back_as_it_was_and_every_server_takes_its_names(
    fields: dict[str, Any],
) -> None:
    document = guarded_document_of(event_with(fields), 5, with_text=True)
    assert exact(event_of(bson.encode(document)).fields) == exact(fields)
    for name in names_in(document["fields"]):
        assert name
        assert not {".", "$", "\0"} & set(name)


def names_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(name for item in value.values() for name in names_in(item))]
    return [name for item in value for name in names_in(item)] if isinstance(value, list) else []


def test_numbers_keep_their_kind_and_their_64_bits() -> None:
    fields = {"int": 1, "float": 1.0, "large": 2**63 - 1, "small": -(2**63), "zero": -0.0, "list": [2**40]}
    read = event_of(bson.encode(document_of(event_with(fields)))).fields
    assert exact(read) == exact(fields)


def test_a_guarded_event_is_nested_no_deeper_than_mongodb_allows() -> None:
    fields: dict[str, Any] = {}
    inner = fields
    for number in range(199):
        inner["down" if number % 2 else "list"] = step = {}
        inner = step
    document = guarded_document_of(event_with(fields))
    assert event_of(bson.encode(document)).fields == fields
    depth, level = 0, document["fields"]
    while isinstance(level, dict):
        level, depth = next(iter(level.values())), depth + 1
    assert depth < 100


@pytest.mark.parametrize("name", ["$ref", "$id", "$db"])
def test_fields_that_the_driver_takes_for_a_reference_stay_fields(name: str) -> None:
    fields = {
        "link": {"$ref": "orders", "$id": 2**40, "$db": None, "more": [{"$ref": "a", "$id": 1}]},
        name: "x",
    }
    assert exact(event_of(bson.encode(document_of(event_with(fields)))).fields) == exact(fields)


def test_what_is_absent_takes_no_room() -> None:
    document = document_of(make_event())
    assert {"expire_at", "text", "fields_json"} & set(document) == set()
    assert "trace_id" not in document_of(event_with({}))


def test_the_text_holds_the_name_and_the_fields() -> None:
    event = make_event("fund.refund", {"note": "needle_100%", "nested": {"deep": "ß"}})
    for part in ("fund.refund", "needle_100%", '"deep":"ß"'):
        assert part in text_of(event)


@pytest.mark.parametrize("name", list(AWKWARD_FIELDS))
def test_awkward_names_are_stored_as_they_are(name: str) -> None:
    document = bson.decode(bson.encode(document_of(make_event("x", {name: AWKWARD_FIELDS[name]}))))
    assert list(document["fields"]) == [name]
