"""Searching VictoriaLogs: what matches, each event once, in order of time.

It keeps an entry that was sent twice twice, both at the same nanosecond: so events are gathered nanosecond by
nanosecond.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.query_match import limited, matches
from logweir.sinks.victorialogs.encode import event_of
from logweir.sinks.victorialogs.paging import AskRows, rows_of
from logweir.sinks.victorialogs.query import Span

__all__ = ["Search"]


@dataclass(frozen=True, slots=True)
class Search:
    """One search of a sink.

    Attributes:
        ask: Asks one query.
        conditions: Its conditions in LogsQL, but for times.
        query: What is searched.
        span: Between which times.
        message_field: The field whose text may be the message.
    """

    ask: AskRows
    conditions: str
    query: Query
    span: Span
    message_field: str | None

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        async for event in limited(self._matching(), self.query.limit):
            yield event

    async def _matching(self) -> AsyncIterator[Event]:
        newest_first = self.query.newest_first
        together = _Nanosecond(newest_first=newest_first)
        rows = rows_of(self.ask, self.conditions, self.span, self.query.limit, newest_first=newest_first)
        async for stamp, row in rows:
            if stamp != together.stamp:
                for event in together.events():
                    yield event
                together = _Nanosecond(stamp, newest_first=newest_first)
            found = event_of(row, self.message_field)
            if found is not None and matches(found, self.query):
                together.add(found)
        for event in together.events():
            yield event


@dataclass(slots=True)
class _Nanosecond:
    """The events of one nanosecond, each id once."""

    stamp: int | None = None
    found: dict[str, Event] = field(default_factory=dict)
    newest_first: bool = False

    def add(self, event: Event) -> None:
        self.found.setdefault(event.id, event)

    def events(self) -> Iterator[Event]:
        ordered = sorted(self.found.values(), key=lambda event: event.id, reverse=self.newest_first)
        return iter(ordered)
