"""From a :class:`Query` to a filter, and from what the server finds to events in order. Pure.

The filter lets through everything that matches and perhaps more, because MongoDB compares otherwise than
we do (an array matches if one of its members does, a missing field equals null). What comes is held
against the query once more. The server sorts by the milliseconds that an index has; what shares one is
put in order here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from bson import DatetimeMS

from logweir.event import Event, Kind
from logweir.sinks.contract import Query
from logweir.sinks.mongodb.encode import GUARDED, TEXT, text_of
from logweir.sinks.searching import matches, nanoseconds

__all__ = ["filter_of", "holds", "in_order", "older_than"]

Filter = dict[str, Any]

_MILLION = 1_000_000
_BOTH_KINDS = [kind.value for kind in Kind]
#: The first version in which a query can name a field that has dots in its name.
_GET_FIELD = (5,)


def filter_of(query: Query, version: tuple[int, ...]) -> Filter:
    """Return the filter of a query.

    Args:
        query: The query.
        version: Of MongoDB, or of the one whose protocol the server speaks.
    """
    return {"$and": list(_conditions(query, version))}


def older_than(before: datetime, kind: Kind | None = None) -> Filter:
    """Return the filter of exactly the events before a moment."""
    return {"$and": [_of_kind(kind), *_before(before)]}


def holds(event: Event, query: Query) -> bool:
    """Whether every condition of the query holds for an event that the filter let through."""
    if query.text is not None:
        return query.text in text_of(event) and holds(event, replace(query, text=None))
    return matches(event, query)


async def in_order(found: AsyncIterator[Event], *, newest_first: bool) -> AsyncGenerator[Event, None]:
    """Put in order what comes sorted by milliseconds, and yield each id once."""
    together: dict[str, Event] = {}
    moment: int | None = None
    async for event in found:
        if event.time // _MILLION != moment:
            for earlier in _sorted(together, newest_first):
                yield earlier
            together, moment = {}, event.time // _MILLION
        together[event.id] = event
    for earlier in _sorted(together, newest_first):
        yield earlier


def _sorted(events: dict[str, Event], newest_first: bool) -> list[Event]:
    return sorted(events.values(), key=lambda event: (event.time, event.id), reverse=newest_first)


def _conditions(query: Query, version: tuple[int, ...]) -> Iterator[Filter]:
    yield _of_kind(query.kind)
    if query.start is not None:
        yield {"time": {"$gte": DatetimeMS(nanoseconds(query.start) // _MILLION)}}
    if query.end is not None:
        yield from _before(query.end)
    for name, value in (("name", query.name), ("trace_id", query.trace_id)):
        if value is not None:
            yield {name: value}
    if query.ids is not None:
        yield {"_id": {"$in": sorted(query.ids)}}
    for name, value in query.fields.items():
        yield _field_equals(name, value, version)
    if query.text is not None and "\0" not in query.text:  # which no pattern can hold
        yield {"$or": [{TEXT: {"$regex": re.escape(query.text)}}, {TEXT: {"$exists": False}}]}


def _of_kind(kind: Kind | None) -> Filter:
    """Both kinds are named where either will do, so that the index on kind and time serves."""
    return {"kind": {"$in": _BOTH_KINDS}} if kind is None else {"kind": kind.value}


def _before(moment: datetime) -> Iterator[Filter]:
    milliseconds, below = divmod(nanoseconds(moment), _MILLION)
    if not below:
        yield {"time": {"$lt": DatetimeMS(milliseconds)}}
        return
    yield {"time": {"$lte": DatetimeMS(milliseconds)}}
    yield {"$or": [{"time": {"$lt": DatetimeMS(milliseconds)}}, {"ns": {"$lt": below}}]}


def _field_equals(name: str, value: Any, version: tuple[int, ...]) -> Filter:
    """The field may equal the value, by its name or along its dots; guarded ones are let through."""
    dotted = "." in name
    if (dotted and version < _GET_FIELD) or any(map(_is_awkward, name.split("."))):
        return {}
    paths = {f"fields.{name}": value} if _compares_alike(value) else {f"fields.{name}": {"$exists": True}}
    either: list[Filter] = [paths, {GUARDED: {"$exists": True}}]
    if dotted:
        literal: Any = {"$getField": {"field": {"$literal": name}, "input": "$fields"}}
        either.append({"$expr": {"$ne": [{"$type": literal}, "missing"]}})
    return {"$or": either}


def _compares_alike(value: Any) -> bool:
    """Whether MongoDB finds all that equals the value here: the order of keys counts there, not here."""
    if isinstance(value, dict):
        return False
    return all(map(_compares_alike, value)) if isinstance(value, list) else True


def _is_awkward(part: str) -> bool:
    """Whether no path of MongoDB's can have this part."""
    return not part or part.startswith("$") or "\0" in part
