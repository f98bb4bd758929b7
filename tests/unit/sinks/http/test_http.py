import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.contract import SinkContext
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.encode import request_of
from logweir.sinks.http.sink import HttpSink
from logweir.sinks.http.verdicts import Answer, result_of
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.retry_after import seconds_to_wait
from logweir.testing.contract import make_event
from support.webhook import Received, Reply, Webhook

SECRET = "correct horse battery staple"


def config(**options: Any) -> HttpConfig:
    return HttpConfig.model_validate({"url": "https://hooks.example/logs", **options})


@asynccontextmanager
async def sink_on(server: Webhook, **options: Any) -> AsyncIterator[HttpSink]:
    sink = HttpSink(config(**{"url": server.url, **options}), SinkContext(workers=2))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


@pytest.fixture
async def server() -> AsyncIterator[Webhook]:
    async with Webhook() as running:
        yield running


# -- requests -----------------------------------------------------------------------------------------


def test_a_batch_is_an_array_and_a_single_event_an_object() -> None:
    events = [make_event("a"), make_event("b")]
    together = json.loads(request_of(events, config(), 0).body)
    assert [document["event"] for document in together] == ["a", "b"]
    assert json.loads(request_of(events[:1], config(mode="single"), 0).body)["id"] == events[0].id
    assert isinstance(json.loads(request_of(events[:1], config(), 0).body), list)


def test_the_idempotency_key_belongs_to_the_events_and_not_to_the_attempt() -> None:
    first, second = make_event(), make_event()

    def key(*events: Any) -> str:
        return request_of(events, config(), 0).headers["Idempotency-Key"]

    assert key(first, second) == key(first, second)
    assert key(first, second) != key(first)
    assert key(first) == first.id


@pytest.mark.parametrize("compressed", [False, True])
def test_the_signature_is_over_the_timestamp_and_the_body_as_sent(compressed: bool) -> None:
    signing = config(sign={"secret": SECRET, "header": "X-Sig"}, gzip=compressed)
    request = request_of([make_event()], signing, 1_700_000_000.9)
    signed = b"1700000000." + request.body
    assert request.headers["X-Logweir-Timestamp"] == "1700000000"
    assert (
        request.headers["X-Sig"] == "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    )
    other = request_of([make_event()], config(sign={"secret": SECRET, "algorithm": "sha512"}), 0)
    assert other.headers["X-Logweir-Signature"].startswith("sha512=")


@pytest.mark.parametrize("compressed", [False, True])
def test_the_documented_verification_takes_what_is_ours_and_nothing_else(compressed: bool) -> None:
    page = (Path(__file__).parents[4] / "docs" / "how-to" / "http-webhook.md").read_text()
    (code,) = re.findall(r"^```python\n(# verify\.py\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = {"__name__": "verify"}
    exec(code, found)
    verify = found["is_from_logweir"]
    signing = config(sign={"secret": SECRET}, gzip=compressed)
    request = request_of([make_event()], signing, 1_700_000_000)
    assert verify(SECRET, request.headers, request.body, now=1_700_000_200)
    assert not verify("another secret, long enough", request.headers, request.body, now=1_700_000_200)
    assert not verify(SECRET, request.headers, request.body + b" ", now=1_700_000_200)
    assert not verify(SECRET, request.headers, request.body, now=1_700_000_301)
    later = {**request.headers, "X-Logweir-Timestamp": "1700000300"}
    assert not verify(SECRET, later, request.body, now=1_700_000_301)
    assert not verify(SECRET, {}, request.body, now=1_700_000_000)


# -- verdicts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_2xx_is_stored(status: int) -> None:
    assert result_of(Answer(status, body=b"thank you"), [make_event()]) == WriteResult.all_stored()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 401, 403, 407, 301, 302, 307, 308])
def test_what_may_pass_or_be_fixed_is_tried_again(status: int) -> None:
    with pytest.raises(SinkUnavailable, match=str(status)):
        result_of(Answer(status), [make_event()])


@pytest.mark.parametrize("status", [400, 404, 405, 410, 411, 413, 415, 422, 431])
def test_other_4xx_are_refusals_with_the_servers_words(status: int) -> None:
    with pytest.raises(SinkRejected, match=f"{status} Bad: no such field"):
        result_of(Answer(status, "Bad", body=b"no such\n field"), [make_event(), make_event()])


def test_a_conflict_is_a_duplicate_where_it_can_only_be_about_one_event() -> None:
    assert result_of(Answer(409), [make_event()]).duplicate == {0}
    with pytest.raises(SinkRejected):
        result_of(Answer(409), [make_event(), make_event()])


