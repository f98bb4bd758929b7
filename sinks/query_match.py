"""Searching without an index: whether one event matches a query. Pure; for stores that have no search."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from logweir.encoding.events import encode_event
from logweir.encoding.fields import equal, look_up
from logweir.event import Event
from logweir.sinks.contract import Query

__all__ = ["matches", "nanoseconds"]

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
