"""A small HTTP server on loopback that stores events by id, and misbehaves when a test asks for it."""

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from logweir.encoding.events import decode_event
from logweir.event import Event


@dataclass
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def documents(self) -> list[dict[str, Any]]:
        """The events, as JSON says them."""
        raw = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        found = json.loads(raw)
        return found if isinstance(found, list) else [found]


@dataclass
class Reply:
    """One answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Behaviour = Callable[[Received], Reply | None]


class Webhook:
    """The server; ``behaviour`` answers a request, or leaves it to the server by None."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.stored: dict[str, Event] = {}
        self.behaviour: Behaviour = lambda _request: None
        self.hang = asyncio.Event()
        self.hang.set()
        self.delay = 0.0
        self.most_at_once = 0
        self._at_once = 0
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**26)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hooks/very-secret-path"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self.hang.set()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                self.requests.append(request)
                try:
                    await self.hang.wait()
                    await asyncio.sleep(self.delay)
                    reply = self.behaviour(request) or self._store(request)
                finally:
                    self._at_once -= 1
                head = [
                    f"HTTP/1.1 {reply.status} Said",
                    f"Content-Length: {len(reply.body)}",
                    "Server: test/1",
                ]
                head += [f"{name}: {value}" for name, value in reply.headers.items()]
                body = b"" if request.method == "HEAD" else reply.body
                writer.write("\r\n".join([*head, "", ""]).encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _store(self, request: Received) -> Reply:
        """Store what is new; say which ids were there, and 409 if that is all there is to say."""
        if request.method == "HEAD":
            return Reply(405)
        events = [decode_event(json.dumps(document).encode()) for document in request.documents()]
        known = [event.id for event in events if event.id in self.stored]
        self.stored.update((event.id, event) for event in events)
        if len(events) == 1 and known:
            return Reply(409)
        return Reply(body=json.dumps({"duplicate": known}).encode())


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, path, _version = head[0].split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, path, headers, body)
