"""From a :class:`Query` to MongoDB's filter. Pure.

The filter lets through everything that matches and perhaps more, because MongoDB compares otherwise than we
do (an array matches if one of its members does, a missing field equals null); what it returns is compared
with the query once more (see :mod:`logweir.sinks.mongodb.reading`). That of :func:`older_than` is exact, for
what it lets through is deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from bson import DatetimeMS

from logweir.event import Kind
from logweir.sinks.contract import Query
from logweir.sinks.mongodb.encode import GUARDED, TEXT
from logweir.sinks.query_match import nanoseconds

__all__ = ["MILLION", "filter_of", "older_than"]

Filter = dict[str, Any]

MILLION = 1_000_000
_INT64 = range(-(2**63), 2**63)
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


def _conditions(query: Query, version: tuple[int, ...]) -> Iterator[Filter]:
    yield _of_kind(query.kind)
    if query.start is not None:
        yield {"time": {"$gte": DatetimeMS(nanoseconds(query.start) // MILLION)}}
    if query.end is not None:
        yield from _before(query.end)
    for name, value in (("name", query.name), ("trace_id", query.trace_id)):
        if value is not None:
            yield {name: value}
    if query.levels is not None:
        yield {"level": {"$in": sorted(query.levels)}}
    if query.service is not None:
        yield {"service": query.service}
    if query.ids is not None:
        yield {"_id": {"$in": sorted(query.ids)}}
    for name, value in query.fields.items():
        yield _field_equals(name, value, version)
    if query.text is not None and "\0" not in query.text:  # which no pattern can hold
        in_json = msgspec.json.encode(query.text).decode()[1:-1]  # as fields are written, and a name is not
        written = sorted({query.text, in_json})
        pattern = "|".join(map(re.escape, written))
        yield {"$or": [{TEXT: {"$regex": pattern}}, {TEXT: {"$exists": False}}]}


def _of_kind(kind: Kind | None) -> Filter:
    """Both kinds are named where either will do, so that the index on kind and time serves."""
    return {"kind": {"$in": _BOTH_KINDS}} if kind is None else {"kind": kind.value}


def _before(moment: datetime) -> Iterator[Filter]:
    milliseconds, below = divmod(nanoseconds(moment), MILLION)
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
    if isinstance(value, dict) or (isinstance(value, int) and value not in _INT64):
        return False
    return all(map(_compares_alike, value)) if isinstance(value, list) else True


def _is_awkward(part: str) -> bool:
    """Whether no path of MongoDB's can have this part."""
    return not part or part.startswith("$") or "\0" in part
