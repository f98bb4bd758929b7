"""A syslog server on loopback that keeps what it is sent, and reads it as RFC 5424 and RFC 6587 say."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Self

from logweir import Event
from logweir.encoding.events import decode_event

_MESSAGE = re.compile(
    rb"<(?P<priority>\d{1,3})>1 (?P<time>\S+) (?P<host>\S{1,255}) (?P<app>\S{1,48}) (?P<process>\S{1,128}) "
    rb'(?P<id>\S{1,32}) (?P<data>\[[^ \]=]+(?: [^ =]+="(?:[^"\\\]]|\\.)*")*\]) @cee:(?P<json>.*)',
    re.DOTALL,
)


@dataclass
class Message:
    """One message, taken apart."""

    priority: int
    time: str
    host: str
    app: str
    process: str
    id: str
    data: str
    event: Event


def parse(message: bytes) -> Message:
    """Take a message apart; raises if it is not well formed."""
    match = _MESSAGE.fullmatch(message)
    assert match is not None, message
    header = {name: value.decode("ascii") for name, value in match.groupdict().items() if name != "json"}
    return Message(**{**header, "priority": int(match["priority"])}, event=decode_event(match["json"]))


@dataclass
class Receiver:
    """The server; it runs on the loop of its ``async with``."""

    messages: list[Message] = field(default_factory=list)
    port: int = 0
    _connections: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def listen(self) -> None:
        """Accept connections, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up and listen no more."""
        self._server.close()
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        await asyncio.sleep(0)

    async def until(self, count: int) -> None:
        """Wait until so many messages are there."""
        async with asyncio.timeout(20):
            while len(self.messages) < count:
                await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.append(writer)
        try:
            while True:
                length = int(await reader.readuntil(b" "))
                self.messages.append(parse(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
