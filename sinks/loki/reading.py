"""Searching Loki: what matches, each event once, in order of its own time.

Loki bounds the range of a query, so a long search is made in windows. An event that was stored at another
time than its own (``restamp``) is looked for everywhere, and put where it belongs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.loki.encode import to_event
from logweir.sinks.loki.paging import Ask, Found, Span, instants
from logweir.sinks.loki.query import with_own_time
from logweir.sinks.query_match import limited, matches, nanoseconds

__all__ = ["Search", "span_of"]


def span_of(query: Query, everywhere: Span) -> Span:
    """The range to search; the bounds of ``everywhere`` stand in where the query names none."""
    return Span(
        everywhere.start if query.start is None else nanoseconds(query.start),
        everywhere.end if query.end is None else nanoseconds(query.end),
    )


@dataclass(frozen=True, slots=True)
class Search:
    """One search of a sink.

    Attributes:
        ask: Asks one query.
        text: The query in LogQL.
        query: What is searched.
        span: Between which times events are.
        window: The longest range of one query, in nanoseconds.
    """

    ask: Ask
    text: str
    query: Query
    span: Span
    window: int

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        async for item in limited(self._matching(self.span, moved=None), self.query.limit):
            yield item

    async def events_with_moved(self, everywhere: Span) -> AsyncIterator[Event]:
        """Yield the events that match, those too that are stored at another time than their own.

        Args:
            everywhere: Where those may be stored. They are few: all that match are held in memory.
        """
        newest_first = self.query.newest_first
        elsewhere = {event.id: event async for event in self._matching(everywhere, moved=True)}
        moved = sorted(elsewhere.values(), key=_order, reverse=newest_first)
        merged = _merged(self._matching(self.span, moved=False), moved, newest_first=newest_first)
        async for event in limited(merged, self.query.limit):
            yield event

    async def _matching(self, where: Span, *, moved: bool | None) -> AsyncIterator[Event]:
        """Yield what matches of what is stored in a range: all, what was moved there, or what was not."""
        query, text = self.query, with_own_time(self.text) if moved else self.text
        wanted = replace(query, start=None, end=None)  # the span covers these
        for part in where.windows(self.window, newest_first=query.newest_first):
            async for group in instants(self.ask, text, part, query.limit, newest_first=query.newest_first):
                for stamp, event in _distinct(group, newest_first=query.newest_first):
                    if (
                        moved in {None, stamp != event.time}
                        and self.span.start <= event.time < self.span.end
                        and matches(event, wanted)
                    ):
                        yield event


def _order(event: Event) -> tuple[int, str]:
    return event.time, event.id


async def _merged(
    events: AsyncIterator[Event], moved: Sequence[Event], *, newest_first: bool
) -> AsyncIterator[Event]:
    """Both in order; an event that is among both once."""
    waiting = list(moved)[::-1]
    async for event in events:
        while waiting and _order(waiting[-1]) != _order(event) and _before(waiting[-1], event, newest_first):
            yield waiting.pop()
        if waiting and waiting[-1].id == event.id:
            waiting.pop()
        yield event
    for event in waiting[::-1]:
        yield event


def _before(one: Event, other: Event, newest_first: bool) -> bool:
    return _order(one) > _order(other) if newest_first else _order(one) < _order(other)


def _distinct(found: Sequence[Found], *, newest_first: bool) -> list[tuple[int, Event]]:
    """The events of whole nanoseconds in order, each once, though it may have been stored in two streams."""
    events: dict[str, tuple[int, Event]] = {}
    for item in found:
        event = to_event(item.stamp, item.line, item.labels)
        if event is not None:
            events.setdefault(event.id, (item.stamp, event))
    return sorted(events.values(), key=lambda pair: (pair[0], pair[1].id), reverse=newest_first)
