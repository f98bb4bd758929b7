"""What a search needs that its backend does not do: matching one event, and an end after so many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from logweir.encoding.events import encode_event
from logweir.encoding.fields import equal, look_up
from logweir.event import Event
from logweir.sinks.contract import Query

__all__ = ["limited", "matches", "nanoseconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970-01-01 UTC; a naive moment is taken for UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1000


def matches(event: Event, query: Query) -> bool:
    """Whether every condition of the query holds."""
    return (
        (query.start is None or event.time >= nanoseconds(query.start))
        and (query.end is None or event.time < nanoseconds(query.end))
        and (query.kind is None or event.kind is query.kind)
        and (query.name is None or event.name == query.name)
        and (query.trace_id is None or event.trace_id == query.trace_id)
        and (query.ids is None or event.id in query.ids)
        and all(equal(look_up(event.fields, name), value) for name, value in query.fields.items())
        and (query.text is None or query.text.encode() in encode_event(event))
    )


async def limited(events: AsyncIterator[Event], limit: int | None) -> AsyncIterator[Event]:
    """Yield the first so many; None is all. Nothing is fetched beyond them."""
    left = limit
    if left == 0:
        return
    async for event in events:
        yield event
        if left is not None:
            left -= 1
            if left == 0:
                return
