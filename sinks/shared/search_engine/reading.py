"""Searching: page after page, in order of time, each event once.

Pages follow each other by ``search_after`` on the time and the id, which never change, so that no
snapshot of the index (a point in time) has to be held open.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from logweir.diagnostics import report
from logweir.errors import SinkError, SinkRejected
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.query_match import matches
from logweir.sinks.shared.search_engine.contract import Client
from logweir.sinks.shared.search_engine.encode import to_event
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.query import leaves, page_of

__all__ = ["ABSENT_IS_EMPTY", "find", "refresh"]

#: Documents in the first page, and the most in one: the server sorts all that match anew for each.
_FIRST_PAGE, _LARGEST_PAGE = 500, 5000
#: What the documents of a page may weigh, about, and how many of one are weighed for the next.
_PAGE_BYTES, _SAMPLE = 4 * 2**20, 20
#: Nothing was written yet: that is no error.
ABSENT_IS_EMPTY = "ignore_unavailable=true&allow_no_indices=true"


async def refresh(client: Client, layout: Layout) -> None:
    """Make what was written visible to searches, if the credentials allow it; else it is within a second."""
    with contextlib.suppress(SinkError):
        await client.ask("POST", f"/{layout.name}/_refresh?{ABSENT_IS_EMPTY}")


async def find(client: Client, layout: Layout, query: Query) -> AsyncIterator[Event]:
    """Yield the events that match.

    Raises:
        SinkError: The server cannot be searched, or a part of it did not answer.
    """
    await refresh(client, layout)
    condition = leaves(query)
    left = query.limit
    after: list[Any] | None = None
    last: tuple[int, str] | None = None
    target = f"/{layout.name}/_search?{ABSENT_IS_EMPTY}&allow_partial_search_results=false"
    wanted, largest = _FIRST_PAGE, _LARGEST_PAGE
    while left is None or left > 0:
        size = wanted if left is None else min(wanted, left)
        hits, answered = await _page(client, target, query, size, after)
        if answered < size:
            size = largest = answered
        for hit in hits:
            event = _event_of(hit)
            # Two copies of an event (see rollover) sort side by side: the last one is all to compare with.
            if event is None or (event.time, event.id) == last or not matches(event, condition):
                continue
            last = event.time, event.id
            yield event
            if left is not None:
                left -= 1
        if len(hits) < size:
            return
        after = hits[-1]["sort"]
        wanted = min(_fitting(hits), largest)
        del hits  # before the next page takes as much


async def _page(
    client: Client, target: str, query: Query, size: int, after: list[Any] | None
) -> tuple[list[dict[str, Any]], int]:
    """A page, and how large a one was asked for: an index may answer less at once (max_result_window)."""
    while True:
        try:
            answer = await client.request(
                "POST", target, page_of(query, size, after, client.product.time_sort)
            )
        except SinkRejected:
            if size <= _FIRST_PAGE:
                raise
            size = max(_FIRST_PAGE, size // 2)
        else:
            return answer["hits"]["hits"], size


def _fitting(hits: Sequence[dict[str, Any]]) -> int:
    """How many documents like those of a page one may have."""
    sample = hits[:: max(1, len(hits) // _SAMPLE)]
    average = sum(len(msgspec.json.encode(hit["_source"])) for hit in sample) // len(sample)
    return max(1, min(_LARGEST_PAGE, _PAGE_BYTES // max(1, average)))


def _event_of(hit: dict[str, Any]) -> Event | None:
    """The event of a document, or None if somebody else wrote it."""
    try:
        return to_event(hit["_source"])
    except (LookupError, TypeError, ValueError, AttributeError):
        report("search_engine.foreign", "document %s in %s is not an event's", hit["_id"], hit["_index"])
        return None
