"""Events as Loki's entries, and back."""

import json
import time
from collections.abc import Sequence
from typing import Any

import cramjam
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logweir.benchmarks.loki_messages import LabelPair, PushRequest
from logweir.event import Event, Kind, new_event_id
from logweir.sinks.loki.encode import Encoder, Entry, Form, Stream, to_event
from logweir.sinks.loki.labels import LabelGuard
from logweir.sinks.loki.protobuf import push_request, stream_part
from logweir.sinks.loki.push_body import json_body, json_part, protobuf_body
from logweir.testing.contract import AWKWARD_FIELDS, make_event

STATIC = {"job": "logweir"}
LABELS = ("env", "service", "level")
METADATA = ("kind", "trace_id", "span_id")


def to_protobuf(entries: Sequence[Entry]) -> bytes:
    return protobuf_body(entries, [stream_part(entries)])


def to_json(entries: Sequence[Entry]) -> bytes:
    return json_body(entries, [json_part(entries)])


def encoder(labels: Any = LABELS, metadata: Any = METADATA, limit: int = 100) -> Encoder:
    return Encoder(STATIC, labels, metadata, LabelGuard(dict.fromkeys(labels, limit)))


def back(entry: Entry) -> Event:
    """What a search makes of an entry as Loki gives it: empty values are dropped."""
    labels = {name: value for name, value in (*entry.stream.labels, *entry.metadata) if value}
    event = to_event(entry.stamp, entry.line.decode(), labels)
    assert event is not None
    return msgspec.structs.replace(event, size=entry.event.size)


texts = st.text(max_size=20)
optional_texts = st.none() | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
events = st.builds(
    Event,
    st.just(new_event_id()),
    st.integers(0, 2**62),
    st.sampled_from(Kind),
    texts,
    texts,
    texts,
    texts,
    optional_texts,
    optional_texts,
    st.dictionaries(texts, values, max_size=4),
    st.just(100),
)
forms = st.builds(
    Form,
    stamp=st.none() | st.integers(0, 2**62),
    bare=st.booleans(),
    plain=st.booleans(),
)
placements = st.sampled_from(
    [
        (LABELS, METADATA),
        (LABELS, ()),
        (("level",), ("service", "kind", "user_id")),
        (("kind", "event", "user_id"), ("id", "level")),
        ((), ()),
    ]
)


@given(events, forms, placements)
def test_an_event_comes_back_identical_however_it_is_written(
    event: Event, form: Form, placed: tuple[Any, Any]
) -> None:
    made = encoder(*placed)
    entry = made.entry(0, event, form)
    assert back(entry) == event
    assert made.entry(0, event, form) == entry, "a resend is the same"
    assert {name for name, _ in entry.stream.labels} <= {"job", *placed[0]}
    assert all(value and value.isprintable() for _, value in (*entry.stream.labels, *entry.metadata))
    assert not (form.plain and entry.metadata)


def test_the_line_holds_what_is_not_held_elsewhere() -> None:
    event = make_event("order.placed", order_id=7)
    entry = encoder().entry(0, event)
    assert json.loads(entry.line) == {"event": "order.placed", "id": event.id, "fields": {"order_id": 7}}
    assert dict(entry.stream.labels) == {
        "job": "logweir",
        "env": "test",
        "service": "contract-service",
        "level": "info",
    }
    assert dict(entry.metadata) == {
        "kind": "tracing",
        "trace_id": event.trace_id,
        "span_id": event.span_id,
    }
    assert entry.stream.text == '{job="logweir", env="test", service="contract-service", level="info"}'


def test_a_field_may_be_a_label_or_metadata_and_stays_in_the_line() -> None:
    made = encoder(("region", "level"), ("user_id", "ok"))
    entry = made.entry(0, make_event(region="eu", user_id=7, ok=True))
    assert ("region", "eu") in entry.stream.labels
    assert entry.metadata == (("user_id", "7"), ("ok", "true"))
    assert back(entry).fields == {"region": "eu", "user_id": 7, "ok": True}
    without = made.entry(0, make_event(region=["a"], user_id={"a": 1}))
    assert "region" not in dict(without.stream.labels)
    assert without.metadata == ()


@pytest.mark.parametrize("longest", [300, 1000, 50_000])
@pytest.mark.parametrize(
    "fields",
    [
        {"body": "x" * 100_000},
        {"body": "ß" * 100_000, "user_id": "ann"},
        {"many": [{"a": "y" * 50}] * 5000},
        {f"name{number}": number for number in range(10_000)},
        {"nested": {"deep": {"text": '"' * 60_000}}},
    ],
    ids=["text", "bytes", "list", "names", "nested"],
)
def test_a_long_event_is_cut_to_fit_the_same_way_each_time(longest: int, fields: dict[str, Any]) -> None:
    event = make_event(**fields)
    entry = encoder().entry(0, event, Form(longest=longest))
    assert len(entry.line) <= longest
    assert encoder().entry(0, event, Form(longest=longest)) == entry
    assert entry.event is event
    read = back(entry)
    assert read.id == event.id
    assert read.fields["logweir_truncated"] is True
    if longest == 1000 and "user_id" in fields:
        assert read.fields["user_id"] == "ann"


def test_a_long_name_is_cut_too() -> None:
    entry = encoder().entry(0, make_event("n" * 5000), Form(longest=400))
    assert len(entry.line) <= 400
    assert back(entry).name == "n" * len(back(entry).name)


