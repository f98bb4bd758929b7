"""The OTLP sink's parts: records, verdicts, and what it does with what a receiver refuses."""

import base64
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess
from pydantic import ValidationError

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import SinkContext
from logweir.sinks.otlp.config import OtlpConfig
from logweir.sinks.otlp.encode import log_record, request_of
from logweir.sinks.otlp.sink import OtlpSink
from logweir.sinks.otlp.verdicts import Answer, refused_of
from logweir.testing.contract import make_event
from support.otlp import PROTOBUF, Receiver, events_in, partial, request_in, same
from support.webhook import Received, Reply


@asynccontextmanager
async def receiving(**options: Any) -> AsyncIterator[tuple[Receiver, OtlpSink]]:
    async with Receiver() as server:
        sink = OtlpSink(OtlpConfig(url=server.url, **options), SinkContext(workers=2))
        await sink.open()
        try:
            yield server, sink
        finally:
            await sink.close()


# -- records ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "number"), [("debug", 5), ("info", 9), ("warning", 13), ("error", 17), ("critical", 21)]
)
def test_a_record_has_the_severity_body_ids_and_attributes_of_its_event(level: str, number: int) -> None:
    event = msgspec.structs.replace(
        make_event("order.placed", {"n": 1, "nested": {"a": [1, None, {"b": 2.5}]}}, kind=Kind.AUDIT),
        level=level,
    )
    record = log_record(event)
    assert (record.severity_number, record.severity_text) == (number, level)
    assert record.body.string_value == "order.placed"
    assert (record.trace_id.hex(), record.span_id.hex()) == (event.trace_id, event.span_id)
    assert (record.time_unix_nano, record.observed_time_unix_nano) == (event.time, event.time)
    request = request_in(request_of([(event, record)], {}, compressed=True))
    assert events_in(request) == [same(event)]


def test_the_flags_of_a_trace_are_the_records_and_others_an_attribute() -> None:
    record = log_record(make_event("a", {"trace_flags": 1}))
    assert (record.flags, [each.key for each in record.attributes]) == (1, ["logweir.id", "logweir.kind"])
    for fields in ({"trace_flags": 256}, {"trace_flags": True}, {"trace_flags": "1"}):
        record = log_record(make_event("a", fields))
        assert (record.flags, record.attributes[0].key) == (0, "trace_flags")
    without_trace = msgspec.structs.replace(make_event("a", {"trace_flags": 1}), trace_id=None)
    assert log_record(without_trace).flags == 0


def test_records_are_grouped_by_resource_and_by_logger() -> None:
    events = [
        make_event("a", logger="shop"),
        msgspec.structs.replace(make_event("b"), service="other"),
        make_event("c", logger="shop"),
        make_event("d"),
    ]
    pairs = [(event, log_record(event)) for event in events]
    request = request_in(request_of(pairs, {"host.name": "h", "n": 3}, compressed=False), compressed=False)
    groups = [
        (
            {each.key: each.value.string_value or each.value.int_value for each in of.resource.attributes},
            [(scope.scope.name, len(scope.log_records)) for scope in of.scope_logs],
        )
        for of in request.resource_logs
    ]
    more = {"deployment.environment.name": "test", "host.name": "h", "n": 3}
    assert groups == [
        ({"service.name": "contract-service", **more}, [("shop", 2), ("logweir", 1)]),
        ({"service.name": "other", **more}, [("logweir", 1)]),
    ]


@pytest.mark.parametrize("given", ["mine", "ABCDEF", "4BF92F3577B34DA6A3CE929D0E0E4736", "00 11"])
def test_an_id_that_is_none_of_the_standards_is_an_attribute(given: str) -> None:
    event = msgspec.structs.replace(make_event(), trace_id=given, span_id=given)
    record = log_record(event)
    assert (record.trace_id, record.span_id) == (b"", b"")
    assert events_in(request_in(request_of([(event, record)], {}, compressed=True))) == [same(event)]


