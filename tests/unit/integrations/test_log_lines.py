"""Lines of other loggers, and of our own, as events."""

import json

import pytest
from msgspec import structs

from logweir.encoding.events import encode_event
from logweir.event import new_event_id
from logweir.integrations.log_lines import parse_line
from logweir.testing.contract import make_event


@pytest.mark.parametrize("key", ["event", "message", "msg"])
def test_the_name_is_found_under_the_keys_that_loggers_use(key: str) -> None:
    parsed = parse_line(json.dumps({key: "started", "port": 80}).encode())
    assert parsed is not None
    assert (parsed.name, parsed.fields) == ("started", {"port": 80})


@pytest.mark.parametrize(
    ("written", "level"),
    [("INFO", "info"), ("warn", "warning"), ("Fatal", "critical"), ("err", "error"), ("trace", "debug")],
)
def test_levels_are_understood_in_other_spellings(written: str, level: str) -> None:
    parsed = parse_line(json.dumps({"event": "x", "severity": written}).encode())
    assert parsed is not None
    assert parsed.level == level


def test_a_level_that_nobody_knows_stays_a_field() -> None:
    parsed = parse_line(b'{"event": "x", "level": "purple"}')
    assert parsed is not None
    assert (parsed.level, parsed.fields) == ("info", {"level": "purple"})


@pytest.mark.parametrize(
    "written",
    [
        '"2026-01-02T03:04:05.678Z"',
        '"2026-01-02T04:04:05.678+01:00"',
        "1767323045.678",
        "1767323045678",
        "1767323045678000000",
    ],
)
def test_times_are_understood_as_text_and_as_numbers(written: str) -> None:
    parsed = parse_line(f'{{"event": "x", "ts": {written}}}'.encode())
    assert parsed is not None
    assert parsed.time_ns is not None
    assert abs(parsed.time_ns - 1_767_323_045_678_000_000) < 1000


def test_a_time_that_cannot_be_read_stays_a_field() -> None:
    parsed = parse_line(b'{"event": "x", "time": "yesterday"}')
    assert parsed is not None
    assert (parsed.time_ns, parsed.fields) == (None, {"time": "yesterday"})


def test_a_plain_line_is_an_event_of_its_own_name() -> None:
    parsed = parse_line(b"disk is full\r\n")
    assert parsed is not None
    assert (parsed.name, parsed.fields, parsed.level) == ("disk is full", {}, "info")


def test_bytes_that_are_not_utf8_are_kept_readable() -> None:
    parsed = parse_line(b"caf\xe9")
    assert parsed is not None
    assert parsed.name == "caf\\xe9"


@pytest.mark.parametrize("line", [b"", b"   ", b"\n"])
def test_a_blank_line_is_nothing(line: bytes) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "line", [b"{", b'{"a": }', b'{"a": 1} trailing', b"[1]", b'"text"', b"{" * 100_000, b'{"a": "\xff"}']
)
def test_json_that_cannot_be_read_is_refused_with_a_reason(line: bytes) -> None:
    with pytest.raises(ValueError, match="not (a )?JSON"):
        parse_line(line, "json")


def test_a_line_that_we_wrote_keeps_its_id_and_unfolds_its_fields() -> None:
    event_id = new_event_id()
    line = {
        "id": event_id,
        "time": "2026-01-02T03:04:05.000000001Z",
        "kind": "audit",
        "level": "info",
        "event": "x",
        "service": "shop",
        "env": "",
        "fields": {"a": 1},
    }
    parsed = parse_line(json.dumps(line).encode())
    assert parsed is not None
    assert (parsed.event_id, parsed.fields) == (event_id, {"a": 1})


@pytest.mark.parametrize("foreign", [7, "abc", "not-a-uuid-but-thirty-six-characters!"])
def test_an_id_that_is_not_ours_stays_a_field(foreign: object) -> None:
    parsed = parse_line(json.dumps({"event": "x", "id": foreign}).encode())
    assert parsed is not None
    assert (parsed.event_id, parsed.fields) == (None, {"id": foreign})


def test_f1_the_id_of_another_programs_line_is_a_field_though_it_is_a_uuid_of_version_7() -> None:
    order = new_event_id()
    for line in (
        {"event": "order paid", "id": order},
        {"event": "order paid", "id": order, "fields": {"amount": 5}},
        {
            "event": "order paid",
            "id": order,
            "time": "2026-01-02T03:04:05Z",
            "level": "info",
            "kind": "audit",
        },
    ):
        parsed = parse_line(json.dumps(line).encode())
        assert parsed is not None
        assert parsed.event_id is None
        assert parsed.fields["id"] == order


def test_f1_a_line_of_our_own_shape_with_one_key_more_is_another_programs() -> None:
    event = make_event("paid")
    line = json.loads(encode_event(event)) | {"host": "a"}
    parsed = parse_line(json.dumps(line).encode())
    assert parsed is not None
    assert (parsed.event_id, parsed.fields["id"]) == (None, event.id)


def test_f2_a_line_that_a_sink_wrote_is_the_event_that_it_was() -> None:
    fields = {"id": 7, "level": "gold", "kind": "b", "service": "c", "time": 5, "event": "d", "message": "e"}
    event = structs.replace(make_event("paid"), fields=fields, service="shop", env="prod")
    parsed = parse_line(encode_event(event))
    assert parsed is not None
    assert parsed.own is not None
    assert structs.replace(parsed.own, size=event.size) == event
    assert parsed[:5] == (event.name, fields, event.level, event.time, event.id)


def test_f2_the_text_of_exceptions_and_stacks_is_kept() -> None:
    parsed = parse_line(b'{"event": "x", "exc_info": "Traceback ...", "stack_info": "Stack ..."}')
    assert parsed is not None
    assert parsed.fields == {"exception": "Traceback ...", "stack": "Stack ..."}
    both = parse_line(b'{"event": "x", "exc_info": "text", "exception": "other"}')
    assert both is not None
    assert both.fields == {"exc_info": "text", "exception": "other"}
    switch = parse_line(b'{"event": "x", "exc_info": true, "stack_info": true}')
    assert switch is not None
    assert switch.fields == {}
