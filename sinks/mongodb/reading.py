"""From what the server finds to events in order.

The filter (see :mod:`logweir.sinks.mongodb.query`) may let through more than matches, so what it returns is
compared with the query once more. The server sorts by the milliseconds that an index has; what shares one is
put in order here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.mongodb.client import PAGE, Connected
from logweir.sinks.mongodb.encode import event_of
from logweir.sinks.mongodb.query import MILLION, filter_of
from logweir.sinks.mongodb.verdicts import as_sink_errors
from logweir.sinks.query_match import matches

__all__ = ["found_in", "in_order"]


async def found_in(state: Connected, query: Query) -> AsyncGenerator[Event, None]:
    """Yield what matches, sorted by milliseconds.

    Raises:
        SinkRejected: A document is no event, and whoever asks does not pass over such.
        SinkError: The server does not answer.
    """
    with as_sink_errors():
        cursor = state.raw_collection.find(
            filter_of(query, state.server.protocol),
            sort=[("time", -1 if query.newest_first else 1)],
            batch_size=PAGE if query.limit is None else min(PAGE, query.limit + 1),
        )
        try:
            async for document in cursor:
                event = _event_of(document, query)
                if event is not None and matches(event, query):
                    yield event
        finally:
            await cursor.close()


def _event_of(document: RawBSONDocument, query: Query) -> Event | None:
    try:
        return event_of(bytes(document.raw))
    except (ValueError, BSONError) as error:
        query.pass_over(f"document {document.get('_id')!r} is no event: {error}")
        return None


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
