"""Clients that follow a query. One that reads too slowly loses entries, and gets their names instead.

Source: Loki docs, HTTP API > Stream logs: ``streams`` and ``dropped_entries`` of a frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from servers.loki_double.decoding import Entry
from servers.loki_double.labels import Labels
from servers.loki_double.logql import LogQuery

Found = tuple[Labels, Entry]


class Tail:
    """One client's entries that were not sent yet, at most ``room`` of them."""

    def __init__(self, query: LogQuery, room: int) -> None:
        self._query = query
        self._room = room
        self._waiting: list[Found] = []
        self._dropped: list[Found] = []
        self._news = asyncio.Event()

    def offer(self, labels: Labels, entries: Sequence[Entry]) -> None:
        """Take what the query matches; what does not fit is dropped, and named."""
        if not self._query.selects(labels):
            return
        known = dict(labels)
        for entry in entries:
            if self._query.takes(known, entry):
                place = self._waiting if len(self._waiting) < self._room else self._dropped
                place.append((labels, entry))
                self._news.set()

    async def frame(self) -> tuple[list[Found], list[Found]]:
        """Wait for entries; what is to be sent, and what was dropped."""
        await self._news.wait()
        self._news.clear()
        found, dropped = self._waiting, self._dropped
        self._waiting, self._dropped = [], []
        return found, dropped


class Tails:
    """All clients that follow."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._tails: list[tuple[str, Tail]] = []

    def publish(self, tenant: str, labels: Labels, entries: Sequence[Entry]) -> None:
        """Offer new entries to the tenant's clients."""
        for owner, tail in self._tails:
            if owner == tenant:
                tail.offer(labels, entries)

    @contextmanager
    def followed(self, tenant: str, query: LogQuery) -> Iterator[Tail]:
        """Follow a query as long as the context lasts."""
        item = (tenant, Tail(query, self._room))
        self._tails.append(item)
        try:
            yield item[1]
        finally:
            self._tails.remove(item)
