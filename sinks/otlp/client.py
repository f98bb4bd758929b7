"""The connection to a receiver: one request, one answer. Errors of httpx end here, and our secrets too."""

from __future__ import annotations

import asyncio

import httpx

from logweir.errors import SinkUnavailable
from logweir.redaction.scan import MASK
from logweir.sinks.otlp.config import OtlpConfig
from logweir.sinks.otlp.verdicts import Answer
from logweir.sinks.shared.credentials import bearer_header, login_of
from logweir.sinks.shared.http_client import HttpPool, beginning_of, make_http_client
from logweir.sinks.shared.tls import tls_context

__all__ = ["OtlpClient"]

#: As much of an answer is read; a partial success is a number and a text.
_MOST_READ = 2**16
# Compressed, a small answer could unpack to more than anybody wants to read: `identity`.
_HEADERS = {
    "User-Agent": "logweir",
    "Content-Type": "application/x-protobuf",
    "Accept-Encoding": "identity",
}


class OtlpClient:
    """A pool of connections to one receiver.

    Args:
        config: The sink's options.
        http: The pool.
    """

    def __init__(self, config: OtlpConfig, http: HttpPool) -> None:
        self._http = http
        self._url = config.url
        self._headers = {"Content-Encoding": "gzip"} if config.gzip else {}
        self._secrets = config.secrets()

    @classmethod
    async def make(cls, config: OtlpConfig, workers: int) -> OtlpClient:
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

    async def send(self, body: bytes) -> Answer:
        """Send the body of a request, compressed if the sink's options say so, and read the answer.

        Raises:
            SinkUnavailable: There was none.
        """
        try:
            async with self._http.stream("POST", self._url, content=body, headers=self._headers) as response:
                return Answer(
                    response.status_code,
                    response.reason_phrase,
                    response.headers.get("Retry-After"),
                    response.headers.get("Content-Type", ""),
                    self._masked(await beginning_of(response, _MOST_READ)),
                )
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            said = self._masked((str(error) or type(error).__name__).encode())
            raise SinkUnavailable(said.decode(errors="replace")) from None

    def _masked(self, said: bytes) -> bytes:
        """What was said without our secrets, which a server may have sent back."""
        for secret in self._secrets:
            said = said.replace(secret.encode(), MASK.encode())
        return said


def _pool(config: OtlpConfig, workers: int) -> HttpPool:
    own = {name: value.get_secret_value() for name, value in config.headers.items()}
    return make_http_client(
        login=login_of(config.username, config.password),
        headers=_HEADERS | own | bearer_header(config.bearer_token),
        trust=tls_context(config.tls),
        timeout=config.retry.timeout,
        connections=workers + 1,  # `check` takes none of the workers'
        proxy=config.proxy,
    )