def test_deep_values_can_be_read_and_large_numbers_are_kept_as_text() -> None:
    deep: Any = "bottom"
    for _ in range(60):
        deep = {"a": [deep]}
    event = make_event("x", {"deep": deep, "large": 2**70})
    (found,) = events_in(request_in(request_of([(event, log_record(event))], {}, compressed=True)))
    assert found.fields["large"] == str(2**70)
    assert "bottom" in str(found.fields["deep"])


def test_fields_that_have_the_names_of_our_attributes_are_kept_beside_them() -> None:
    event = make_event("x", {"logweir.id": "mine", "logweir.kind": "too"})
    (found,) = events_in(request_in(request_of([(event, log_record(event))], {}, compressed=True)))
    assert (found.id, found.kind) == (event.id, event.kind)
    assert found.fields == {"logweir.id#2": "mine", "logweir.kind#2": "too"}


# -- verdicts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_by_itself_is_sent_again_when_the_receiver_says(status: int) -> None:
    with pytest.raises(SinkUnavailable) as caught:
        refused_of(Answer(status, retry_after="7"))
    assert caught.value.retry_after == 7
    later = Answer(status, retry_after="Thu, 26 Nov 2026 12:00:30 GMT")
    with pytest.raises(SinkUnavailable) as caught:
        refused_of(later, now=datetime(2026, 11, 26, 12, 0, tzinfo=UTC))
    assert caught.value.retry_after == 30


@pytest.mark.parametrize("status", [301, 401, 402, 403, 404, 405, 410, 415])
def test_what_an_operator_has_to_fix_waits(status: int) -> None:
    with pytest.raises(SinkUnavailable, match="fix the"):
        refused_of(Answer(status))


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_never_taken_is_rejected_with_what_the_receiver_says(status: int) -> None:
    said = ExportLogsPartialSuccess(rejected_log_records=3, error_message="bad  record").SerializeToString()
    with pytest.raises(SinkRejected, match=f"answered {status}: bad record"):
        refused_of(Answer(status, content_type="application/x-protobuf", body=said))
    with pytest.raises(SinkRejected, match=f"answered {status}: in words"):
        refused_of(Answer(status, content_type="text/plain", body=b"in words"))


@pytest.mark.parametrize("body", [b"", b"ok", b"\xff\xff", b"{}"])
def test_an_answer_that_says_nothing_beside_200_takes_all(body: bytes) -> None:
    assert refused_of(Answer(200, body=body)) == (0, "")


# -- what is refused in part -----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [{3}, {0, 9}, set(range(10)), {4, 5, 6}])
async def test_of_what_is_refused_in_part_each_event_has_its_own_verdict(bad: set[int]) -> None:
    batch = [make_event(number=number) for number in range(10)]
    refused = {batch[number].id for number in bad}
    async with receiving() as (server, sink):

        def behaviour(request: Received) -> Reply | None:
            events = events_in(request_in(request.body))
            taken = [event for event in events if event.id not in refused]
            server.stored.update({event.id: event for event in taken})
            return partial(len(events) - len(taken)) if len(taken) < len(events) else None

        server.behaviour = behaviour
        if len(bad) == len(batch):
            with pytest.raises(SinkRejected, match="too old"):
                await sink.write(batch)
            return
        result = await sink.write(batch)
    assert result.rejected.keys() == bad
    assert all("too old" in reason for reason in result.rejected.values())
    assert not result.retry
    assert set(server.stored) == {event.id for event in batch} - refused


async def test_refusals_with_words_too_long_to_be_read_are_no_success() -> None:
    batch = [make_event(number=number) for number in range(4)]
    async with receiving() as (server, sink):
        server.behaviour = lambda request: (
            partial(1, "too old" * 200_000) if len(events_in(request_in(request.body))) > 1 else partial(1)
        )
        result = await sink.write(batch)
        assert result.rejected.keys() == {0, 1, 2, 3}
        server.behaviour = lambda _request: partial(1, "too old" * 200_000)
        with pytest.raises(SinkRejected, match="too long to be read"):
            await sink.write(batch[:1])


