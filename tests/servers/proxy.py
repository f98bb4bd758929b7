"""A proxy that puts the faults of a network, and of an overloaded HTTP server, between a client and a server.

It forwards bytes of any protocol, and runs in a thread of its own. Each fault begins with the call that asks
for it, holds for new and for open connections, and lasts until ``clear()``; latency, cut answers and
injected answers combine, the others replace each other.
"""

import asyncio
import contextlib
import math
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from servers import machine
from servers.http_requests import Request, read_request

_CHUNK = 1 << 18


@dataclass
class Seen:
    """What went through: bytes to the server and bytes to the client, as far as they were passed on."""

    up: int = 0
    down: int = 0


@dataclass(frozen=True)
class Answer:
    """What an injected answer says."""

    status: int
    retry_after: float | str | None
    share: float
    body: bytes

    def encode(self) -> bytes:
        """The whole response."""
        lines = [f"HTTP/1.1 {self.status} Injected", "Content-Type: application/json"]
        lines.append(f"Content-Length: {len(self.body)}")
        if self.retry_after is not None:
            after = self.retry_after
            lines.append(f"Retry-After: {after if isinstance(after, str) else format(after, 'g')}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class _Way(Enum):
    OPEN = auto()
    HANGING = auto()
    RESETTING = auto()
    REFUSING = auto()


class FaultProxy:
    """In front of the server of ``url``; clients use the ``url`` of this object instead."""

    def __init__(self, url: str) -> None:
        """Listens at once, without a fault; HTTP is understood if the URL says so."""
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self.host = "127.0.0.1"
        self.port = machine.free_port()
        login = parts.netloc.rpartition("@")[0]
        place = f"{login}@{self.host}:{self.port}" if login else f"{self.host}:{self.port}"
        self.url: str = urlunsplit(parts._replace(netloc=place))
        self.seen = Seen()
        self.connections = 0
        self.requests = 0  # HTTP only: those that came, injected answers included
        self.answered = 0  # HTTP only: those that the proxy answered itself
        self._http = parts.scheme.startswith("http")
        self._way = _Way.OPEN
        self._latency = 0.0
        self._cut: int | None = None
        self._answer: Answer | None = None
        self._owed = 0.0  # the part of an injected answer that the share has added up to
        self._listener: socket.socket | None = None
        self._accepting: set[asyncio.Task[None]] = set()
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._thread.start()
        self._do(self._begin())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def latency(self, seconds: float) -> None:
        """Let everything that a client sends wait, so that each request takes that much longer."""
        self._do(self._set(latency=seconds))

    def lead_to(self, url: str) -> None:
        """Take new connections to another server, as a failover does; open ones stay where they are."""
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)

    def reset(self) -> None:
        """Reset open connections, and each new one as soon as it is accepted."""
        self._do(self._go(_Way.RESETTING))

    def refuse(self) -> None:
        """Reset open connections and accept no new one, as a host does whose server is down."""
        self._do(self._go(_Way.REFUSING))

    def hang(self) -> None:
        """Accept connections and what they send, and pass on nothing in either direction."""
        self._do(self._go(_Way.HANGING))

    def cut_answers(self, after_bytes: int) -> None:
        """Pass on this much of what the server says after each time that the client spoke, then reset."""
        self._do(self._set(cut=after_bytes))

    def answer(
        self,
        status: int,
        retry_after: float | str | None = None,
        share: float = 1.0,
        body: bytes = b'{"error": "injected"}',
    ) -> None:
        """Answer this share of the requests instead of the server, evenly spread (HTTP only)."""
        if not self._http:
            raise RuntimeError(f"answer() needs an HTTP server, not {self._target}")
        self._do(self._set(answer=Answer(status, retry_after, share, body)))

    def clear(self) -> None:
        """End all faults; what hung goes on."""
        self._do(self._clear())

    def close(self) -> None:
        """Reset all connections and end the thread."""
        if self._loop.is_closed():
            return
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _begin(self) -> None:
        self._passing = asyncio.Event()
        self._passing.set()
        self._listen()

    def _listen(self) -> None:
        # A server of asyncio's, closed in the turn in which a connection came, forgets that without closing it.
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port), backlog=100)
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            task = self._loop.create_task(self._forward(connection))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    async def _set(
        self, *, latency: float | None = None, cut: int | None = None, answer: Answer | None = None
    ) -> None:
        if latency is not None:
            self._latency = latency
        if cut is not None:
            self._cut = cut
            for link in self._links:
                link.said = 0
        if answer is not None:
            self._answer, self._owed = answer, 0.0

    async def _go(self, way: _Way) -> None:
        self._way = way
        if way is _Way.HANGING:
            self._passing.clear()
        else:
            for link in list(self._links):
                link.reset()
            self._passing.set()
        if way is _Way.REFUSING:
            self._stop_listening()
        else:
            self._listen()

    async def _clear(self) -> None:
        self._way = _Way.OPEN
        self._latency, self._cut, self._answer = 0.0, None, None
        self._passing.set()
        self._listen()

    async def _end(self) -> None:
        await self._go(_Way.REFUSING)
        await asyncio.sleep(0)  # a task that has not begun closes nothing
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # a reset connection closes its socket in the loop's next turn

    async def _forward(self, connection: socket.socket) -> None:
        self.connections += 1
        reader, writer = await asyncio.open_connection(sock=connection, limit=_CHUNK)
        link = _Link(writer)
        self._links.add(link)
        try:
            await self._passing.wait()
            if self._way is _Way.OPEN:
                await self._join(link, reader)
        except OSError:
            pass  # the other side learns it by the reset below
        finally:
            self._links.discard(link)
            link.reset()

    async def _join(self, link: "_Link", reader: asyncio.StreamReader) -> None:
        """Forward in both directions until both ended, or one of them failed."""
        answers, link.server = await asyncio.open_connection(*self._target, limit=_CHUNK)
        up = self._requests(link, reader) if self._http else self._bytes_up(link, reader)
        link.tasks = [asyncio.create_task(up), asyncio.create_task(self._bytes_down(link, answers))]
        _, pending = await asyncio.wait(link.tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in pending:
            task.cancel()
        results = await asyncio.gather(*link.tasks, return_exceptions=True)
        if not any(isinstance(result, BaseException) for result in results):
            await link.close()

    async def _bytes_up(self, link: "_Link", reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            await self._send_up(link, data)
        _end(link.server)

    async def _send_up(self, link: "_Link", data: bytes) -> None:
        if self._latency:
            await asyncio.sleep(self._latency)
        await self._passing.wait()
        link.said = 0
        self.seen.up += len(data)
        await link.ask(data)

    async def _requests(self, link: "_Link", reader: asyncio.StreamReader) -> None:
        while request := await read_request(reader):
            self.requests += 1
            if self._takes():
                await self._answer_itself(link, request)
            else:
                await self._send_up(link, request.raw)
        _end(link.server)

    def _takes(self) -> bool:
        """Whether this request is one of the share; evenly spread, so that runs are repeatable."""
        if self._answer is None:
            return False
        self._owed += self._answer.share
        if self._owed < 1 - 1e-9:
            return False
        self._owed -= 1
        return True

    async def _answer_itself(self, link: "_Link", request: Request) -> None:
        answer = self._answer
        if self._latency:
            await asyncio.sleep(self._latency)
        await self._passing.wait()
        if answer is not None:
            self.answered += 1
            link.said = 0
            await self._send_down(link, answer.encode())

    async def _bytes_down(self, link: "_Link", answers: asyncio.StreamReader) -> None:
        while data := await answers.read(_CHUNK):
            await self._passing.wait()
            await self._send_down(link, data)
        _end(link.client)

    async def _send_down(self, link: "_Link", data: bytes) -> None:
        room = math.inf if self._cut is None else self._cut - link.said
        part = data[: int(room)] if room < len(data) else data
        link.said += len(part)
        self.seen.down += len(part)
        if part:
            await link.say(part)
        if len(part) < len(data):
            raise ConnectionResetError("the answer was cut here")


class _Link:
    """One client's connection, and its own to the server."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.said = 0  # bytes to the client since it last spoke

    async def say(self, data: bytes) -> None:
        """To the client."""
        self.client.write(data)
        await self.client.drain()

    async def ask(self, data: bytes) -> None:
        """To the server."""
        if self.server is not None:
            self.server.write(data)
            await self.server.drain()

    async def close(self) -> None:
        """As both sides asked for."""
        for writer in self._writers():
            writer.close()
            await writer.wait_closed()

    def reset(self) -> None:
        """End both connections by a reset, without what is still to be sent."""
        for writer in self._writers():
            if not writer.transport.is_closing():
                peer = writer.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def _writers(self) -> list[asyncio.StreamWriter]:
        return [self.client] if self.server is None else [self.client, self.server]


def _end(writer: asyncio.StreamWriter | None) -> None:
    """Pass the end of a direction on."""
    if writer is not None and not writer.transport.is_closing():
        writer.write_eof()
