"""Documents under the names that receivers expect."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logweir.event import Event, Kind
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.shared.documents import STANDARD_NAMES, Form, check_rename, documents
from logweir.sinks.stdout import StdoutConfig
from logweir.testing.contract import make_event

MOMENT = 1_764_000_000_123_456_789
FIELDS = {
    "http_method": "GET",
    "http_status": 200,
    "http_path": "/orders",
    "duration_ms": 1.5,
    "user_id": "7",
    "logger": "shop.orders",
    "order": {"id": 5},
}


def document(form: Form, fields: dict[str, Any], rename: dict[str, str] | None = None) -> dict[str, Any]:
    event = make_event("order placed", fields, kind=Kind.AUDIT, time_ns=MOMENT)
    found: dict[str, Any] = json.loads(msgspec.json.encode(documents(form, rename or {})(event)))
    return found


def test_ecs_has_the_names_of_the_schema() -> None:
    found = document("ecs", FIELDS)
    assert len(found["event"].pop("id")) == 36
    assert found == {
        "@timestamp": "2025-11-24T16:00:00.123456789Z",
        "ecs": {"version": "8.11.0"},
        "message": "order placed",
        "log": {"level": "info", "logger": "shop.orders"},
        "event": {
            "action": "order placed",
            "kind": "event",
            "dataset": "logweir.audit",
            "duration": 1_500_000,
        },
        "service": {"name": "contract-service", "environment": "test"},
        "trace": {"id": "4bf92f3577b34da6a3ce929d0e0e4736"},
        "span": {"id": "00f067aa0ba902b7"},
        "http": {"request": {"method": "GET"}, "response": {"status_code": 200}},
        "url": {"path": "/orders"},
        "user": {"id": "7"},
        "fields": {"order": {"id": 5}},
    }


def test_otel_has_the_names_of_the_data_model_and_of_the_conventions() -> None:
    found = document("otel", FIELDS)
    assert len(found["attributes"].pop("logweir.id")) == 36
    assert found == {
        "timestamp": "2025-11-24T16:00:00.123456789Z",
        "severity_text": "info",
        "severity_number": 9,
        "body": "order placed",
        "resource": {"service.name": "contract-service", "deployment.environment.name": "test"},
        "attributes": {
            "logweir.kind": "audit",
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "url.path": "/orders",
            "duration_ms": 1.5,
            "user.id": "7",
            "scope.name": "shop.orders",
            "order": {"id": 5},
        },
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
    }


def test_a_value_of_another_type_keeps_its_own_name() -> None:
    assert document("ecs", {"http_status": "200", "user_id": 7})["fields"] == {
        "http_status": "200",
        "user_id": 7,
    }
    assert document("otel", {"http_status": True})["attributes"]["http_status"] is True


def test_keys_are_renamed_and_no_field_takes_their_place() -> None:
    found = document("flat", {"_msg": "mine", "event": 1}, {"event": "_msg", "time": "_time"})
    assert (found["_msg"], found["field__msg"], found["event"]) == ("order placed", "mine", 1)
    assert "_time" in found
    assert "time" not in found
    assert document("nested", {"a": 1}, {"fields": "attributes"})["attributes"] == {"a": 1}


_names = st.sampled_from([*STANDARD_NAMES, *(name.otel for name in STANDARD_NAMES.values()), "duration_ms"])
_others = st.sampled_from(
    ["fields", "event", "logweir.id", "field_event", "http", "attributes", "@timestamp"]
)
_values = (
    st.integers(0, 9) | st.text(max_size=2) | st.none() | st.dictionaries(st.text(max_size=2), st.booleans())
)


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [json.dumps(value)]


@given(st.dictionaries(_names | _others | st.text(max_size=3), _values, max_size=8))
@pytest.mark.parametrize("form", ["nested", "flat", "ecs", "otel"])
def test_no_value_is_left_out_whatever_the_fields_are_called(form: Form, fields: dict[str, Any]) -> None:
    event = make_event("placed", fields)
    before = repr(event.fields)
    made = leaves(documents(form, {})(event))
    expected = {name: value for name, value in fields.items() if form != "ecs" or name != "duration_ms"}
    for leaf in leaves(expected) if expected else []:
        assert leaf in made
        made.remove(leaf)
    assert repr(event.fields) == before


@pytest.mark.parametrize("config", [HttpConfig, StdoutConfig])
@pytest.mark.parametrize(
    ("fields", "rename", "said"),
    [
        ("ecs", {"event": "message"}, "names of ecs are a standard's"),
        ("flat", {"user_id": "uid"}, "an event has no key 'user_id'"),
        ("flat", {"event": "level"}, "'level' cannot be the name of a key"),
        ("nested", {"event": ""}, "'' cannot be the name of a key"),
    ],
)
def test_what_cannot_be_renamed_is_refused(
    config: Any, fields: str, rename: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        config.model_validate(
            {"url": "https://hooks.example/logs"} | {"fields": fields, "rename": rename}
            if config is HttpConfig
            else {"fields": fields, "rename": rename}
        )


def test_the_page_names_every_field_that_has_a_standard_name() -> None:
    page = (Path(__file__).parents[4] / "docs" / "how-to" / "http-webhook.md").read_text()
    for name, standard in STANDARD_NAMES.items():
        kind = "number" if standard.type is int else "text"
        assert f"| `{name}` | {kind} | `{standard.ecs}` | `{standard.otel}` |" in page


def test_two_keys_may_change_places() -> None:
    check_rename("flat", {"event": "level", "level": "event"})
    found = document("flat", {}, {"event": "level", "level": "event"})
    assert (found["level"], found["event"]) == ("order placed", "info")


def test_the_events_own_keys_are_those_that_can_be_renamed() -> None:
    event = make_event("a", {"b": 1})
    check_rename("nested", {key: f"my_{key}" for key in documents("nested", {})(event)})
    assert isinstance(event, Event)
