"""From a :class:`Query` to that of the servers. Pure.

The server narrows: it returns every event that matches and a few that may not (``7`` and ``"7"`` are one
term of a flattened field). :func:`leaves` says what is left to compare with the events themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from logweir.encoding.fields import index_of
from logweir.encoding.times import format_time
from logweir.sinks.contract import Query
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.shared.documents import STANDARD_NAMES
from logweir.sinks.shared.search_engine.encode import DATASET, UNINDEXED
from logweir.sinks.shared.search_engine.layout import clamped
from logweir.sinks.shared.search_engine.schema import IGNORE_ABOVE

__all__ = ["leaves", "page_of", "to_filters"]

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_WILD = re.compile(r"[*?\\]")

Clause = dict[str, Any]


def leaves(query: Query) -> Query:
    """What the events themselves must still be compared with: all but the full text, the server's own."""
    return replace(query, text=None, limit=None)


def page_of(query: Query, size: int, after: list[Any] | None, time_sort: Mapping[str, Any]) -> Clause:
    """Return the body of a search for one page, after the sort values of the last event of the one before.

    Args:
        query: What is looked for.
        size: The most events.
        after: The sort values of the last event of the page before; none for the first page.
        time_sort: How the product wants a sort by time.
    """
    order = "desc" if query.newest_first else "asc"
    body: Clause = {
        "size": size,
        "track_total_hits": False,
        "query": {"bool": {"filter": to_filters(query)}},
        "sort": [
            {"@timestamp": {"order": order, "unmapped_type": "date_nanos", **time_sort}},
            {"event.id": {"order": order, "unmapped_type": "keyword"}},
        ],
    }
    if after is not None:
        body["search_after"] = after
    return body


def to_filters(query: Query) -> list[Clause]:
    """Return the clauses that narrow the search, joined by *and*."""
    return list(_filters(query))


def _filters(query: Query) -> Iterator[Clause]:
    times = {
        bound: format_time(clamped(nanoseconds(moment)))
        for bound, moment in (("gte", query.start), ("lte", query.end))
        if moment is not None
    }
    if times:
        yield {"range": {"@timestamp": times}}
    if query.ids is not None:
        yield {"ids": {"values": sorted(query.ids)}}
    if query.kind is not None:
        yield _any_of(
            {"term": {"event.kind": query.kind}}, {"term": {"event.dataset": f"{DATASET}{query.kind.value}"}}
        )
    for name, value in (
        ("event.action", query.name),
        ("trace.id", query.trace_id),
        ("service.name", query.service),
    ):
        if value is not None and 0 < len(value) <= IGNORE_ABOVE:
            yield {"term": {name: value}}
    if query.levels is not None and all(0 < len(level) <= IGNORE_ABOVE for level in query.levels):
        yield {"terms": {"log.level": sorted(query.levels)}}
    for name, value in query.fields.items():
        terms = _terms(value)
        named = _by_ecs(name, value)
        if terms and named is not None and _PLAIN_NAME.fullmatch(name):
            has_value = [{"terms": {f"fields.{path}": terms}} for path in _paths(name)]
            yield _any_of(*has_value, {"term": {"tags": UNINDEXED}}, *named)
    if query.text:
        pattern = f"*{_WILD.sub(lambda match: chr(92) + match[0], query.text)}*"
        in_name = {"wildcard": {"event.action": {"value": pattern, "case_insensitive": True}}}
        yield _any_of({"match_phrase": {"message": query.text}}, in_name)


def _by_ecs(name: str, value: Any) -> list[Clause] | None:
    """What finds a field under the name that ECS has for it; None if the index does not hold such a value."""
    standard = STANDARD_NAMES.get(name)
    if standard is None:
        return []
    if standard.type is int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            return []  # such a value stands in the fields
        return [{"term": {standard.ecs: int(value)}}] if -(2**63) <= value < 2**63 else None
    return [{"term": {standard.ecs: value}}] if isinstance(value, standard.type) else []


def _paths(name: str) -> list[str]:
    """Where a dotted name may lead in the index, which knows the items of a list by the name of the list."""
    paths = [""]
    for part in name.split("."):
        longer = [f"{path}.{part}" if path else part for path in paths]
        paths = longer if index_of(part) is None else [*longer, *filter(None, paths)]
    return list(dict.fromkeys(paths))


def _any_of(*clauses: Clause) -> Clause:
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def _terms(value: Any) -> list[str]:
    """The terms that stand for a value, or for one equal to it; none if the index cannot separate them."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, str):
        return [value] if 0 < len(value) <= IGNORE_ABOVE else []
    if isinstance(value, int | float):
        return _numbers(value)
    return []


def _numbers(value: float) -> list[str]:
    """How a number and those equal to it (``5`` and ``5.0``, ``0`` and ``-0.0``) are written."""
    if value == 0:
        return ["-0.0", "0", "0.0"]
    try:
        equal = [number for number in (value, float(value), int(value)) if number == value]
        return sorted({msgspec.json.encode(number).decode() for number in equal})
    except OverflowError:
        return []
