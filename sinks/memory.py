"""The memory sink: keeps events in the process, for tests and for looking at them in a console."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import islice
from typing import ClassVar

from pydantic import Field

from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkConfig, SinkContext
from logweir.sinks.query_match import matches
from logweir.sinks.results import WriteResult

__all__ = ["MemoryConfig", "MemorySink"]


class MemoryConfig(SinkConfig):
    """Options of the memory sink."""

    type: str = "memory"
    keep: int = Field(default=1_000_000, ge=1)
    """The most events that are kept; the oldest are forgotten first."""


class MemorySink(Sink[MemoryConfig]):
    """Keeps events in memory, each id once, in the order of their arrival.

    Attributes:
        events: What is kept, by event id.
    """

    Config = MemoryConfig
    _latest: ClassVar[dict[str, MemorySink]] = {}

    def __init__(self, config: MemoryConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self.events: dict[str, Event] = {}
        self._latest[self.context.name] = self

    @classmethod
    def of(cls, name: str) -> MemorySink:
        """Return the sink that was last made under this name in routing.yaml.

        Raises:
            KeyError: There is none.
        """
        return cls._latest[name]

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Keep a batch."""
        fresh = {event.id: event for event in batch}
        if len(fresh) == len(batch) and self.events.keys().isdisjoint(fresh):
            self.events.update(fresh)
            self._forget_oldest()
            return WriteResult.all_stored()
        duplicate = set[int]()
        for index, event in enumerate(batch):
            if event.id in self.events:
                duplicate.add(index)
            else:
                self.events[event.id] = event
        self._forget_oldest()
        return WriteResult(duplicate=frozenset(duplicate))

    def _forget_oldest(self) -> None:
        for event_id in list(islice(self.events, max(0, len(self.events) - self.config.keep))):
            del self.events[event_id]

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        found = [event for event in self.events.values() if matches(event, query)]
        found.sort(key=lambda event: (event.time, event.id), reverse=query.newest_first)
        for event in found[: query.limit]:
            yield event

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Forget events older than ``before``."""
        old = [event.id for event in self.events.values() if matches(event, Query(end=before, kind=kind))][
            :limit
        ]
        for event_id in old:
            del self.events[event_id]
        return len(old)

    async def delete(self, ids: Sequence[str]) -> int:
        """Forget the events with these ids."""
        return sum(self.events.pop(event_id, None) is not None for event_id in ids)