def test_the_receiver_may_answer_event_by_event() -> None:
    events = [make_event() for _ in range(5)]
    verdicts = {
        "duplicate": [events[0].id, events[1].id, "unknown"],
        "retry": [events[1].id, events[2].id],
        "rejected": {events[2].id: "no", "unknown": "x"},
    }
    result = result_of(Answer(200, body=json.dumps(verdicts).encode()), events)
    assert (result.duplicate, result.retry, result.rejected) == ({0}, {1}, {2: "no"})


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"[]", b"{", b'{"rejected": 0}', b'{"duplicate": "all"}', b"\xff{", b'{"ok": true}']
)
def test_any_other_body_of_a_success_says_nothing(body: bytes) -> None:
    assert result_of(Answer(200, body=body), [make_event()]) == WriteResult.all_stored()


def test_retry_after_is_a_number_or_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert seconds_to_wait("7") == 7
    assert seconds_to_wait("Thu, 01 Jan 2026 00:01:00 GMT", now) == 60
    assert seconds_to_wait("Thu, 01 Jan 2020 00:01:00 GMT", now) == 0
    for nonsense in ("soon", "nan", "inf", "", None):
        assert seconds_to_wait(nonsense, now) is None
    with pytest.raises(SinkUnavailable) as raised:
        result_of(Answer(503, retry_after="12"), [make_event()])
    assert raised.value.retry_after == 12


# -- the sink -----------------------------------------------------------------------------------------


async def test_headers_credentials_and_signature_arrive(server: Webhook) -> None:
    options = {
        "headers": {"X-Team": "shop"},
        "username": "u",
        "password": "hunter2-secret",
        "sign": {"secret": SECRET},
    }
    async with sink_on(server, **options) as sink:
        await sink.write([make_event()])
    (request,) = server.requests
    assert request.headers["x-team"] == "shop"
    assert request.headers["authorization"] == "Basic dTpodW50ZXIyLXNlY3JldA=="
    assert "x-logweir-signature" in request.headers


async def test_single_events_are_sent_a_few_at_once(server: Webhook) -> None:
    async with sink_on(server, mode="single", concurrency=3) as sink:
        server.hang.clear()
        async with asyncio.TaskGroup() as writing:
            writing.create_task(sink.write([make_event() for _ in range(20)]))
            async with asyncio.timeout(10):
                while len(server.requests) < 3:
                    await asyncio.sleep(0.001)
            await asyncio.sleep(0.02)
            assert len(server.requests) == 3
            server.hang.set()
    assert len(server.stored) == 20
    assert server.most_at_once <= 3


async def test_single_events_have_a_verdict_each(server: Webhook) -> None:
    events = [make_event(name) for name in ("good", "bad", "good", "there", "good")]
    server.stored[events[3].id] = events[3]
    server.behaviour = lambda request: Reply(422, body=b"bad") if b'"event":"bad"' in request.body else None
    async with sink_on(server, mode="single") as sink:
        result = await sink.write([*events, events[0]])
    assert result.rejected == {1: "the server answered 422 Said: bad"}
    assert result.duplicate == {3, 5}
    assert not result.retry


async def test_single_events_that_do_not_all_get_their_turn_in_time_are_reported_and_sent_again(
    server: Webhook,
) -> None:
    server.delay = 0.03
    async with sink_on(server, mode="single", concurrency=1, retry={"timeout": 0.5}) as sink:
        result = await sink.write([make_event() for _ in range(50)])
    assert 0 < len(server.stored) < 50
    assert len(result.retry) == 50 - len(server.stored)


def test_single_events_are_taken_by_the_handful_unless_configured_otherwise() -> None:
    assert config(mode="single").batch.max_events == 8
    assert config(mode="single", concurrency=3, batch={"linger": 1}).batch.max_events == 3
    assert config(mode="single", batch={"max_events": 99}).batch.max_events == 99
    assert config().batch.max_events == 500


@pytest.mark.parametrize("mode", ["batch", "single"])
async def test_an_event_twice_in_a_batch_shares_the_fate_of_the_first(server: Webhook, mode: str) -> None:
    good, later, never = (make_event(name) for name in ("good", "later", "never"))

    def by_event(request: Received) -> Reply | None:
        verdicts = {"retry": [later.id], "rejected": {never.id: "no"}}
        return Reply(body=json.dumps(verdicts).encode())

    server.behaviour = by_event
    async with sink_on(server, mode=mode) as sink:
        result = await sink.write([good, later, never, never, later, good])
    assert (result.duplicate, result.retry) == ({5}, {1, 4})
    assert result.rejected == {2: "no", 3: "no"}


