"""The pool of connections survives what is torn out of it: requests that are cancelled anywhere, again and again."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from logweir.sinks.shared.http_client import HttpPool, make_http_client

CONNECTIONS = 4


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server that answers late, or hangs up now and then."""
    dice = random.Random(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await reader.readuntil(b"x" * 100):
                await asyncio.sleep(dice.choice([0, 0, 0.001, 0.003]))
                if dice.random() < 0.05:
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@asynccontextmanager
async def pool_of(connections: int, timeout: float = 5.0) -> AsyncIterator[HttpPool]:
    client = make_http_client(login=None, headers={}, trust=None, timeout=timeout, connections=connections)
    try:
        yield client
    finally:
        await client.aclose()


async def stream(client: HttpPool, url: str) -> bytes:
    async with client.stream("POST", url, content=b"x" * 100) as response:
        return b"".join([part async for part in response.aiter_bytes()])


async def request(client: HttpPool, url: str) -> bytes:
    return (await client.request("POST", url, content=b"x" * 100)).content


@pytest.mark.parametrize("ask", [stream, request])
async def test_requests_that_are_cancelled_anywhere_take_no_connection_with_them(
    url: str, ask: Callable[[HttpPool, str], Awaitable[bytes]]
) -> None:
    dice = random.Random(2)
    async with pool_of(CONNECTIONS) as client:
        for _ in range(150):
            with suppress(TimeoutError):
                async with asyncio.timeout(dice.choice([0, 0.001, 0.002, 0.005])):
                    await asyncio.gather(
                        *(ask(client, url) for _ in range(2 * CONNECTIONS)), return_exceptions=True
                    )
        answers = await asyncio.gather(*(ask(client, url) for _ in range(20)), return_exceptions=True)
    assert {answer for answer in answers if not isinstance(answer, httpx.RemoteProtocolError | OSError)} == {
        b"ok"
    }
    assert not [answer for answer in answers if isinstance(answer, httpx.PoolTimeout)]


async def test_a_request_goes_on_while_another_is_cancelled(url: str) -> None:
    async with pool_of(2) as client, client.stream("POST", url, content=b"x" * 100) as response:
        other = asyncio.create_task(stream(client, url.replace("127.0.0.1", "127.0.0.2")))
        await asyncio.sleep(0)
        other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await other
        assert b"".join([part async for part in response.aiter_bytes()]) == b"ok"


async def test_a_pool_whose_connections_do_not_come_back_is_left(url: str) -> None:
    async with pool_of(1, timeout=0.05) as client, client.stream("POST", url, content=b"x" * 100):
        with pytest.raises(httpx.PoolTimeout):
            await stream(client, url)
        assert await stream(client, url) == b"ok"
