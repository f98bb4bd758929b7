"""Clients that tail: each has a bounded buffer; what does not fit is reported as dropped.

Source: Loki docs, HTTP API > Stream logs: ``streams`` and ``dropped_entries`` of a message.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from servers.loki_double.entries import Entry
from servers.loki_double.labels import Labels
from servers.loki_double.limits import Limits
from servers.loki_double.logql import LogQuery
from servers.loki_double.reading import shown_labels

#: So many dropped entries are named in a message, the last ones.
_MOST_DROPPED = 1000


class Tail:
    """One client.

    Args:
        tenant: Whose entries it sees.
        query: Which of them.
        buffer: How many entries wait for it.
        limits: The limits, for the labels that are shown.
    """

    def __init__(self, tenant: str, query: LogQuery, buffer: int, limits: Limits) -> None:
        self._tenant = tenant
        self._query = query
        self._buffer = buffer
        self._limits = limits
        self._waiting: deque[tuple[dict[str, str], Entry]] = deque()
        self._dropped: deque[dict[str, Any]] = deque(maxlen=_MOST_DROPPED)
        self._something = asyncio.Event()

    def offer(self, tenant: str, labels: Labels, entries: Iterable[Entry]) -> None:
        """Take what was stored, as far as it is asked for and fits."""
        if tenant != self._tenant or not self._query.selects(labels):
            return
        for entry in entries:
            shown = shown_labels(labels, entry, self._limits)
            if not self._query.passes(entry.line, shown):
                continue
            if len(self._waiting) < self._buffer:
                self._waiting.append((shown, entry))
            else:
                self._dropped.append({"labels": shown, "timestamp": str(entry.stamp)})
            self._something.set()

    async def message(self) -> dict[str, Any]:
        """Wait for entries; returns all of them, and what was dropped since the last message."""
        await self._something.wait()
        self._something.clear()
        streams = [
            {"stream": shown, "values": [[str(entry.stamp), entry.line]]} for shown, entry in self._waiting
        ]
        message: dict[str, Any] = {"streams": streams}
        if self._dropped:
            message["dropped_entries"] = list(self._dropped)
        self._waiting.clear()
        self._dropped.clear()
        return message


class Tails:
    """All clients that tail now."""

    def __init__(self) -> None:
        self._all: set[Tail] = set()

    def add(self, tail: Tail) -> None:
        """From now on it is offered what is stored."""
        self._all.add(tail)

    def remove(self, tail: Tail) -> None:
        """It is gone."""
        self._all.discard(tail)

    def offer(self, tenant: str, labels: Labels, entries: Sequence[Entry]) -> None:
        """Pass on what was stored."""
        for tail in self._all:
            tail.offer(tenant, labels, entries)
