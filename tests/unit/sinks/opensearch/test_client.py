"""What the client makes of answers that a server of the tests does not give."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.opensearch.client import OpenSearchClient
from logweir.sinks.opensearch.config import OpenSearchConfig
from logweir.sinks.shared.http_client import HttpPool

Answer = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def answered_by(answer: Answer, **options: Any) -> AsyncIterator[OpenSearchClient]:
    """A client at whose other end a function stands."""
    config = OpenSearchConfig.model_validate({"url": ["http://a:9200", "http://b:9200"], **options})
    pool = HttpPool(lambda: httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    client = OpenSearchClient(config, pool)
    try:
        yield client
    finally:
        await client.close()


def always(status: int, **content: Any) -> Answer:
    return lambda _: httpx.Response(status, **content)


async def test_elasticsearch_is_told_from_opensearch() -> None:
    named = {"X-Elastic-Product": "Elasticsearch"}
    async with answered_by(always(200, json={}, headers=named)) as client:
        with pytest.raises(SinkUnavailable, match="type: elasticsearch"):
            await client.ask("GET", "/")


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_a_request_that_failed_for_everybodys_reasons_is_tried_again(status: int) -> None:
    async with answered_by(always(status, text="<html>", headers={"retry-after": "7"})) as client:
        with pytest.raises(SinkUnavailable, match=f"status {status}"):
            await client.request("POST", "/_bulk", b"x")


async def test_a_request_that_the_server_refuses_is_rejected() -> None:
    refused = {"error": {"type": "action_request_validation_exception", "reason": "id is too long"}}
    async with answered_by(always(400, json=refused)) as client:
        with pytest.raises(SinkRejected, match="id is too long"):
            await client.request("POST", "/_bulk", b"x")
        assert (await client.ask("GET", "/x"))[0] == 400


async def test_an_answer_that_is_no_json_is_tried_again() -> None:
    async with answered_by(always(200, text="<html>")) as client:
        with pytest.raises(SinkUnavailable, match="not the JSON"):
            await client.request("GET", "/")


async def test_a_node_that_does_not_serve_leaves_the_request_to_the_next() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if request.url.host == "a":
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"ok": True})

    async with answered_by(answer) as client:
        assert await client.request("GET", "/") == {"ok": True}
        assert await client.request("GET", "/") == {"ok": True}
    assert asked == ["a", "b", "b"]


async def test_when_no_node_serves_the_last_ones_answer_counts() -> None:
    async with answered_by(always(503, json={"error": "busy"}, headers={"retry-after": "3"})) as client:
        with pytest.raises(SinkUnavailable, match="busy") as caught:
            await client.request("GET", "/")
    assert caught.value.retry_after == 3


async def test_requests_to_amazon_are_signed_and_its_refusals_show_no_token() -> None:
    token = "FQoGZXIvYXdzEXAMPLE"
    keys = {"access_key_id": "A", "secret_access_key": "hush", "session_token": token}
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(
            403, json={"message": f"signature does not match, x-amz-security-token:{token}"}
        )

    async with answered_by(answer, aws={"region": "eu-central-1", **keys}) as client:
        with pytest.raises(SinkUnavailable, match="signature does not match") as caught:
            await client.request("POST", "/app/_bulk?filter_path=items.*.status,errors", b"{}\n")
    assert token not in str(caught.value)
    assert seen[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=A/")
    assert seen[0].url.raw_path == b"/app/_bulk?filter_path=items.%2A.status%2Cerrors"
