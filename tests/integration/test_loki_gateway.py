"""Loki behind a gateway with TLS that asks who we are, as most are in production."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from logweir.errors import SinkError
from logweir.event import new_event_id
from logweir.sinks.contract import Query
from logweir.sinks.loki import LokiConfig, LokiSink
from logweir.testing.contract import make_event
from servers import Server
from support import victorialogs
from support.tls import make_certificate as make_certificate_and_key

LOGIN = "Basic " + base64.b64encode(b"ann:hunter2").decode()
STORES = pytest.mark.parametrize("store", ["loki", "victorialogs"], indirect=True)


@dataclass
class Store:
    """A server behind the gateway, and what distinguishes the two kinds."""

    server: Server
    path: str

    async def ids(self, sink: LokiSink) -> list[str]:
        """The ids of the sink's events in it."""
        if self.path:
            job = sink.config.static_labels["job"]
            return [row["id"] for row in await asyncio.to_thread(victorialogs.in_job, job, self.server.url)]
        return [event.id async for event in sink.search(Query())]


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    server = request.getfixturevalue(request.param)
    return Store(server, "/insert" if request.param == "victorialogs" else "")


def make_certificate(folder: Path) -> Path:
    """A certificate for loopback that signs itself, and its key, in one file."""
    certificate, key = make_certificate_and_key(folder)
    path = folder / "gateway.pem"
    path.write_bytes(key.read_bytes() + certificate.read_bytes())
    return path


@asynccontextmanager
async def gateway(
    server: Server, certificate: Path, login: str, clients: Path | None = None
) -> AsyncIterator[str]:
    """In front of a server: passes on what comes with this login, and answers 401 to all else."""
    tasks = set[asyncio.Task[Any]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        upstream, to_server = await asyncio.open_connection(server.host, server.port)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if f"authorization: {login}\r\n".lower().encode() not in head.lower():
                writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return
            to_server.write(head)
            await asyncio.gather(pump(reader, to_server), pump(upstream, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            to_server.close()
            writer.close()

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(2**16):
            target.write(data)
            await target.drain()
        target.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    await asyncio.to_thread(context.load_cert_chain, certificate)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        await asyncio.to_thread(context.load_verify_locations, clients)
    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def sink_on(url: str, **options: Any) -> LokiSink:
    return LokiSink(
        LokiConfig.model_validate({"url": url, "static_labels": {"job": new_event_id()}, **options})
    )


@pytest.mark.parametrize(
    ("login", "options"),
    [
        (LOGIN, {"username": "ann", "password": "hunter2"}),
        ("Bearer hunter2", {"bearer_token": "hunter2"}),
    ],
    ids=["basic", "bearer"],
)
@STORES
async def test_a_login_opens_the_gateway_and_a_wrong_one_does_not(
    store: Store, tmp_path: Path, login: str, options: dict[str, Any]
) -> None:
    certificate = make_certificate(tmp_path)
    tls = {"ca": str(certificate)}
    async with gateway(store.server, certificate, login) as address:
        url = f"{address}{store.path}"
        sink = sink_on(url, tls=tls, **options)
        await sink.open()
        event = make_event()
        assert not (await sink.write([event])).rejected
        assert await store.ids(sink) == [event.id]
        assert (await sink.check()).status == "ok"
        await sink.close()
        with pytest.raises(SinkError, match="401"):
            await sink_on(url, tls=tls).open()


@STORES
async def test_a_certificate_that_is_not_trusted_is_not_talked_to(store: Store, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    login = {"bearer_token": "hunter2"}
    async with gateway(store.server, certificate, "Bearer hunter2") as address:
        url = f"{address}{store.path}"
        with pytest.raises(SinkError, match="certificate verify failed"):
            await sink_on(url, **login).open()
        trusting = sink_on(url, tls={"verify": False}, **login)
        await trusting.open()
        await trusting.close()
        untrusting = sink_on(url, tls={"ca": str(tmp_path / "missing.pem")}, **login)
        with pytest.raises(SinkError, match="a file of tls cannot be used"):
            await untrusting.open()
        assert (await untrusting.check()).status == "down"


@STORES
async def test_a_gateway_that_asks_for_our_certificate_gets_it(store: Store, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with gateway(store.server, certificate, "Bearer hunter2", clients=certificate) as address:
        url = f"{address}{store.path}"
        tls = {"ca": str(certificate), "certificate": str(certificate)}
        sink = sink_on(url, tls=tls, bearer_token="hunter2")
        await sink.open()
        assert not (await sink.write([make_event()])).rejected
        await sink.close()
        with pytest.raises(SinkError):
            await sink_on(url, tls={"ca": str(certificate)}, bearer_token="hunter2").open()
