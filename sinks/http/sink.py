"""The HTTP sink: batches as one request, or a request for each event, a few at once.

It is as idempotent as its receiver, which has the event ids and an ``Idempotency-Key`` to go by.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.redaction.patterns import MASK
from logweir.sinks.contract import Sink, SinkContext
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.encode import request_of
from logweir.sinks.http.verdicts import Answer, result_of
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.credentials import bearer_header, login_of
from logweir.sinks.shared.http_client import make_http_client
from logweir.sinks.shared.tls import tls_context

__all__ = ["HttpSink"]

#: As much of an answer is read; verdicts on ten thousand events fit in.
_MOST_READ = 2**20
#: Shares of ``retry.timeout``: after which no request for one more event begins, and how long each may take.
_LAST_START = 0.5
_ONE_REQUEST = 0.4
_HEADERS = {"User-Agent": "logweir", "Accept": "application/json", "Accept-Encoding": "identity"}
_REFUSED_ACCESS = {401, 403, 407}
_SERVER_ERROR = 500
_MASK = MASK.encode()


class HttpSink(Sink[HttpConfig]):
    """Sends events as JSON to an HTTP address."""

    Config = HttpConfig

    def __init__(self, config: HttpConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._secrets = [secret.encode() for secret in config.secrets()]
        self._client: httpx.AsyncClient | None = None

    # -- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make a client; connections are made by the requests.

        Raises:
            SinkUnavailable: A certificate cannot be read.
        """
        if self._client is None:
            try:
                self._client = await asyncio.to_thread(self._make_client)
            except OSError as error:
                raise SinkUnavailable(f"a file of tls cannot be used: {error}") from None

    def _make_client(self) -> httpx.AsyncClient:
        config = self.config
        at_once = self.context.workers * (config.concurrency if config.mode == "single" else 1)
        own = {name: value.get_secret_value() for name, value in config.headers.items()}
        return make_http_client(
            login=login_of(config.username, config.password),
            headers=_HEADERS | own | bearer_header(config.bearer_token),
            trust=tls_context(config.tls),
            timeout=config.retry.timeout * (_ONE_REQUEST if config.mode == "single" else 1.0),
            connections=at_once + 1,
        )

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def check(self) -> Health:
        """Ask for the address without sending anything; what a webhook thinks of that is up to it."""
        try:
            async with self._asking("HEAD", b"", {}) as response:
                status, server = response.status_code, response.headers.get("Server", "")
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))
        if status in _REFUSED_ACCESS:
            return Health(HealthStatus.DOWN, f"HEAD is answered {status}: fix the credentials", server)
        healthy = HealthStatus.DEGRADED if status >= _SERVER_ERROR else HealthStatus.OK
        return Health(
            healthy, f"{self.config.mode} by {self.config.method}; HEAD is answered {status}", server
        )

    # -- writing ------------------------------------------------------------------------------------

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Send a batch; see :meth:`Sink.write`."""
        fresh, repeated = _first_of_each_id(batch)
        if not fresh:
            return WriteResult.all_stored()
        send = self._send_together if self.config.mode == "batch" else self._send_one_by_one
        result = await send([batch[index] for index in fresh])
        retry = {fresh[index] for index in result.retry}
        rejected = {fresh[index]: reason for index, reason in result.rejected.items()}
        # What comes twice in a batch is sent once, and shares the fate of the first.
        retry.update(index for index, first in repeated.items() if first in retry)
        rejected.update((index, rejected[first]) for index, first in repeated.items() if first in rejected)
        duplicate = {fresh[index] for index in result.duplicate} | (repeated.keys() - retry - rejected.keys())
        return WriteResult(frozenset(duplicate), frozenset(retry), rejected, result.retry_after)

    async def _send_together(self, events: Sequence[Event]) -> WriteResult:
        request = await self._encoded(events)
        return result_of(await self._ask(*request), events)

    async def _send_one_by_one(self, events: Sequence[Event]) -> WriteResult:
        """Send a request for each event; once the server fails, or time runs out, the rest is not tried.

        What was stored by then must be reported before the worker gives the whole batch up.
        """
        failure: SinkUnavailable | None = None
        latest = time.monotonic() + self.config.retry.timeout * _LAST_START
        duplicate, retry, rejected = set[int](), set[int](), dict[int, str]()
        turn = iter(range(len(events)))

        async def send_in_turn() -> None:
            nonlocal failure
            for index in turn:
                if failure is not None or time.monotonic() > latest:
                    retry.add(index)
                    continue
                try:
                    result = await self._send_together([events[index]])
                except SinkUnavailable as error:
                    failure = error
                    retry.add(index)
                except SinkRejected as error:
                    rejected[index] = str(error)
                else:
                    duplicate.update(index for _ in result.duplicate)
                    retry.update(index for _ in result.retry)
                    rejected.update((index, reason) for reason in result.rejected.values())

        async with asyncio.TaskGroup() as senders:
            for _ in range(min(self.config.concurrency, len(events))):
                senders.create_task(send_in_turn())
        if failure is not None and len(retry) == len(events):
            raise failure
        seconds = failure.retry_after if failure is not None else None
        return WriteResult(frozenset(duplicate), frozenset(retry), rejected, seconds)

    async def _encoded(self, events: Sequence[Event]) -> tuple[bytes, dict[str, str]]:
        try:
            if self.config.gzip and self.config.mode == "batch":
                request = await asyncio.to_thread(request_of, events, self.config, time.time())
            else:
                request = request_of(events, self.config, time.time())
        except (TypeError, ValueError) as error:
            reason = error.reason if isinstance(error, UnicodeEncodeError) else str(error)
            raise SinkRejected(f"a value cannot be written as JSON: {reason}") from None
        return request.body, request.headers

    async def _ask(self, body: bytes, headers: dict[str, str]) -> Answer:
        async with self._asking(self.config.method, body, headers) as response:
            return Answer(
                response.status_code,
                response.reason_phrase,
                response.headers.get("Retry-After"),
                self._masked(await _beginning(response)),
            )

    @asynccontextmanager
    async def _asking(
        self, method: str, body: bytes, headers: dict[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; what the client raises becomes what a worker understands."""
        if self._client is None:
            raise SinkUnavailable("the sink is not open")
        url = self.config.url.get_secret_value()
        try:
            async with self._client.stream(method, url, content=body, headers=headers) as response:
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            reason = self._masked((str(error) or type(error).__name__).encode()).decode(errors="replace")
            raise SinkUnavailable(reason) from None

    def _masked(self, said: bytes) -> bytes:
        """What was said without our secrets, which a server may have sent back."""
        for secret in self._secrets:
            said = said.replace(secret, _MASK)
        return said


def _first_of_each_id(batch: Sequence[Event]) -> tuple[list[int], dict[int, int]]:
    """The indexes of the events to send, and of those whose id comes earlier in the batch, with where."""
    first = dict[str, int]()
    repeated = dict[int, int]()
    for index, event in enumerate(batch):
        if first.setdefault(event.id, index) != index:
            repeated[index] = first[event.id]
    return list(first.values()), repeated


async def _beginning(response: httpx.Response) -> bytes:
    """As much of the body as anybody looks at."""
    parts = list[bytes]()
    left = _MOST_READ
    async for part in response.aiter_bytes():
        parts.append(part[:left])
        left -= len(part)
        if left <= 0:
            break
    return b"".join(parts)
