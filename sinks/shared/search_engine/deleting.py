"""Deleting old events: whole indexes where all of one is old, single documents otherwise.

Dropping an index costs nothing; deleting documents costs a write each and frees the space only when
segments are merged. Documents are found by a search and deleted by bulk requests, which every server has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from logweir.errors import SinkUnavailable
from logweir.event import Kind
from logweir.sinks.contract import Query
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.shared.search_engine.contract import Client
from logweir.sinks.shared.search_engine.layout import Layout
from logweir.sinks.shared.search_engine.query import page_of
from logweir.sinks.shared.search_engine.reading import ABSENT_IS_EMPTY, refresh

__all__ = ["Held", "delete", "held_by", "prune", "whole"]

_PAGE = 1000
_MOST_INDEXES = 10_000
_GONE = {HTTPStatus.OK, HTTPStatus.NOT_FOUND}

_encode_json = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Held:
    """What one index holds.

    Attributes:
        index: Its name.
        events: How many.
        newest: No event of it is later than this, nanoseconds.
    """

    index: str
    events: int
    newest: int


def held_by(answer: Mapping[str, Any]) -> list[Held]:
    """Read what the indexes hold from a search's aggregation, the oldest first."""
    buckets = answer.get("aggregations", {}).get("indexes", {}).get("buckets", [])
    held = [
        # The aggregation counts in milliseconds, rounded down.
        Held(bucket["key"], bucket["doc_count"], (int(bucket["newest"]["value"]) + 1) * 10**6)
        for bucket in buckets
        if bucket["newest"]["value"] is not None
    ]
    return sorted(held, key=lambda one: one.newest)


def whole(held: Sequence[Held], before: int, limit: int, kept: str | None) -> list[Held]:
    """Return the indexes to drop: the oldest, all old, no more events than ``limit``, never ``kept``."""
    chosen: list[Held] = []
    for one in held:
        if one.newest > before or one.events > limit:
            break
        if one.index != kept:
            chosen.append(one)
            limit -= one.events
    return chosen


async def prune(client: Client, layout: Layout, before: datetime, kind: Kind | None, limit: int) -> int:
    """Delete at most ``limit`` events older than ``before``, the oldest first; return how many went.

    Raises:
        SinkError: The server cannot be searched, or refuses to delete.
    """
    await refresh(client, layout)
    gone = 0
    if kind is None:  # an index holds both kinds
        gone += await _drop_indexes(client, layout, nanoseconds(before), limit)
    query = Query(end=before, kind=kind)
    while gone < limit:
        page = await _delete_page(client, layout, query, min(_PAGE, limit - gone))
        if not page:
            break
        gone += page
        await refresh(client, layout)
    return gone


async def delete(client: Client, layout: Layout, ids: Sequence[str]) -> int:
    """Delete exactly these events, in whichever index they are; return how many there were.

    Raises:
        SinkError: The server cannot be searched, or refuses to delete.
    """
    await refresh(client, layout)
    gone = 0
    for start in range(0, len(ids), _PAGE):
        page = list(ids[start : start + _PAGE])
        gone += await _delete_found(client, layout, {"size": len(page), "query": {"ids": {"values": page}}})
    await refresh(client, layout)
    return gone


async def _drop_indexes(client: Client, layout: Layout, before: int, limit: int) -> int:
    newest = {"newest": {"max": {"field": "@timestamp"}}}
    by_index = {"terms": {"field": "_index", "size": _MOST_INDEXES}, "aggs": newest}
    target = f"/{layout.name}/_search?{ABSENT_IS_EMPTY}"
    answer = await client.request("POST", target, {"size": 0, "aggs": {"indexes": by_index}})
    kept = await _write_index(client, layout) if layout.streaming else None
    gone = 0
    for one in whole(held_by(answer), before, limit, kept):
        status, _ = await client.ask("DELETE", f"/{one.index}")
        if status not in _GONE:
            break  # not allowed to drop indexes: its documents go one by one
        gone += one.events if status == HTTPStatus.OK else 0
    return gone


async def _write_index(client: Client, layout: Layout) -> str | None:
    answer = await client.request("GET", f"/_resolve/index/{layout.name}")
    streams = answer.get("data_streams", [])
    indexes = streams[0]["backing_indices"] if streams else [None]
    name: str | None = indexes[-1] if isinstance(indexes, list) else indexes
    return name


async def _delete_page(client: Client, layout: Layout, query: Query, size: int) -> int:
    # `end` is exclusive, and the search's bound is not: what lies on it stays.
    sort = client.product.time_sort
    strict = page_of(replace(query, end=None), size, None, sort)
    bound = page_of(query, size, None, sort)["query"]["bool"]["filter"][0]["range"]["@timestamp"]["lte"]
    strict["query"]["bool"]["filter"].append({"range": {"@timestamp": {"lt": bound}}})
    return await _delete_found(client, layout, strict)


async def _delete_found(client: Client, layout: Layout, search: dict[str, Any]) -> int:
    search["_source"] = False
    target = f"/{layout.name}/_search?{ABSENT_IS_EMPTY}&filter_path=hits.hits._id,hits.hits._index"
    answer = await client.request("POST", target, search)
    hits = answer.get("hits", {}).get("hits", [])
    if not hits:
        return 0
    actions = ({"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits)
    body = b"".join(_encode_json(action) + b"\n" for action in actions)
    answer = await client.request("POST", "/_bulk?filter_path=items.*.status,items.*.error", body)
    return _count_deleted(answer["items"])


def _count_deleted(items: Sequence[Mapping[str, Any]]) -> int:
    results = [item["delete"] for item in items]
    deleted = sum(1 for result in results if result["status"] == HTTPStatus.OK)
    troubles = [result for result in results if result["status"] not in _GONE]
    if troubles and not deleted:
        reason = (troubles[0].get("error") or {}).get("reason", f"status {troubles[0]['status']}")
        raise SinkUnavailable(f"documents cannot be deleted: {reason}")
    return deleted