async def test_when_the_server_fails_in_the_middle_the_rest_is_not_tried(server: Webhook) -> None:
    events = [make_event() for _ in range(50)]
    server.behaviour = lambda _request: Reply(503, {"Retry-After": "3"}) if len(server.requests) > 5 else None
    async with sink_on(server, mode="single", concurrency=1) as sink:
        result = await sink.write(events)
    assert result.retry == set(range(5, 50))
    assert result.retry_after == 3
    assert len(server.requests) == 6


async def test_refused_credentials_are_an_error_that_is_reported_in_both_modes(server: Webhook) -> None:
    server.behaviour = lambda _request: Reply(401)
    for mode in ("batch", "single"):
        async with sink_on(server, mode=mode) as sink:
            with pytest.raises(SinkUnavailable, match="fix the credentials"):
                await sink.write([make_event(), make_event()])
            assert (await sink.check()).status == "down"


async def test_redirects_are_not_followed(server: Webhook) -> None:
    server.behaviour = lambda _request: Reply(307, {"Location": server.url + "/elsewhere"})
    async with sink_on(server) as sink:
        with pytest.raises(SinkUnavailable, match="redirects are not followed"):
            await sink.write([make_event()])
    assert len(server.requests) == 1


async def test_a_server_that_is_not_there_or_ends_in_the_middle_is_unavailable(server: Webhook) -> None:
    server.behaviour = lambda _request: Reply(200, {"Content-Length": "5"}, b"abc")
    async with sink_on(server) as sink:
        with pytest.raises(SinkUnavailable):
            await sink.write([make_event()])
    async with sink_on(server, url="http://127.0.0.1:1/") as sink:
        with pytest.raises(SinkUnavailable):
            await sink.write([make_event()])
        assert (await sink.check()).status == "down"


async def test_no_secret_is_shown_even_if_the_server_sends_it_back(server: Webhook) -> None:
    def echo(request: Received) -> Reply:
        return Reply(400, body=json.dumps([request.path, request.headers]).encode())

    server.behaviour = echo
    options: list[dict[str, Any]] = [
        {"headers": {"X-Key": "hunter2-header"}, "bearer_token": "hunter2-bearer"},
        {"username": "u", "password": "hunter2-password"},
    ]
    for each in options:
        async with sink_on(server, sign={"secret": "hunter2-signature-key"}, **each) as sink:
            with pytest.raises(SinkRejected) as raised:
                await sink.write([make_event()])
            for secret in ("hunter2", "very-secret-path", "dTpodW50"):
                assert secret not in str(raised.value)
                assert secret not in repr(sink.config)


async def test_an_endless_answer_is_not_read_to_its_end(server: Webhook) -> None:
    server.behaviour = lambda _request: Reply(200, body=b"x" * 3_000_000)
    async with sink_on(server) as sink:
        assert await sink.write([make_event()])
        assert await sink.write([make_event()])


async def test_check_sends_no_event_and_says_who_answers(server: Webhook) -> None:
    async with sink_on(server) as sink:
        health = await sink.check()
        server.behaviour = lambda _request: Reply(502)
        assert (await sink.check()).status == "degraded"
    assert (health.status, health.server) == ("ok", "test/1")
    assert {request.method for request in server.requests} == {"HEAD"}
    assert not server.stored


async def test_a_certificate_that_cannot_be_read_is_reported(server: Webhook) -> None:
    with pytest.raises(SinkUnavailable, match="tls"):
        async with sink_on(server, tls={"ca": "missing.pem"}):
            pass


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://x/"}, "not an address"),
        ({"url": "https://"}, "not an address"),
        ({"url": "https://h:port/"}, "not an address"),
        ({"url": "https://u:hunter2@h/"}, "holds credentials"),
        ({"username": "u"}, "belong together"),
        ({"username": "u", "password": "p", "bearer_token": "t"}, "several ways"),
        ({"headers": {"authorization": "x"}, "bearer_token": "t"}, "several ways"),
        ({"headers": {"Content-Length": "1"}}, "sink's own"),
        ({"headers": {"Bad Name": "1"}}, "no name of a header"),
        ({"headers": {"X": "a\r\nY: b"}}, "character"),
        ({"sign": {"secret": "short"}}, "longer"),
        ({"method": "GET"}, "method"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        config(**options)
    assert words in " ".join(f"{problem['loc']} {problem['msg']}" for problem in raised.value.errors())
