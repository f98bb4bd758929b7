"""VictoriaLogs' HTTP interface: one request, one answer. Errors of httpx end here, and our secrets too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import cramjam
import httpx
import msgspec

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.shared.credentials import bearer_header, login_of
from logweir.sinks.shared.http_client import HttpPool, ServerClient, beginning_of, make_http_client
from logweir.sinks.shared.http_verdicts import Meaning, meaning_of
from logweir.sinks.shared.tls import tls_context
from logweir.sinks.victorialogs.config import VictoriaLogsConfig
from logweir.sinks.victorialogs.limits import Flags, flags_of, is_page_of_flags
from logweir.sinks.victorialogs.verdicts import Answer, said_by

__all__ = ["Row", "VictoriaLogsClient"]

Row = dict[str, str]

#: As much of an answer is read where nothing or a reason is expected.
_MOST_READ = 2**16
_MOST_OF_A_PAGE = 4 * 2**20
#: Higher levels cost much more time than they save bytes.
_GZIP_LEVEL = 1
#: Of a body of so many bytes, handing it to a thread takes longer than compressing it.
_SMALL_BODY = 2**14
# Compressed, a small answer could unpack to more than anybody wants to read: `identity`. As a form, the body
# would be taken for the arguments of the request, and nothing would be stored.
_HEADERS = {"User-Agent": "logweir", "Accept-Encoding": "identity"}
_LINES = {"Content-Type": "application/x-ndjson"}
#: Seconds for a query; the server's own bound is `-search.maxQueryDuration`.
_QUERY_TIMEOUT = 60.0
#: Connections beyond those of the workers, for searches and checks.
_READERS = 2

_decode_row = msgspec.json.Decoder(Row).decode
_decode = msgspec.json.decode


class VictoriaLogsClient(ServerClient[VictoriaLogsConfig]):
    """A pool of connections to one VictoriaLogs.

    Args:
        config: The sink's options.
        http: The pool.
    """

    no_answer = "no answer from VictoriaLogs: "

    def __init__(self, config: VictoriaLogsConfig, http: HttpPool) -> None:
        super().__init__(config, http)
        self._url = config.url
        message = "event" if config.message_field is None else f"fields.{config.message_field},event"
        arguments = {
            "_stream_fields": ",".join([*config.static_fields, *config.stream_fields]),
            "_time_field": "_time",
            "_msg_field": message,
        }
        # Whole and parsed: of a path, httpx would make it anew for each request.
        self._push_url = httpx.URL(f"{config.url}/insert/jsonline", params=arguments)
        self._gzip = config.gzip
        self._push_headers = _LINES | ({"Content-Encoding": "gzip"} if config.gzip else {})
        self._query_timeout = max(_QUERY_TIMEOUT, config.retry.timeout)
        self._retention = config.retention_period

    @staticmethod
    def pool(config: VictoriaLogsConfig, workers: int) -> HttpPool:
        """See :meth:`ServerClient.pool`."""
        tenant = {"AccountID": str(config.account_id), "ProjectID": str(config.project_id)}
        own = {name: value.get_secret_value() for name, value in config.headers.items()}
        return make_http_client(
            login=login_of(config.username, config.password),
            headers=_HEADERS | tenant | own | bearer_header(config.bearer_token),
            trust=tls_context(config.tls) if config.url.startswith("https:") else None,
            timeout=config.retry.timeout,
            connections=workers + _READERS,
            proxy=config.proxy,
        )

    async def push(self, body: bytes) -> Answer:
        """Send lines, compressed if the options say so.

        Raises:
            SinkUnavailable: There was no answer; they may be sent again.
        """
        if self._gzip:
            if len(body) <= _SMALL_BODY:
                body = _packed(body)
            else:  # compressing a batch would hold up the loop
                body = await asyncio.to_thread(_packed, body)
        began = time.monotonic()
        async with self.asking("POST", self._push_url, content=body, headers=self._push_headers) as response:
            answer = await self._answer(response)
        return Answer(answer.status, answer.reason, answer.retry_after, answer.text, time.monotonic() - began)

    async def flags(self) -> Flags:
        """What the server was started with, as far as it shows.

        Raises:
            SinkUnavailable: There was no answer.
        """
        async with self.asking("GET", f"{self._url}/flags") as response:
            page = (await beginning_of(response, _MOST_OF_A_PAGE)).decode(errors="replace")
            is_shown = response.status_code == HTTPStatus.OK and is_page_of_flags(page)
        return flags_of(page, self._retention) if is_shown else Flags(retention=self._retention)

    async def page(self, path: str) -> str:
        """One of the server's own pages; empty where it does not show it.

        Raises:
            SinkUnavailable: There was no answer.
        """
        async with self.asking("GET", self._url + path) as response:
            page = await beginning_of(response, _MOST_OF_A_PAGE)
            return page.decode(errors="replace") if response.status_code == HTTPStatus.OK else ""

    async def rows(self, query: str) -> AsyncIterator[Row]:
        """Yield the rows that a query of LogsQL finds, as they come.

        Raises:
            SinkUnavailable: It cannot be asked now, or the answer broke off.
            SinkRejected: It refuses the query.
        """
        url, form = f"{self._url}/select/logsql/query", {"query": query}
        async with self.asking("POST", url, data=form, timeout=self._query_timeout) as response:
            if response.status_code != HTTPStatus.OK:
                raise _refusal_of(await self._answer(response))
            async for line in _lines(response.aiter_bytes()):
                yield _row(line)

    async def ask(self, path: str, form: Mapping[str, str]) -> Any:
        """Ask for something that is answered by one JSON value.

        Raises:
            SinkUnavailable: It cannot be asked now.
            SinkRejected: It refuses.
        """
        async with self.asking("POST", self._url + path, data=dict(form)) as response:
            if response.status_code != HTTPStatus.OK:
                raise _refusal_of(await self._answer(response))
            content = await beginning_of(response, _MOST_OF_A_PAGE)
        try:
            return _decode(content)
        except ValueError:
            raise _not_its_answer() from None

    async def _answer(self, response: httpx.Response) -> Answer:
        return Answer(
            response.status_code,
            response.reason_phrase,
            response.headers.get("Retry-After"),
            self.masked(await beginning_of(response, _MOST_READ)).decode(errors="replace"),
        )


def _packed(body: bytes) -> bytes:
    return bytes(cramjam.gzip.compress(body, _GZIP_LEVEL))


async def _lines(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Split at line feeds alone: httpx splits at all that Unicode calls a line break."""
    rest = b""
    async for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            if line:
                yield line
    if rest:
        yield rest


def _row(line: bytes) -> Row:
    try:
        return _decode_row(line)
    except ValueError:
        raise _not_its_answer() from None


def _not_its_answer() -> SinkUnavailable:
    return SinkUnavailable("the answer is not one of VictoriaLogs'; is the url that of a VictoriaLogs?")


def _refusal_of(answer: Answer) -> SinkUnavailable | SinkRejected:
    """What an answer to a question means that is no answer to it."""
    if meaning_of(answer.status) in {Meaning.LATER, Meaning.FAILED}:
        return SinkUnavailable(said_by(answer))
    return SinkRejected(said_by(answer))
