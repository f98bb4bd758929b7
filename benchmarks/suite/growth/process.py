"""The process behind a store, as the system counts it: what it wrote, what it read, how much memory it holds.

For a server on this machine that is whoever listens on its port, with its children; for an embedded store it
is this process. A server elsewhere is not counted, nor one of another user.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

__all__ = ["Counters", "Watched", "watched"]


#: Seconds without a byte after which a server is at rest, how long that is waited for, and between two looks.
_REST, _UNREST, _LOOK = 1.0, 30.0, 0.1


class Counters(NamedTuple):
    """Bytes to and from the disk, since the process began."""

    written: int
    read: int


@dataclass(frozen=True, slots=True)
class Watched:
    """Whom to count.

    Attributes:
        pid: The process; None where there is none to be counted.
        words: Whose bytes they are, in words.
        embedded: Whether it is this process.
    """

    pid: int | None
    words: str
    embedded: bool = False

    def counters(self) -> Counters | None:
        """What it wrote and read so far; None where the system does not say."""
        counts = []
        for process in self._family():
            try:
                counts.append(process.io_counters())
            except (psutil.Error, AttributeError, OSError):
                continue
        if not counts:
            return None
        # What this process hands to the system is exact. A server may write past the page cache, which
        # only write_bytes sees, though it counts a whole folio of the cache for each page that is changed.
        written = sum(c.write_chars if self.embedded else c.write_bytes for c in counts)
        return Counters(written, sum(c.read_bytes for c in counts))

    async def counters_at_rest(self) -> Counters | None:
        """As :meth:`counters`, once a server has written nothing for a second; after half a minute, anyway.

        A server writes on behind what it confirms: it would be counted with what is done next.
        """
        before = self.counters()
        deadline = time.monotonic() + _UNREST
        rest = 0.0
        while not self.embedded and before is not None and rest < _REST and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK)
            now = self.counters()
            rest = rest + _LOOK if now is not None and now.written == before.written else 0.0
            before = now
        return before

    def memory(self) -> float | None:
        """Bytes that it holds in memory, shared ones once for each process."""
        sizes = []
        for process in self._family():
            try:
                sizes.append(process.memory_info().rss)
            except psutil.Error:
                continue
        return float(sum(sizes)) if sizes else None

    def _family(self) -> Sequence[psutil.Process]:
        try:
            first = psutil.Process(self.pid) if self.pid else None
            return [] if first is None else [first, *first.children(recursive=True)]
        except psutil.Error:
            return []


def watched(url: str) -> Watched:
    """Find the process behind a URL; an empty one is that of an embedded store."""
    if not url:
        words = "what this process, which also makes the events, handed to the system"
        return Watched(psutil.Process().pid, words, embedded=True)
    pid = _listener(url)
    if pid is None:
        return Watched(None, "")
    name = psutil.Process(pid).name()
    words = (
        f"what the system counted for the process {name} that listens on the port, with its children; "
        "an upper bound where it changes single pages through the page cache"
    )
    counted = Watched(pid, words)
    return counted if counted.counters() is not None else Watched(None, "")


def _listener(url: str) -> int | None:
    parts = urlsplit(url)
    try:
        if parts.hostname is None or not _is_here(parts.hostname):
            return None
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:2] == (parts.port,):
                found: int | None = connection.pid
                return found
    except (psutil.Error, OSError, ValueError):
        return None
    return None


def _is_here(host: str) -> bool:
    return any(entry[4][0] in {"127.0.0.1", "::1"} for entry in socket.getaddrinfo(host, None))
