"""From what the server finds to events in order.

The filter (see :mod:`logweir.sinks.mongodb.query`) may let through more than matches, so what it returns is
compared with the query once more. The server sorts by the milliseconds that an index has; what shares one is
put in order here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.mongodb.client import PAGE, Connected
from logweir.sinks.mongodb.encode import event_of
from logweir.sinks.mongodb.query import MILLION, filter_of
from logweir.sinks.mongodb.verdicts import as_sink_errors
from logweir.sinks.query_match import matches

__all__ = ["found_in", "in_order"]


async def found_in(state: Connected, query: Query) -> AsyncGenerator[Event, None]:
    """Yield what matches, sorted by milliseconds."""
    with as_sink_errors():
        cursor = state.raw_collection.find(
            filter_of(query, state.server.protocol),
            sort=[("time", -1 if query.newest_first else 1)],
            batch_size=PAGE if query.limit is None else min(PAGE, query.limit + 1),
        )
        try:
            async for document in cursor:
                event = event_of(document.raw)
                if matches(event, query):
                    yield event
        finally:
            await cursor.close()


async def in_order(found: AsyncIterator[Event], *, newest_first: bool) -> AsyncGenerator[Event, None]:
    """Put in order what comes sorted by milliseconds, and yield each id once."""
    together: dict[str, Event] = {}
    moment: int | None = None
    async for event in found:
        if event.time // MILLION != moment:
            for earlier in _sorted(together, newest_first):
                yield earlier
            together, moment = {}, event.time // MILLION
        together[event.id] = event
    for earlier in _sorted(together, newest_first):
        yield earlier


def _sorted(events: dict[str, Event], newest_first: bool) -> list[Event]:
    return sorted(events.values(), key=lambda event: (event.time, event.id), reverse=newest_first)
