"""The connection to the nodes: the official asynchronous client, its errors turned into a sink's.

Retrying is the worker's business, so that the client tries each node once and no more: a node that
refuses, breaks off or answers 502, 503 or 504 makes it ask the next one, and is not asked for a while.
A node that hangs fails the request a little before the worker would give it up, so that the client learns
of it and asks another the next time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from elastic_transport import ApiError, TransportError
from elasticsearch import AsyncElasticsearch
from elasticsearch.serializer import JsonSerializer

from logweir.errors import SinkRejected
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.product import Elasticsearch
from logweir.sinks.elasticsearch.through_proxies import node_class_for
from logweir.sinks.elasticsearch.verdicts import failure
from logweir.sinks.shared.credentials import login_of, without_secrets
from logweir.sinks.shared.search_engine.contract import Answer, Client, Product
from logweir.sinks.shared.search_engine.packing import SMALLEST, packed
from logweir.sinks.shared.tls import tls_context

__all__ = ["ElasticsearchClient", "FastJson"]

#: The part of the worker's patience that one request may take.
_SHARE = 0.9
#: Connections to each node beyond one for each worker, so that a search never takes a writer's.
_READERS = 2
_GATEWAY_FAILURES = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


class _QuietInOurThreads(logging.Filter):
    """Leaves out what the client logs of each failure in our threads: the worker reports it, less often."""

    def filter(self, record: logging.LogRecord) -> bool:
        ours = (record.threadName or "").startswith("logweir")
        return not ours or record.levelno < logging.WARNING


_quiet_in_our_threads = _QuietInOurThreads()
for _name in ("elastic_transport.node_pool", "elastic_transport.transport"):
    logging.getLogger(_name).addFilter(_quiet_in_our_threads)

_encode_json = msgspec.json.Encoder().encode


class FastJson(JsonSerializer):
    """Reads answers faster than the client does by itself: that to a bulk has an item for each event."""

    def json_loads(self, data: bytes) -> Any:
        """Read an answer; what JSON cannot say and Python reads, as half a surrogate, is left to Python."""
        try:
            return msgspec.json.decode(data)
        except ValueError:
            return super().json_loads(data)


class ElasticsearchClient(Client):
    """Requests to the nodes of one cluster."""

    product: Product = Elasticsearch()

    def __init__(self, client: AsyncElasticsearch, config: ElasticsearchConfig) -> None:
        self._client = client
        self._compress = compress = config.compress
        self._secrets = [secret.encode() for secret in config.secrets()]
        self._headers = {"accept": "application/json"}
        if compress:
            self._headers["accept-encoding"] = "gzip"

    @classmethod
    async def make(cls, config: ElasticsearchConfig, workers: int) -> ElasticsearchClient:
        """Make the client, in a thread because it reads certificates; nothing is sent.

        Raises:
            SinkRejected: A certificate cannot be read.
        """
        try:
            client = await asyncio.to_thread(lambda: AsyncElasticsearch(**_options(config, workers)))
        except (OSError, ValueError) as error:
            raise SinkRejected(f"the connection cannot be prepared: {error}") from None
        return cls(client, config)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def request(self, method: str, target: str, body: object = None) -> Any:
        """See :meth:`Client.request`."""
        try:
            return await self._send(method, target, body)
        except ApiError as error:
            raise failure(error, self._said) from None
        except TransportError as error:
            raise failure(error) from None

    async def ask(self, method: str, target: str, body: object = None) -> Answer:
        """See :meth:`Client.ask`."""
        try:
            return int(HTTPStatus.OK), await self._send(method, target, body)
        except ApiError as error:
            status = error.meta.status
            refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.TOO_MANY_REQUESTS
            if refused and status != HTTPStatus.UNAUTHORIZED:
                return status, self._said(error.body)
            raise failure(error, self._said) from None
        except TransportError as error:
            raise failure(error) from None

    def _said(self, body: Any) -> Any:
        """The body of an answer that refuses something, without our secrets, which it may repeat."""
        said = _encode_json(body)
        masked = without_secrets(said, self._secrets)
        return body if masked == said else msgspec.json.decode(masked)

    async def _send(self, method: str, target: str, body: object) -> Any:
        headers: Mapping[str, str] = self._headers
        data: bytes | None = None
        if body is not None:
            data = body if isinstance(body, bytes) else _encode_json(body)
            headers = {**headers, "content-type": "application/json"}
            if self._compress and len(data) >= SMALLEST:
                data = await asyncio.to_thread(packed, data)
                headers["content-encoding"] = "gzip"
        answer = await self._client.perform_request(method, target, headers=headers, body=data)
        return answer.body


def _options(config: ElasticsearchConfig, workers: int) -> dict[str, Any]:
    """The client's own options; ``None`` is its word for a default that is not to be set."""
    options: dict[str, Any] = {
        "hosts": [_with_port(node) for node in config.url],
        "node_class": node_class_for(config.proxy),
        "serializers": {JsonSerializer.mimetype: FastJson()},
        "connections_per_node": workers + _READERS,
        "max_retries": len(config.url) - 1,
        "retry_on_status": _GATEWAY_FAILURES,
        "retry_on_timeout": False,
        "request_timeout": config.retry.timeout * _SHARE,
    }
    if config.api_key is not None:
        options["api_key"] = config.api_key.get_secret_value()
    login = login_of(config.username, config.password)
    if login is not None:
        options["basic_auth"] = login
    if config.url[0].startswith("https:"):
        options["ssl_context"] = tls_context(config.tls)
    return options


def _with_port(url: str) -> str:
    """The client asks for a port; it is that of the scheme where none is written."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    has_port = host.rpartition(":")[2].isdigit() and not host.endswith("]")
    port = "" if has_port else ":443" if scheme == "https" else ":80"
    return f"{scheme}://{host}{port}{slash}{path}"
