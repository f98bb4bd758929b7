"""From a :class:`Query` to LogsQL. Pure.

LogsQL lets through all that match, and little else: it narrows a search down, and whether an event matches is
decided by the same rules as for every other sink. Every text of a caller's stands in quotes, with the escapes
of Go's strings, which those of JSON are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from logweir.encoding.fields import index_of
from logweir.encoding.times import format_time
from logweir.sinks.contract import Query
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.victorialogs.columns import column_of

__all__ = ["Span", "filter_of", "ids_filter", "quoted", "span_filter", "span_of"]

#: The most ids that are named in a query, and bytes of a text: a query has at most 16 KiB
#: (``-search.maxQueryLen``). What is not asked for is compared by the reader.
_MOST_IDS = 100
_LONGEST = 1024

#: Nanoseconds, from (included) and to (not included); None where it is open.
Span = tuple[int | None, int | None]

_encode = msgspec.json.Encoder().encode


def filter_of(query: Query, static: Mapping[str, str], message_field: str | None) -> str:
    """The conditions of a query, but for its times.

    Args:
        query: What is searched.
        static: The columns by which this sink's entries are known; they are stream fields.
        message_field: The field whose text may be the message.
    """
    selector = ",".join(f"{quoted(name)}={quoted(value)}" for name, value in static.items())
    return " ".join(["{" + selector + "}", *_conditions(query, message_field)])


def _conditions(query: Query, message_field: str | None) -> Iterator[str]:
    if query.ids is not None and len(query.ids) <= _MOST_IDS and all(map(_is_short, query.ids)):
        yield ids_filter(sorted(query.ids))
    if query.kind is not None:
        yield f"kind:={quoted(query.kind)}"
    if query.levels and all(map(_is_short, query.levels)):
        yield f"level:in({','.join(map(quoted, sorted(query.levels)))})"
    if query.service and _is_short(query.service):
        yield f"service:={quoted(query.service)}"
    if query.trace_id and _is_short(query.trace_id):
        yield f"trace_id:={quoted(query.trace_id)}"
    if query.name and _is_short(query.name):
        yield f"(_msg:={quoted(query.name)} or event:={quoted(query.name)})"
    if query.text and len(query.text) <= _LONGEST and _is_in_one_value(query.text):
        yield f"*:~{quoted(re.escape(query.text))}"
    for name, value in query.fields.items():
        texts = list(_texts_of(value))
        if texts and len(name) <= _LONGEST:
            yield "(" + " or ".join(_column_is(name, value, texts, message_field)) + ")"


def _column_is(name: str, value: Any, texts: list[str], message_field: str | None) -> Iterator[str]:
    for text in texts:
        yield f"{quoted(column_of(name))}:={quoted(text)}"
        if name == message_field:
            yield f"_msg:={quoted(text)}"
    # A list is one column, of the JSON text that has its items.
    items = "|".join(re.escape(quoted(text) if isinstance(value, str) else text) for text in texts)
    for column in _lists(name):
        yield f"{quoted(column_of(column))}:~{quoted(items)}"
        if column == message_field:
            yield f"_msg:~{quoted(items)}"
    yield "fields:*"  # all fields as one column


def _lists(name: str) -> Iterator[str]:
    """The columns of the lists in which a dotted name may lead to an item."""
    yield name
    parts = name.split(".")
    for end, part in enumerate(parts):
        if end and index_of(part) is not None:
            yield ".".join(parts[:end])


def _texts_of(value: Any) -> Iterator[str]:
    """How a value that equals this one may stand in a column; nothing where that is not known."""
    if isinstance(value, str):
        if value and _is_short(value):
            yield value
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int | float):
        try:
            numbers = (value, int(value), float(value), -float(value))  # -0.0 equals 0
            yield from {_encode(number).decode() for number in numbers if number == value}
        except (OverflowError, ValueError):
            yield _encode(value).decode()


def _is_short(text: str) -> bool:
    return 0 < len(text) <= _LONGEST


def _is_in_one_value(text: str) -> bool:
    """Whether a text that is found in an event's JSON must be in one of its values or in its shape."""
    # `null` is no column.
    return text.isprintable() and not set(text) & set('"\\{}[]') and text not in "null"


def ids_filter(ids: list[str]) -> str:
    """One of these ids."""
    return f"id:in({','.join(map(quoted, ids))})"


def span_filter(span: Span) -> str:
    """Between these times; empty for all."""
    start, end = span
    parts = [] if start is None else [f"_time:>={quoted(format_time(start))}"]
    if end is not None:
        parts.append(f"_time:<{quoted(format_time(end))}")
    return " ".join(parts)


def quoted(text: str) -> str:
    """Text as LogsQL takes it, whatever it holds."""
    return _encode(text).decode()


def span_of(query: Query) -> Span:
    """The times of a query."""
    return (
        None if query.start is None else nanoseconds(query.start),
        None if query.end is None else nanoseconds(query.end),
    )
