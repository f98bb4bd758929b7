"""The connection to the webhook: one request, one answer. Errors of httpx end here, and our secrets too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from logweir.errors import SinkUnavailable
from logweir.redaction.scan import MASK
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.encode import Request
from logweir.sinks.http.verdicts import Answer
from logweir.sinks.shared.credentials import bearer_header, login_of
from logweir.sinks.shared.http_client import HttpPool, beginning_of, make_http_client
from logweir.sinks.shared.tls import tls_context

__all__ = ["HttpClient"]

#: As much of an answer is read; verdicts on ten thousand events fit in.
_MOST_READ = 2**20
#: The share of ``retry.timeout`` that a request for one event may take: two must fit into it.
_ONE_REQUEST = 0.4
# Compressed, a small answer could unpack to more than anybody wants to read: `identity`.
_HEADERS = {"User-Agent": "logweir", "Accept": "application/json", "Accept-Encoding": "identity"}


class HttpClient:
    """A pool of connections to one address.

    Args:
        config: The sink's options.
        http: The pool.
    """

    def __init__(self, config: HttpConfig, http: HttpPool) -> None:
        self._http = http
        self._method = config.method
        self._url = config.url.get_secret_value()
        self._secrets = [secret.encode() for secret in config.secrets()]

    @classmethod
    async def make(cls, config: HttpConfig, workers: int) -> HttpClient:
        """Make the pool, in a thread because it reads certificates; nothing is sent yet.

        Raises:
            SinkUnavailable: A certificate cannot be read.
        """
        try:
            return cls(config, await asyncio.to_thread(_pool, config, workers))
        except OSError as error:
            raise SinkUnavailable(f"a file of tls cannot be used: {error}") from None

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        await self._http.aclose()

    async def send(self, request: Request) -> Answer:
        """Send a request and read the answer.

        Raises:
            SinkUnavailable: There was none.
        """
        async with self._asking(self._method, request.body, request.headers) as response:
            return Answer(
                response.status_code,
                response.reason_phrase,
                response.headers.get("Retry-After"),
                self._masked(await beginning_of(response, _MOST_READ)),
            )

    async def head(self) -> tuple[int, str]:
        """Ask for the address without sending anything; return the status, and who answered.

        Raises:
            SinkUnavailable: Nobody did.
        """
        async with self._asking("HEAD", b"", {}) as response:
            return response.status_code, response.headers.get("Server", "")

    @asynccontextmanager
    async def _asking(
        self, method: str, body: bytes, headers: dict[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; what httpx raises becomes what a worker understands."""
        try:
            async with self._http.stream(method, self._url, content=body, headers=headers) as response:
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            reason = self._masked((str(error) or type(error).__name__).encode()).decode(errors="replace")
            raise SinkUnavailable(reason) from None

    def _masked(self, said: bytes) -> bytes:
        """What was said without our secrets, which a server may have sent back."""
        for secret in self._secrets:
            said = said.replace(secret, MASK.encode())
        return said


def _pool(config: HttpConfig, workers: int) -> HttpPool:
    single = config.format == "single"
    at_once = workers * (config.concurrency if single else 1)
    own = {name: value.get_secret_value() for name, value in config.headers.items()}
    return make_http_client(
        login=login_of(config.username, config.password),
        headers=_HEADERS | own | bearer_header(config.bearer_token),
        trust=tls_context(config.tls),
        timeout=config.retry.timeout * (_ONE_REQUEST if single else 1.0),
        connections=at_once + 1,  # `check` takes none of the workers'
        proxy=config.proxy,
    )
