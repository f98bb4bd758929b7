"""From a :class:`Query` to LogQL. Pure.

LogQL lets through all that match, and little else: it narrows a search down, and whether an event matches
is decided by the same rules as for every other sink.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from logweir.sinks.contract import Query
from logweir.sinks.loki.encode import quoted

__all__ = ["MOST_IDS", "logql", "with_id_ending", "with_own_time"]

#: The most ids that are named in a query; more are compared by the reader.
MOST_IDS = 100


def logql(query: Query, static: Mapping[str, str], placed: Sequence[str]) -> str:
    """The query in LogQL: it lets through all that match, and little else.

    Args:
        query: What is searched.
        static: The sink's labels with one fixed value.
        placed: Names of attributes that are labels or structured metadata.
    """
    selector = ", ".join(f"{name}={quoted(value)}" for name, value in static.items())
    return "{" + selector + "}" + "".join(_filters(query, placed))


def _filters(query: Query, placed: Sequence[str]) -> Iterator[str]:
    """The filters, those that are cheap and strict first."""
    if query.ids is not None and len(query.ids) <= MOST_IDS:
        yield f" |~ {quoted('|'.join(re.escape(event_id) for event_id in sorted(query.ids)))}"
    if query.name is not None:
        yield f" |= {quoted(f'''{chr(34)}event{chr(34)}:{_json(query.name)}''')}"
    if query.text is not None:
        yield f" |= {quoted(_json(query.text)[1:-1])}"
    for value in query.fields.values():
        if isinstance(value, str):
            yield f" |= {quoted(_json(value))}"
    for name, value in (("kind", query.kind), ("trace_id", query.trace_id)):
        if value is None:
            continue
        if name in placed and value.isprintable() and value:
            yield f" | {name}={quoted(value)}"
        else:
            yield f" |= {quoted(_json(value))}"


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


def with_own_time(text: str) -> str:
    """Narrow a query to events that are stored at another time than their own."""
    return f"{text} |= {quoted(_OWN_TIME)}"


def with_id_ending(text: str, ending: str) -> str:
    """Narrow a query to events whose id ends so."""
    return f"{text} |~ {quoted(_ID_ENDING % ending)}" if ending else text


_OWN_TIME = '"time":"'
_ID_ENDING = '"id":"[^"]*%s"'
