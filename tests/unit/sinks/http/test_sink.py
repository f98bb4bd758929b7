"""The sink against a webhook that stores, refuses, hangs and lies."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.contract import SinkContext
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.sink import HttpSink
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


@pytest.mark.busy
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


@pytest.mark.parametrize("mode", ["batch", "single"])
async def test_d1_events_that_the_server_fails_on_wait_and_the_others_are_stored(
    server: Webhook, mode: str
) -> None:
    bugs = {0, 11, 31, 33, 47, 58, 71, 77, 99}
    events = [make_event("bug" if number in bugs else "good") for number in range(100)]
    server.behaviour = lambda request: Reply(500, body=b"oops") if b'"event":"bug"' in request.body else None
    async with sink_on(server, mode=mode) as sink:
        result = await sink.write(events)
        assert (result.retry, result.retry_reason) == (bugs, "the server answered 500 Said: oops")
        assert len(server.stored) == 91
        alone = await sink.write(events[:1])
        assert (alone.retry, alone.retry_reason) == ({0}, "the server answered 500 Said: oops")


@pytest.mark.parametrize("mode", ["batch", "single"])
async def test_a_server_that_fails_on_everything_is_unavailable_after_a_few_requests(
    server: Webhook, mode: str
) -> None:
    server.behaviour = lambda _request: Reply(500)
    async with sink_on(server, mode=mode, concurrency=1) as sink:
        with pytest.raises(SinkUnavailable, match="500"):
            await sink.write([make_event() for _ in range(100)])
    assert len(server.requests) == {"batch": 12, "single": 5}[mode]


@pytest.mark.parametrize("mode", ["batch", "single"])
async def test_a_server_that_says_when_to_come_back_is_not_asked_for_others(
    server: Webhook, mode: str
) -> None:
    server.behaviour = lambda _request: Reply(500, {"Retry-After": "3"})
    async with sink_on(server, mode=mode, concurrency=1) as sink:
        with pytest.raises(SinkUnavailable, match="500"):
            await sink.write([make_event() for _ in range(100)])
    assert len(server.requests) == 1


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


@pytest.mark.parametrize("mode", ["batch", "single"])
async def test_refusals_that_are_too_long_to_be_read_at_once_are_no_success(
    server: Webhook, mode: str
) -> None:
    events = [make_event() for _ in range(20)]

    def refuse_all(request: Received) -> Reply:
        rejected = {document["id"]: "no" * 300_000 for document in request.documents()}
        return Reply(body=json.dumps({"rejected": rejected}).encode())

    server.behaviour = refuse_all
    async with sink_on(server, mode=mode) as sink:
        result = await sink.write(events)
    assert result.rejected.keys() == set(range(20))


async def test_events_whose_answer_is_too_long_to_be_read_even_alone_wait(server: Webhook) -> None:
    body = json.dumps({"rejected": {make_event().id: "no" * 3_000_000}}).encode()
    server.behaviour = lambda _request: Reply(body=body)
    async with sink_on(server) as sink:
        result = await sink.write([make_event() for _ in range(4)])
    assert (result.retry, result.rejected) == ({0, 1, 2, 3}, {})
    assert "too long to be read" in result.retry_reason


async def test_verdicts_hold_though_a_secret_is_a_word_or_an_id_of_theirs(server: Webhook) -> None:
    bad, good = make_event("bad"), make_event("good")
    verdicts = {"rejected": {bad.id: "refused by rejected"}}
    server.behaviour = lambda _request: Reply(body=json.dumps(verdicts).encode())
    async with sink_on(server, headers={"X-If": "rejected", "X-First": bad.id[:13]}) as sink:
        result = await sink.write([bad, good])
    assert result.rejected == {0: "refused by ***"}


async def test_an_endless_answer_is_not_read_to_its_end(server: Webhook) -> None:
    server.behaviour = lambda _request: Reply(200, body=b"x" * 10_000_000)
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
