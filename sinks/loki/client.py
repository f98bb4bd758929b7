"""Loki's HTTP interface: one request, one answer. Errors of httpx end here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.process.pacing import breathe, in_slices
from logweir.sinks.loki.config import LokiConfig
from logweir.sinks.loki.encode import Entry
from logweir.sinks.loki.paging import AnswerTooLarge, Found, answer_entries
from logweir.sinks.loki.protobuf import stream_part
from logweir.sinks.loki.push_body import json_body, json_part, protobuf_body
from logweir.sinks.loki.verdicts import Answer, is_too_large, read_answer, unreachable
from logweir.sinks.loki.writing import AT_ONCE
from logweir.sinks.shared.credentials import bearer_header, login_of
from logweir.sinks.shared.http_client import HttpPool, ServerClient, make_http_client
from logweir.sinks.shared.tls import tls_context

__all__ = ["LokiClient"]

_PUSH = "/loki/api/v1/push"
_QUERY = "/loki/api/v1/query_range"
_BODIES: Mapping[str, Any] = {
    "protobuf": (stream_part, protobuf_body, {"Content-Type": "application/x-protobuf"}),
    "json": (json_part, json_body, {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
}
#: Answers to a push of nothing from a Loki that does not serve us, and from one that does: Loki 3 answers 422
#: ("at least one valid stream is required"), others take it, or call it a bad request.
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
_TAKEN = {
    HTTPStatus.OK,
    HTTPStatus.NO_CONTENT,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
#: For VictoriaLogs, which takes the line's JSON apart and asks which key is the message; Loki ignores it.
_HINTS = {"vl-msg-field": "event"}
#: Seconds for a query: Loki tries one that is too large again and again before it says so.
_QUERY_TIMEOUT = 60.0
#: Connections beyond those of the workers, for searches and checks.
_READERS = 2


class LokiClient(ServerClient[LokiConfig]):
    """A pool of connections to one Loki.

    Args:
        config: The sink's options.
        http: The pool.
    """

    def __init__(self, config: LokiConfig, http: HttpPool) -> None:
        super().__init__(config, http)
        self._part_of, self._body_of, self._headers = _BODIES[config.encoding]
        # Whole and parsed: of a path, httpx would make it anew for each request.
        self._push_url = httpx.URL(config.url + _PUSH)
        self._query_timeout = max(_QUERY_TIMEOUT, config.retry.timeout)

    @staticmethod
    def pool(config: LokiConfig, workers: int) -> HttpPool:
        """See :meth:`ServerClient.pool`."""
        headers = _HINTS | ({"X-Scope-OrgID": config.tenant} if config.tenant else {})
        own = {name.lower(): value.get_secret_value() for name, value in config.headers.items()}
        return make_http_client(
            base_url=config.url,
            login=login_of(config.username, config.password),
            headers=headers | own | bearer_header(config.bearer_token),
            trust=tls_context(config.tls) if config.url.startswith("https:") else None,
            timeout=config.retry.timeout,
            connections=workers * AT_ONCE + _READERS,
            proxy=config.proxy,
        )

    async def push(self, entries: Sequence[Entry]) -> Answer:
        """Send entries.

        Raises:
            SinkUnavailable: They may be sent again.
        """
        parts = [self._part_of(part) async for part in in_slices(entries)]
        content = self._body_of(entries, parts)
        await breathe()
        response = await self._send("POST", self._push_url, content=content, headers=self._headers)
        return read_answer(response.status_code, response.text, response.headers)

    async def query(self, text: str, start: int, end: int, limit: int, newest_first: bool) -> list[Found]:
        """Ask for the lines of a range.

        Raises:
            SinkUnavailable: Loki cannot be asked now.
            SinkRejected: It refuses the query.
        """
        form = {
            "query": text,
            "start": str(start),
            "end": str(end),
            "limit": str(limit),
            "direction": "backward" if newest_first else "forward",
        }
        response = await self._send("POST", _QUERY, data=form, timeout=self._query_timeout)
        if response.status_code == HTTPStatus.BAD_REQUEST:
            if "max entries limit per query exceeded" in response.text:
                raise AnswerTooLarge(response.text.strip())
            raise SinkRejected(f"Loki refuses the query: {response.text.strip()[:400]}")
        if response.status_code != HTTPStatus.OK:
            if is_too_large(response.status_code, response.text):
                raise AnswerTooLarge(f"the answer is too large for Loki: {response.text.strip()[:400]}")
            read_answer(response.status_code, response.text, response.headers)
            raise SinkUnavailable(f"Loki answered {response.status_code} to a query")
        return answer_entries(_decoded(response.content))

    async def get(self, path: str) -> httpx.Response:
        """Ask for one of Loki's own pages.

        Raises:
            SinkUnavailable: There was no answer.
        """
        return await self._send("GET", path)

    async def probe(self) -> None:
        """Ask whether we may push: by a request that holds nothing.

        Raises:
            SinkUnavailable: Loki does not serve.
            SinkRejected: It does not serve us.
        """
        content = self._body_of([], [])
        response = await self._send("POST", _PUSH, content=content, headers=self._headers)
        if response.status_code in _REFUSED:
            raise SinkRejected(str(_error_of(response)))
        if response.status_code not in _TAKEN:
            raise _error_of(response)

    async def _send(self, method: str, path: str | httpx.URL, **content: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **content)
        except httpx.HTTPError as error:
            words = self.masked(str(error).encode()).decode()
            raise unreachable(type(error).__name__, words) from None
        if response.is_success:
            return response
        # A gateway may quote our credentials when it refuses them.
        said = self.masked(response.content)
        if said == response.content:
            return response
        headers = {name: value for name, value in response.headers.items() if name == "retry-after"}
        return httpx.Response(response.status_code, headers=headers, content=said)


def _error_of(response: httpx.Response) -> SinkError:
    try:
        read_answer(response.status_code, response.text, response.headers)
    except SinkUnavailable as error:
        return error
    return SinkUnavailable(f"Loki answered {response.status_code}")


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except ValueError:
        return None
