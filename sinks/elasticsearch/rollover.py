"""Events that are sent again after a data stream has rolled over.

Elasticsearch keeps an id once in an *index*, and a data stream writes to its newest. An event whose answer
was lost just before a rollover, sent again just after it, would stand in two backing indexes. It gives
itself away: it happened before the index that took it began. For such events, of which there are few (a
backlog, or whoever was in flight), the older indexes are asked, and the new copy is removed.

The clocks of the application and of the server are compared, so that events up to ``MARGIN`` younger than
the index are asked for too. A copy that slips through (a first attempt that the server finishes after it
was asked) is left out by searching, which yields an event once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from logweir.event import Event
from logweir.sinks.elasticsearch.connection import Connection

__all__ = ["MARGIN_NS", "Rollovers", "suspects"]

#: How far the clocks may be apart.
MARGIN_NS = 3600 * 10**9
#: Ids asked for at once.
_MOST_IDS = 1000

_encode_json = msgspec.json.Encoder().encode


def suspects(batch: Sequence[Event], taken: Mapping[int, str], began: Mapping[str, int]) -> list[int]:
    """Return which events may stand in an older index too.

    Args:
        batch: The events.
        taken: Index of the batch to the backing index that has the event.
        began: When each backing index was made, nanoseconds.
    """
    oldest = min(began.values(), default=0)
    return [
        number
        for number, index in taken.items()
        if began.get(index, 0) > oldest and batch[number].time < began[index] + MARGIN_NS
    ]


class Rollovers:
    """Watches one data stream."""

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream
        self._began: dict[str, int] = {}

    async def settle(self, batch: Sequence[Event], taken: Mapping[int, str]) -> set[int]:
        """Remove new copies of events that an older index has; return these events.

        Raises:
            SinkUnavailable: The server could not be asked; the events are to be sent again.
        """
        if any(index not in self._began for index in taken.values()):
            await self._look()
        doubtful = suspects(batch, taken, self._began)
        older = set[int]()
        for start in range(0, len(doubtful), _MOST_IDS):
            older |= await self._settle(batch, taken, doubtful[start : start + _MOST_IDS])
        return older

    async def _look(self) -> None:
        """Learn when the indexes began, and make what was written before a rollover visible to searches."""
        target = f"/{self._stream}/_settings?filter_path=*.settings.index.creation_date"
        answer = await self._connection.request("GET", target)
        began = {
            name: int(found["settings"]["index"]["creation_date"]) * 10**6 for name, found in answer.items()
        }
        if len(began) > 1:
            await self._connection.request("POST", f"/{self._stream}/_refresh")
        self._began = began

    async def _settle(
        self, batch: Sequence[Event], taken: Mapping[int, str], doubtful: Sequence[int]
    ) -> set[int]:
        by_id: dict[str, list[int]] = {}
        for number in doubtful:
            by_id.setdefault(batch[number].id, []).append(number)
        found = await self._found_elsewhere(list(by_id), {taken[number] for number in doubtful})
        copies: list[dict[str, Any]] = []
        older = set[int]()
        for event_id, index in found:
            numbers = by_id[event_id]
            newer = {taken[number] for number in numbers if self._is_newer(taken[number], index)}
            copies += [{"delete": {"_index": name, "_id": event_id}} for name in newer]
            older.update(number for number in numbers if taken[number] in newer)
        if copies:
            body = b"".join(_encode_json(copy) + b"\n" for copy in copies)
            await self._connection.request("POST", "/_bulk?filter_path=errors", body)
        return older

    async def _found_elsewhere(self, ids: list[str], indexes: set[str]) -> list[tuple[str, str]]:
        elsewhere: dict[str, Any] = {"ids": {"values": ids}}
        if len(indexes) == 1:  # one index has an id once, so that as many answers are enough
            elsewhere = {"bool": {"filter": elsewhere, "must_not": {"term": {"_index": next(iter(indexes))}}}}
        query = {"size": 10 * _MOST_IDS, "query": elsewhere, "_source": False, "track_total_hits": False}
        target = f"/{self._stream}/_search?filter_path=hits.hits._id,hits.hits._index"
        answer = await self._connection.request("POST", target, query)
        return [(hit["_id"], hit["_index"]) for hit in answer.get("hits", {}).get("hits", [])]

    def _is_newer(self, index: str, other: str) -> bool:
        return self._began.get(index, 0) > self._began.get(other, 0)
