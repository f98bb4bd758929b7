"""Events that are sent again after a data stream has rolled over.

A server keeps an id once in an *index*, and a data stream writes to its newest. An event whose answer
was lost just before a rollover, sent again just after it, would stand in two backing indexes. It can
be recognised: it happened before the index that took it began. For such events, of which there are few (a
backlog, or what was in flight), the older indexes are asked, and the new copy is removed.

The clocks of the application and of the server are compared, so that events up to ``MARGIN`` younger than
the index are asked for too. A copy that slips through (a first attempt that the server finishes after it
was asked) is left out by searching, which yields an event once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.shared.search_engine.contract import Client

__all__ = ["MARGIN_NS", "Rollovers", "suspects"]

#: How far the clocks may be apart.
MARGIN_NS = 3600 * 10**9
#: Ids asked for at once, and how many copies of them may be found.
_MOST_IDS = 1000
_MOST_HITS = 10_000

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
    """Watches one data stream, and keeps the oldest copy of each event."""

    def __init__(self, client: Client, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._began: dict[str, int] = {}

    async def settle(self, batch: Sequence[Event], taken: Mapping[int, str]) -> set[int]:
        """Remove the newer copies of events that stand in several indexes; return those stored before.

        Raises:
            SinkUnavailable: The server could not be asked; the events are to be sent again.
        """
        # An unknown index means that a rollover has just happened.
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
        answer = await self._client.request("GET", target)
        began = {
            name: int(found["settings"]["index"]["creation_date"]) * 10**6 for name, found in answer.items()
        }
        if len(began) > 1:
            await self._client.request("POST", f"/{self._stream}/_refresh")
        self._began = began

    async def _settle(
        self, batch: Sequence[Event], taken: Mapping[int, str], doubtful: Sequence[int]
    ) -> set[int]:
        copies: dict[str, set[str]] = {}
        for number in doubtful:
            copies.setdefault(batch[number].id, set()).add(taken[number])
        for event_id, index in await self._found_elsewhere(copies):
            copies[event_id].add(index)
        oldest = {event_id: min(indexes, key=self._age) for event_id, indexes in copies.items()}
        newer = [
            {"delete": {"_index": index, "_id": event_id}}
            for event_id, indexes in copies.items()
            for index in indexes
            if index != oldest[event_id]
        ]
        if newer:
            body = b"".join(_encode_json(copy) + b"\n" for copy in newer)
            answer = await self._client.request("POST", "/_bulk?filter_path=errors", body)
            if answer["errors"]:
                raise SinkUnavailable("newer copies of events could not be deleted")
        return {number for number in doubtful if taken[number] != oldest[batch[number].id]}

    async def _found_elsewhere(self, copies: Mapping[str, set[str]]) -> list[tuple[str, str]]:
        known = sorted(set().union(*copies.values()))
        elsewhere: dict[str, Any] = {"ids": {"values": list(copies)}}
        if len(known) == 1:  # as almost always: then the server need not return the copies that are known
            elsewhere = {"bool": {"filter": elsewhere, "must_not": {"term": {"_index": known[0]}}}}
        query = {"size": _MOST_HITS, "query": elsewhere, "_source": False, "track_total_hits": False}
        target = (
            f"/{self._stream}/_search?allow_partial_search_results=false"
            "&filter_path=hits.hits._id,hits.hits._index"
        )
        answer = await self._client.request("POST", target, query)
        return [(hit["_id"], hit["_index"]) for hit in answer.get("hits", {}).get("hits", [])]

    def _age(self, index: str) -> tuple[float, str]:
        """An index that is not known yet began after those that are."""
        return self._began.get(index, math.inf), index
