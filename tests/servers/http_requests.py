"""Reading HTTP/1.1 requests off a connection, byte for byte as they came."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        line: Its first line, as ``POST /_bulk HTTP/1.1``.
        raw: All of it, to be passed on.
    """

    line: str
    raw: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request; None where the client has ended, also in the middle of one."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (field.partition(":") for field in fields)
        }
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return Request(line, head + await _read_chunks(reader))
        return Request(line, head + await reader.readexactly(int(headers.get("content-length", "0"))))
    except asyncio.IncompleteReadError:
        return None


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        body += line
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        body += await reader.readexactly(size + 2)
    while line != b"\r\n":  # trailers, then an empty line
        line = await reader.readuntil(b"\r\n")
        body += line
    return bytes(body)
