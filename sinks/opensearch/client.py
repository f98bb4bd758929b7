"""The connection to the nodes: plain HTTP, errors of httpx turned into a sink's.

A sink needs a dozen requests. A client of its own for them would bring a second HTTP library, and retries,
which are the worker's business. A node that refuses, breaks off or answers 502, 503 or 504 makes us ask the
next one, and is not asked for a while. A node that hangs fails the request a little before the worker
would give it up, so that another is asked the next time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.opensearch.config import OpenSearchConfig
from logweir.sinks.opensearch.nodes import Nodes
from logweir.sinks.opensearch.product import OpenSearch
from logweir.sinks.opensearch.signing import Signer, canonical_query, credentials_of
from logweir.sinks.shared.credentials import login_of, without_secrets
from logweir.sinks.shared.http_client import HttpPool, make_http_client
from logweir.sinks.shared.search_engine.contract import Answer, Client, Product
from logweir.sinks.shared.search_engine.packing import SMALLEST, packed
from logweir.sinks.shared.search_engine.verdicts import first_line, refusal
from logweir.sinks.shared.tls import tls_context

__all__ = ["Answered", "OpenSearchClient", "read"]

#: The part of the worker's patience that one request may take.
_SHARE = 0.9
#: Connections beyond one for each worker, so that a search never takes a writer's.
_READERS = 2
_GATEWAY_FAILURES = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
#: Elasticsearch names itself in every answer.
_OTHER_PRODUCT = "x-elastic-product"

_encode_json = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer."""

    status: int
    body: Any
    retry_after: str | None


class OpenSearchClient(Client):
    """Requests to the nodes of one cluster.

    Args:
        config: The sink's options.
        http: The pool.
    """

    product: Product = OpenSearch()

    def __init__(self, config: OpenSearchConfig, http: HttpPool) -> None:
        self._http = http
        self._nodes = Nodes([url.rstrip("/") for url in config.url])
        self._secrets = [secret.encode() for secret in config.secrets()]
        self._compress = config.compress
        aws = config.aws
        self._signer = None if aws is None else Signer(aws.region, aws.service, credentials_of(aws))

    @classmethod
    async def make(cls, config: OpenSearchConfig, workers: int) -> OpenSearchClient:
        """Make the pool, in a thread because it reads certificates; nothing is sent.

        Raises:
            SinkRejected: A certificate cannot be read.
        """
        try:
            return cls(config, await asyncio.to_thread(_pool, config, workers))
        except (OSError, ValueError) as error:
            raise SinkRejected(f"the connection cannot be prepared: {error}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def request(self, method: str, target: str, body: object = None) -> Any:
        """See :meth:`Client.request`."""
        answer = await self._send(method, target, body)
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise refusal(answer.status, answer.body, answer.retry_after)
        return answer.body

    async def ask(self, method: str, target: str, body: object = None) -> Answer:
        """See :meth:`Client.ask`."""
        answer = await self._send(method, target, body)
        refused = HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.TOO_MANY_REQUESTS
        if answer.status < HTTPStatus.MULTIPLE_CHOICES or (
            refused and answer.status != HTTPStatus.UNAUTHORIZED
        ):
            return answer.status, answer.body
        raise refusal(answer.status, answer.body, answer.retry_after)

    async def _send(self, method: str, target: str, body: object) -> Answered:
        headers: dict[str, str] = {}
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else _encode_json(body)
            headers["content-type"] = "application/json"
            if self._compress and len(data) >= SMALLEST:
                data = await asyncio.to_thread(packed, data)
                headers["content-encoding"] = "gzip"
        *others, last = self._nodes.in_turn()
        for node in others:
            try:
                answer = await self._ask_node(node, method, target, data, headers)
            except _NextNode:
                continue
            if answer.status not in _GATEWAY_FAILURES:
                return answer
        try:
            return await self._ask_node(last, method, target, data, headers)
        except _NextNode as error:
            raise SinkUnavailable(str(error)) from None

    async def _ask_node(
        self, node: str, method: str, target: str, data: bytes, headers: dict[str, str]
    ) -> Answered:
        url, signed = await self._signed(method, f"{node}{target}", data)
        try:
            response = await self._http.request(method, url, content=data, headers=headers | signed)
        except httpx.TimeoutException:
            self._nodes.failed(node)
            raise SinkUnavailable("the server did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self._nodes.failed(node)
            words = first_line(error) or type(error).__name__
            raise _NextNode(f"the server cannot be reached: {words}") from None
        if response.status_code in _GATEWAY_FAILURES:
            self._nodes.failed(node)
        else:
            self._nodes.answered(node)
        token = signed.get("x-amz-security-token")
        return read(response, [*self._secrets, token.encode()] if token else self._secrets)

    async def _signed(self, method: str, address: str, data: bytes) -> tuple[httpx.URL, dict[str, str]]:
        """The URL and the headers of a request; signing may read files, and hash megabytes."""
        if self._signer is None:
            return httpx.URL(address), {}
        path, _, query = address.partition("?")
        canonical = canonical_query(query)
        url = httpx.URL(f"{path}?{canonical}" if canonical else path)
        host = url.netloc.decode()
        raw_path = url.raw_path.partition(b"?")[0].decode()
        sign = self._signer.headers
        return url, await asyncio.to_thread(sign, method, host, raw_path, canonical, data)


class _NextNode(Exception):
    """A node cannot be reached; another one may be."""


def read(response: httpx.Response, secrets: Sequence[bytes] = ()) -> Answered:
    """Read an answer, without our secrets, which one that refuses them, or a signature, may repeat.

    Raises:
        SinkUnavailable: It is not one of OpenSearch's.
    """
    if _OTHER_PRODUCT in response.headers:
        raise SinkUnavailable(
            "what answers is Elasticsearch; write `type: elasticsearch`, or look at the url"
        )
    content = response.content
    if not response.is_success:  # what was found stays as it is
        content = without_secrets(content, secrets)
    retry_after = response.headers.get("retry-after")
    try:
        return Answered(response.status_code, _decoded(content), retry_after)
    except ValueError:
        if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise SinkUnavailable("the server's answer is not the JSON that was expected") from None
        return Answered(response.status_code, None, retry_after)


def _decoded(content: bytes) -> Any:
    """What JSON cannot say and Python reads, as half a surrogate, is left to Python."""
    try:
        return msgspec.json.decode(content)
    except ValueError:
        return json.loads(content)


def _pool(config: OpenSearchConfig, workers: int) -> HttpPool:
    return make_http_client(
        login=login_of(config.username, config.password),
        headers={"user-agent": "logweir", "accept": "application/json"},
        trust=tls_context(config.tls) if config.url[0].startswith("https:") else None,
        timeout=config.retry.timeout * _SHARE,
        connections=len(config.url) * (workers + _READERS),
        proxy=config.proxy,
    )
