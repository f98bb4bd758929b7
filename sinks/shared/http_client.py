"""The pool of connections of a sink that speaks HTTP through httpx."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

__all__ = ["beginning_of", "make_http_client"]


def make_http_client(
    *,
    login: tuple[str, str] | None,
    headers: Mapping[str, str],
    trust: ssl.SSLContext | None,
    timeout: float,
    connections: int,
    base_url: str = "",
) -> httpx.AsyncClient:
    """Make a pool; nothing is sent yet.

    Redirects are not followed: a POST that is redirected becomes a GET, and its events are lost under a 200.

    Args:
        login: For basic authentication.
        headers: Sent with every request.
        trust: How servers are verified; None where none of them is asked by ``https``.
        timeout: Seconds that connecting, sending and each part of the answer may take.
        connections: The most connections at once; all of them are kept open.
        base_url: What the paths of requests are relative to.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        auth=login,
        # Not True: httpx would read the authorities of certifi, which takes time and serves nobody.
        verify=False if trust is None else trust,
        timeout=timeout,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        follow_redirects=False,
    )


async def beginning_of(response: httpx.Response, most: int) -> bytes:
    """Read as much of a body as anybody looks at, at most so many bytes."""
    read = bytearray()
    async for part in response.aiter_bytes():
        read += part[: most - len(read)]
        if len(read) >= most:
            break
    return bytes(read)
