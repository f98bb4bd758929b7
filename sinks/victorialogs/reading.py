"""Searching VictoriaLogs: what matches, each event once, in order of time.

It keeps an entry that was sent twice twice, both at the same nanosecond: so events are gathered nanosecond by
nanosecond. Pages follow each other by time, and within the nanosecond that a page ended in by number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace

from logweir.encoding.events import encode_event
from logweir.encoding.times import parse_time
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.query_match import limited, matches
from logweir.sinks.victorialogs.client import Row
from logweir.sinks.victorialogs.encode import event_of
from logweir.sinks.victorialogs.query import Span, quoted, span_filter

__all__ = ["AskRows", "Search"]

#: Asks one query of LogsQL.
AskRows = Callable[[str], AsyncIterator[Row]]

_FIRST_PAGE = 100
_LARGEST_PAGE = 5_000
_GROWTH = 10
#: Bytes of columns to ask for at once.
_PAGE_BYTES = 8 * 2**20


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
        together = _Nanosecond(newest_first=self.query.newest_first)
        async for stamp, row in self._rows():
            if stamp != together.stamp:
                for event in together.events():
                    yield event
                together = _Nanosecond(stamp, newest_first=self.query.newest_first)
            event_found = event_of(row, self.message_field)
            if event_found is not None and _matches(event_found, self.query):
                together.add(event_found)
        for event in together.events():
            yield event

    async def _rows(self) -> AsyncIterator[tuple[int, Row]]:
        """Every row, in order, page by page."""
        (start, end), skipped = self.span, 0
        size = _FIRST_PAGE if self.query.limit is None else min(_FIRST_PAGE, self.query.limit + 1)
        last: int | None = None
        while True:
            # Whole: an answer that is left in the middle costs its connection.
            page = [row async for row in self.ask(self._page((start, end), skipped, size))]
            for row in page:
                stamp = parse_time(row["_time"])
                skipped = skipped + 1 if stamp == last else 1
                last = stamp
                yield stamp, row
            if len(page) < size or last is None:
                return
            if self.query.newest_first:
                end = last + 1
            else:
                start = last
            weight = sum(len(text) for row in page for text in row.values())
            size = max(1, min(_LARGEST_PAGE, size * _GROWTH, _PAGE_BYTES * len(page) // weight))

    def _page(self, span: Span, skipped: int, size: int) -> str:
        order = " desc" if self.query.newest_first else ""
        sort = f"sort by (_time{order}, id{order}) offset {skipped} limit {size}"
        return f"{self.conditions} {span_filter(span)} | {sort} | delete _stream, _stream_id"


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


def _matches(event: Event, query: Query) -> bool:
    if not matches(event, replace(query, text=None)):
        return False
    if query.text is None:
        return True
    encoded = encode_event(event)
    # As it was written, or as it stands in JSON.
    return query.text.encode() in encoded or quoted(query.text)[1:-1].encode() in encoded