def test_protobuf_and_json_say_the_same() -> None:
    batch = [make_event("event", AWKWARD_FIELDS), make_event("other"), make_event(time_ns=1)]
    entries = encoder().entries(batch)
    stream = json.loads(cramjam.gzip.decompress(to_json(entries)).read())["streams"][0]
    request = PushRequest.FromString(bytes(cramjam.snappy.decompress_raw(to_protobuf(entries))))
    (message,) = request.streams
    assert stream["stream"] == dict(entries[0].stream.labels)
    assert message.labels == entries[0].stream.text
    for entry, (stamp, line, metadata), sent in zip(entries, stream["values"], message.entries, strict=True):
        assert int(stamp) == entry.stamp == sent.timestamp.seconds * 10**9 + sent.timestamp.nanos
        assert line.encode() == entry.line == sent.line
        assert (
            metadata
            == dict(entry.metadata)
            == {pair.name: pair.value for pair in map(LabelPair.FromString, sent.structuredMetadata)}
        )


NAMES = st.from_regex(r"[a-z_%]{1,40}|[a-z_]{130}", fullmatch=True)
VALUES = (
    st.text(min_size=1) | st.text(st.sampled_from("a%s"), min_size=20, max_size=200) | st.text(min_size=130)
)
LINES = st.binary(min_size=1, max_size=300) | st.integers(1, 40_000).map(lambda size: b"x" * size)
STAMPS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**31).map(lambda nanos: 10**18 + nanos)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    VALUES,
    st.lists(st.tuples(STAMPS, LINES, st.dictionaries(NAMES, VALUES, max_size=4)), min_size=1, max_size=5),
)
def test_a_push_is_the_message_that_protobuf_makes(
    labels: str, given_entries: list[tuple[int, bytes, dict[str, str]]]
) -> None:
    stream = Stream((), labels)
    request = PushRequest()
    message, entries = request.streams.add(labels=labels), []
    for stamp, line, pairs in given_entries:
        entries.append(Entry(0, make_event(), stream, stamp, line, tuple(pairs), tuple(pairs.values())))
        entry = message.entries.add(line=line)
        entry.timestamp.seconds, entry.timestamp.nanos = divmod(stamp, 10**9)
        entry.structuredMetadata.extend(
            [LabelPair(name=name, value=value).SerializeToString() for name, value in pairs.items()]
        )
    assert PushRequest.FromString(push_request(labels, [stream_part(entries)])) == request


def test_the_same_bytes_are_pushed_as_protobuf_makes_of_usual_entries() -> None:
    entries = encoder().entries(
        [make_event(number=number, time_ns=10**18 + number) for number in range(1, 4)]
    )
    request = PushRequest.FromString(push_request(entries[0].stream.text, [stream_part(entries)]))
    assert request.SerializeToString() == push_request(entries[0].stream.text, [stream_part(entries)])


def test_a_body_made_in_parts_is_the_body_made_in_one_go() -> None:
    entries = encoder().entries([make_event(f"event {number}", AWKWARD_FIELDS) for number in range(500)])
    halves = entries[:123], entries[123:]
    assert protobuf_body(entries, [stream_part(half) for half in halves]) == to_protobuf(entries)
    assert json_body(entries, [json_part(half) for half in halves]) == to_json(entries)


def test_a_push_of_nothing_is_empty() -> None:
    assert cramjam.snappy.decompress_raw(to_protobuf([])).read() == b""
    assert cramjam.gzip.decompress(to_json([])).read() == b'{"streams":[]}'


@given(st.lists(events, max_size=5), placements)
def test_a_batch_is_written_as_its_events_are(batch: list[Event], placed: tuple[Any, Any]) -> None:
    made = encoder(*placed)
    for _ in range(2):  # the first time its streams are new
        form = Form() if placed[1] else Form(plain=True)
        assert made.entries(batch) == [made.entry(index, event, form) for index, event in enumerate(batch)]


@pytest.mark.parametrize(
    "line", ["", "text", "{}", "[1]", '{"event": 1, "id": "x"}', '{"event": "x"', "null"]
)
def test_a_line_of_another_program_is_no_event(line: str) -> None:
    assert to_event(1, line, {}) is None


def test_a_line_that_a_collector_shipped_from_stdout_is_an_event() -> None:
    from logweir.encoding.events import encode_event

    event = make_event(order_id=7)
    read = to_event(time.time_ns(), encode_event(event).decode(), {"job": "varlogs"})
    assert read is not None
    assert msgspec.structs.replace(read, size=event.size) == event


def test_labels_are_demoted_when_their_values_pass_the_limit() -> None:
    made = encoder(("service", "level"), ("kind",), limit=3)
    batch = [msgspec.structs.replace(make_event(), service=f"s{number}") for number in range(6)]
    entries = made.entries(batch)
    assert [dict(entry.stream.labels).get("service") for entry in entries] == [
        "s0",
        "s1",
        "s2",
        None,
        None,
        None,
    ]
    assert [dict(entry.metadata).get("service") for entry in entries] == [None, None, None, "s3", "s4", "s5"]
    assert [back(entry) for entry in entries] == batch
    again = made.entry(0, batch[0])
    assert "service" not in dict(again.stream.labels), "its earlier values are demoted too"
    assert "level" in dict(again.stream.labels)