async def test_a_secret_in_the_words_of_a_refusal_is_masked_and_the_refusal_holds() -> None:
    async with receiving(headers={"X-Key": "hunter2-key"}) as (server, sink):
        server.behaviour = lambda _request: partial(1, "too old for hunter2-key")
        with pytest.raises(SinkRejected, match=r"too old for \*\*\*$"):
            await sink.write([make_event()])


async def test_a_warning_beside_a_success_is_a_success() -> None:
    async with receiving() as (server, sink):
        server.behaviour = lambda _request: partial(0, "your clock is slow")
        assert not (await sink.write([make_event()])).rejected


async def test_a_receiver_that_fails_in_the_middle_leaves_the_rest_to_be_sent_again() -> None:
    batch = [make_event(number=number) for number in range(8)]
    answers = iter([partial(1), Reply(200, PROTOBUF), Reply(503, {"Retry-After": "3"})])
    async with receiving() as (server, sink):
        server.behaviour = lambda _request: next(answers)
        result = await sink.write(batch)
    assert result.retry == frozenset({4, 5, 6, 7})
    assert (result.retry_after, result.rejected) == (3, {})
    assert "503" in result.retry_reason


async def test_an_event_that_cannot_be_written_is_rejected_alone() -> None:
    batch = [make_event("a"), make_event("b", text="\ud800"), make_event("c", at=datetime.now(UTC))]
    async with receiving() as (server, sink):
        result = await sink.write(batch)
        assert list(server.stored) == [batch[0].id]
    assert result.rejected.keys() == {1, 2}


async def test_a_login_is_not_shown_when_the_receiver_sends_its_header_back() -> None:
    async with receiving(username="ann", password="hunter2-hunter2") as (server, sink):
        server.behaviour = lambda request: Reply(401, body=request.headers["authorization"].encode())
        with pytest.raises(SinkUnavailable) as caught:
            await sink.write([make_event()])
    assert "hunter2" not in str(caught.value)
    assert base64.b64encode(b"ann:hunter2-hunter2").decode() not in str(caught.value)


async def test_secrets_are_not_shown_when_the_receiver_sends_them_back() -> None:
    async with receiving(bearer_token="hunter2-hunter2") as (server, sink):
        server.behaviour = lambda request: Reply(400, {}, request.headers["authorization"].encode())
        with pytest.raises(SinkRejected) as caught:
            await sink.write([make_event()])
    assert "hunter2" not in str(caught.value)
    assert "Bearer ***" in str(caught.value)


async def test_check_says_what_is_wrong() -> None:
    async with receiving() as (server, sink):
        assert (await sink.check()).status == "ok"
        server.behaviour = lambda _request: Reply(401)
        health = await sink.check()
        assert health.status == "down"
        assert "credentials" in health.detail
    assert (await sink.check()).status == "down"


# -- options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://c:4318", "http://c:4318/v1/logs"),
        ("http://c:4318/", "http://c:4318/v1/logs"),
        ("https://c/v1/logs", "https://c/v1/logs"),
        ("http://v:9428/insert/opentelemetry", "http://v:9428/insert/opentelemetry/v1/logs"),
    ],
)
def test_the_path_of_the_protocol_is_added_to_the_address(url: str, asked: str) -> None:
    assert OtlpConfig(url=url).url == asked


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "collector:4318"}, "such as http://collector:4318"),
        ({"url": "http://u:p@c:4318"}, "credentials"),
        ({"username": "u"}, "belong together"),
        ({"bearer_token": "t", "headers": {"Authorization": "x"}}, "several ways"),
        ({"headers": {"Content-Type": "x"}}, "the sink.s own"),
        ({"headers": {"X": "a\nb"}}, "character"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OtlpConfig.model_validate({"url": "http://c:4318", **options})


def test_the_body_is_compressed_unless_it_should_not_be() -> None:
    event: Event = make_event()
    assert gzip.decompress(request_of([(event, log_record(event))], {}, compressed=True)) == request_of(
        [(event, log_record(event))], {}, compressed=False
    )
