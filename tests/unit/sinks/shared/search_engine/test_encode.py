"""Between events and documents: what is stored, and that it comes back identical."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.event import Event, Kind, new_event_id
from logweir.sinks.shared.documents import STANDARD_NAMES
from logweir.sinks.shared.search_engine.bulk_body import bodies
from logweir.sinks.shared.search_engine.encode import (
    to_document,
    to_ecs_document,
    to_event,
    to_unindexed_document,
)
from logweir.sinks.shared.search_engine.layout import Layout

DAILY = Layout("app", streaming=False)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def event_at(time_ns: int, **fields: Any) -> Event:
    return Event(new_event_id(), time_ns, Kind.AUDIT, "info", "paid", "shop", "test", "ab" * 16, None, fields)


@given(fields=st.dictionaries(st.text(), values, max_size=4), time_ns=st.integers(-(2**63), 2**63 - 1))
@pytest.mark.parametrize("encoder", [to_document, to_unindexed_document])
async def test_a_document_read_back_is_the_identical_event(
    encoder: Any, fields: dict[str, Any], time_ns: int
) -> None:
    event = event_at(time_ns)
    event = Event(*[getattr(event, name) for name in event.__struct_fields__[:9]], fields)
    (body,) = [body async for body in bodies([event], [0], DAILY, encoder, 2**20)]
    back = to_event(json.loads(body.data.splitlines()[1]))
    assert back == event
    assert repr(back.fields) == repr(event.fields)  # 1 is not 1.0, nor True


named = st.sampled_from([*STANDARD_NAMES, "duration_ms", "ecs", "event", "fields", "http"])


@given(
    fields=st.dictionaries(named | st.text(), values, max_size=6),
    time_ns=st.integers(-(2**63), 2**63 - 1),
    full_text=st.booleans(),
)
async def test_a_document_with_the_names_of_ecs_read_back_is_the_same_event(
    fields: dict[str, Any], time_ns: int, full_text: bool
) -> None:
    event = event_at(time_ns)
    event = Event(*[getattr(event, name) for name in event.__struct_fields__[:9]], fields)
    encoder = partial(to_ecs_document, full_text=full_text)
    (body,) = [body async for body in bodies([event], [0], DAILY, encoder, 2**20)]
    back = to_event(json.loads(body.data.splitlines()[1]))
    assert back == event
    assert {name: repr(value) for name, value in back.fields.items()} == {
        name: repr(value) for name, value in event.fields.items()
    }


def test_fields_that_ecs_has_a_name_for_stand_under_it() -> None:
    event = event_at(1_700_000_000_123_456_789, http_status=200, user_id="7", duration_ms=1.5, sum=3)
    document = to_ecs_document(event)
    assert document["http"] == {"response": {"status_code": 200}}
    assert document["user"] == {"id": "7"}
    assert document["event"]["duration"] == 1_500_000
    assert document["event"]["dataset"] == "logweir.audit"
    assert document["fields"] == {"duration_ms": 1.5, "sum": 3}
    assert document["message"] == "paid http_status=200 user_id=7 duration_ms=1.5 sum=3"


def test_a_document_of_ecs_that_somebody_else_wrote_is_no_event() -> None:
    document = to_ecs_document(event_at(0))
    document["event"]["dataset"] = "nginx.access"
    with pytest.raises(ValueError, match=r"nginx\.access"):
        to_event(document)


def test_a_document_has_the_names_of_ecs() -> None:
    document = to_document(event_at(1_700_000_000_123_456_789, user_id=7, inner={"note": ["hello world"]}))
    assert document["@timestamp"] == "2023-11-14T22:13:20.123456789Z"
    assert document["event"]["action"] == "paid"
    assert document["event"]["kind"] == "audit"
    assert document["log"] == {"level": "info"}
    assert document["service"] == {"name": "shop", "environment": "test"}
    assert document["trace"] == {"id": "ab" * 16}
    assert document["message"] == "paid user_id=7 inner.note=hello world"
    assert document["fields"] == {"user_id": 7, "inner": {"note": ["hello world"]}}
