"""The stores of the benchmark: a double that takes everything, and a relay that makes a store slow, or dead.

Each is a process beside the service, ``python -m logweir.benchmarks.app.stores``; it reads what to be as JSON
from stdin and writes its port. A relay dies when its process is killed: its connections are reset, and no new
one is accepted, as of a host whose server went down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from typing import Any

__all__ = ["main"]

_CHUNK = 1 << 18


async def _take_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer to every HTTP request that it was taken: a store of Loki's protocol that costs nothing."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    writer.close()


class _Relay:
    """Passes on bytes to a server, and lets what the client says wait."""

    def __init__(self, host: str, port: int, latency: float) -> None:
        self._server = host, port
        self._latency = latency

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, up = await asyncio.open_connection(*self._server, limit=_CHUNK)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pass(reader, up, self._latency), _pass(answers, writer, 0.0))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
    try:
        while data := await reader.read(_CHUNK):
            await asyncio.sleep(latency)
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def main(content: dict[str, Any]) -> None:
    """Serve until killed."""
    if content["core"] is not None:
        os.sched_setaffinity(0, {content["core"]})
    to = content.get("relay_to")
    serve = _Relay(to["host"], to["port"], to["latency"]) if to else _take_all
    server = await asyncio.start_server(serve, "127.0.0.1", content.get("port", 0), limit=_CHUNK)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)  # noqa: T201 - what is read
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.readline())))
