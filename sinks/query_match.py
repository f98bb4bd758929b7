"""What a search does itself where its backend does not: matching one event, and stopping at the limit.

:func:`matches` is what a query means. A store narrows a search down as far as it can, never further than
this, and what it returns is compared with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from logweir.encoding.fields import equal, has_item, look_up, text_in
from logweir.event import Event
from logweir.sinks.contract import Query

__all__ = ["limited", "matches", "nanoseconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970-01-01 UTC; a naive moment is taken for UTC."""
    return _nanoseconds(moment, moment.fold)


@lru_cache  # the same two limits are asked for at every event
def _nanoseconds(moment: datetime, _fold: int) -> int:
    # The fold is given beside the moment, for two moments that differ by it alone are equal.
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
        and (query.levels is None or event.level in query.levels)
        and (query.service is None or event.service == query.service)
        and (not query.fields or all(_has(event, name, value) for name, value in query.fields.items()))
        and (query.text is None or query.text in event.name or text_in(event.fields, query.text))
    )


def _has(event: Event, name: str, value: Any) -> bool:
    found = look_up(event.fields, name)
    return equal(found, value) or has_item(found, value)


async def limited(events: AsyncIterator[Event], limit: int | None) -> AsyncIterator[Event]:
    """Yield the first ``limit`` events, or all if it is None; nothing is fetched beyond them."""
    left = limit
    if left == 0:
        return
    async for event in events:
        yield event
        if left is not None:
            left -= 1
            if left == 0:
                return
