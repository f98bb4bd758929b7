"""The pool of connections of a sink that speaks HTTP through httpx.

A cancelled request (each is cancelled whose write takes too long) may keep its place in httpx's pool for
ever. Once all places are lost, every request waits in vain, and the sink would be down until the process
ends. So a pool in which a request was cancelled is replaced, and closed when its other requests have ended.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import httpx
from pydantic import SecretStr

from logweir.errors import SinkUnavailable
from logweir.sinks.shared.credentials import without_secrets
from logweir.sinks.shared.proxies import proxy_for

__all__ = ["HttpPool", "ServerClient", "beginning_of", "make_http_client"]


class _HasSecrets(Protocol):
    def secrets(self) -> list[str]:
        """What must never be shown, the longest first."""
        ...


ConfigT = TypeVar("ConfigT", bound=_HasSecrets)


class ServerClient(ABC, Generic[ConfigT]):
    """Requests of one sink to one server: errors of httpx end here, and the sink's secrets too.

    Attributes:
        no_answer: What a failure to get an answer begins with.

    Args:
        config: The sink's options.
        http: The pool.
    """

    no_answer: ClassVar[str] = ""

    def __init__(self, config: ConfigT, http: HttpPool) -> None:
        self._http = http
        self._secrets = [secret.encode() for secret in config.secrets()]

    @classmethod
    async def make(cls, config: ConfigT, workers: int) -> Self:
        """Make the pool, in a thread because it reads certificates; nothing is sent yet.

        Raises:
            SinkUnavailable: A certificate cannot be read.
        """
        try:
            return cls(config, await asyncio.to_thread(cls.pool, config, workers))
        except OSError as error:
            raise SinkUnavailable(f"a file of tls cannot be used: {error}") from None

    @staticmethod
    @abstractmethod
    def pool(config: Any, workers: int) -> HttpPool:
        """Make the pool for so many workers; blocks."""

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        await self._http.aclose()

    @asynccontextmanager
    async def asking(
        self, method: str, url: str | httpx.URL, **content: Any
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; its answer is read within the context.

        Raises:
            SinkUnavailable: There was none, or it broke off.
        """
        try:
            async with self._http.stream(method, url, **content) as response:
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            words = (str(error) or type(error).__name__).encode()
            raise SinkUnavailable(self.no_answer + self.masked(words).decode(errors="replace")) from None

    def masked(self, said: bytes) -> bytes:
        """What was said without our secrets, which a server may have sent back."""
        return without_secrets(said, self._secrets)


class HttpPool:
    """Requests over a pool of connections, which is made anew when it may have lost some of them.

    Args:
        make: Makes a pool; nothing is sent by it.
    """

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        self._pool = _Pool(make())
        self._closings = set[asyncio.Task[None]]()

    @asynccontextmanager
    async def stream(
        self, method: str, url: str | httpx.URL, **options: Any
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; its answer is read within the context. Options and errors are those of httpx."""
        async with self._used() as client, client.stream(method, url, **options) as response:
            yield response

    async def request(self, method: str, url: str | httpx.URL, **options: Any) -> httpx.Response:
        """Send a request and read the whole answer. Options and errors are those of httpx."""
        async with self._used() as client:
            return await client.request(method, url, **options)

    async def aclose(self) -> None:
        """Close the connections, those of former pools too."""
        await self._pool.client.aclose()
        if self._closings:
            await asyncio.wait(self._closings)

    @asynccontextmanager
    async def _used(self) -> AsyncIterator[httpx.AsyncClient]:
        pool = self._pool
        pool.requests += 1
        try:
            yield pool.client
        except httpx.PoolTimeout:  # there are as many connections as requests at once: some are lost
            self._replace(pool)
            raise
        except Exception:
            raise
        except BaseException:  # cancelled
            self._replace(pool)
            raise
        finally:
            pool.requests -= 1
            if pool is not self._pool and not pool.requests:
                closing = asyncio.create_task(pool.client.aclose())
                self._closings.add(closing)
                closing.add_done_callback(self._closings.discard)

    def _replace(self, pool: _Pool) -> None:
        if pool is self._pool:
            self._pool = _Pool(self._make())


class _Pool:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.requests = 0


def make_http_client(
    *,
    login: tuple[str, str] | None,
    headers: Mapping[str, str],
    trust: ssl.SSLContext | None,
    timeout: float,
    connections: int,
    base_url: str = "",
    proxy: SecretStr | None = None,
) -> HttpPool:
    """Make a pool; nothing is sent yet.

    Redirects are not followed: a POST that is redirected becomes a GET, and its events are lost under a 200.

    Args:
        login: For basic authentication.
        headers: Sent with every request.
        trust: How servers are verified; None where none of them is asked by ``https``.
        timeout: Seconds that connecting, sending and each part of the answer may take.
        connections: The most connections at once; all of them are kept open.
        base_url: What the paths of requests are relative to.
        proxy: What the sink's configuration says of a proxy; None for what the environment says.
    """
    # Not True: httpx would read the authorities of certifi, which takes time and is never needed.
    verify = False if trust is None else trust
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)

    def make() -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=base_url,
            headers=headers,
            auth=login,
            transport=_Routed(verify, limits, proxy),
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,  # which would take a password out of ~/.netrc, too
        )

    return HttpPool(make)


class _Routed(httpx.AsyncBaseTransport):
    """Sends each request directly, or through the proxy of its address."""

    def __init__(self, verify: ssl.SSLContext | bool, limits: httpx.Limits, proxy: SecretStr | None) -> None:
        self._verify, self._limits, self._setting = verify, limits, proxy
        self._ways: dict[tuple[str, str, int | None], str | None] = {}
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See :meth:`httpx.AsyncBaseTransport.handle_async_request`."""
        place = request.url.scheme, request.url.host, request.url.port
        if place not in self._ways:
            self._ways[place] = proxy_for(str(request.url), self._setting)
        return await self._by(self._ways[place]).handle_async_request(request)

    def _by(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        if proxy not in self._transports:
            self._transports[proxy] = httpx.AsyncHTTPTransport(
                verify=self._verify, limits=self._limits, trust_env=False, proxy=proxy
            )
        return self._transports[proxy]

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.aclose()


async def beginning_of(response: httpx.Response, most: int) -> bytes:
    """Read the beginning of a body, at most so many bytes."""
    read = bytearray()
    async for part in response.aiter_bytes():
        read += part[: most - len(read)]
        if len(read) >= most:
            break
    return bytes(read)
