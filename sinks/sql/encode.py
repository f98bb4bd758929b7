"""Between events and rows of the audit table. Pure; a row read back gives the identical event.

A field goes to its column only if the column can give it back as it was; what does not fit (an integer
user id, a status that is too long) stays in ``extra_info`` too, and there it wins when reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign
from typing import Any

from logweir.event import Event, Kind
from logweir.sinks.sql.canonical import canonical
from logweir.sinks.sql.table import TYPED_FIELDS

__all__ = ["Row", "to_event", "to_parameters", "to_row"]

Row = dict[str, Any]


_TYPED = tuple(TYPED_FIELDS.items())
_NAMES = tuple(TYPED_FIELDS)
# A look-up costs less than the enumeration's own attribute and call, which every event would need.
_KINDS = {kind: kind.value for kind in Kind}
_BY_VALUE = {kind.value: kind for kind in Kind}


def to_row(event: Event) -> Row:
    """Return the row of an event, its columns in the table's order."""
    time_us, time_ns = divmod(event.time, 1000)
    extra = dict(event.fields)
    row: Row = {
        "id": event.id,
        "time_us": time_us,
        "time_ns": time_ns,
        "kind": event.kind.value,
        "level": event.level,
        "action": event.name,
        "service": event.service,
        "env": event.env,
        "trace_id": event.trace_id,
        "span_id": event.span_id,
    }
    for name, longest in TYPED_FIELDS.items():
        row[name] = _column_value(extra, name, longest) if name in extra else None
    row["extra_info"] = extra
    return row


def to_parameters(event: Event) -> tuple[Any, ...]:
    """Return the row of an event as a driver takes it: positional, ``extra_info`` as its canonical text.

    The same as :func:`to_row`, without a dictionary on the way: a sink does it for every event.

    Raises:
        TypeError: A field is not of JSON's types.
        ValueError: A text cannot be written in UTF-8.
    """
    time_us, time_ns = divmod(event.time, 1000)
    extra = event.fields.copy()
    typed: list[str | float | None] = []
    for name, longest in _TYPED:  # no comprehension, which is a call of its own
        typed.append(_column_value(extra, name, longest) if name in extra else None)
    return (
        event.id,
        time_us,
        time_ns,
        _KINDS[event.kind],
        event.level,
        event.name,
        event.service,
        event.env,
        event.trace_id,
        event.span_id,
        *typed,
        canonical(extra).decode(),
    )


def _column_value(extra: Row, name: str, longest: int | None) -> str | float | None:
    """Return what the column holds; the field leaves ``extra`` only if nothing is lost by it."""
    value = extra[name]
    if longest is None:
        if type(value) is float and (value or copysign(1, value) > 0):  # SQLite turns -0.0 into 0.0
            del extra[name]
        return value if type(value) in (int, float) else None
    if type(value) is str and len(value) <= longest:
        del extra[name]
        return value
    # An integer user id is searched as text, and given back as the number that it was.
    return str(value) if type(value) is int else value[:longest] if type(value) is str else None


def to_event(row: Sequence[Any]) -> Event:
    """Return the event of a row, whose columns come in the table's order.

    Raises:
        TypeError: A column holds what no event has, such as bytes in SQLite, whose columns have no types.
        ValueError: Its kind is none.
    """
    id_, time_us, time_ns, kind, level, action, service, env, trace_id, span_id, *typed, extra = row
    if not isinstance(extra, dict):
        raise TypeError("its extra_info is no JSON object")
    time = time_us * 1000 + time_ns
    if type(time) is not int:
        raise TypeError(f"its time is no number of microseconds but {time_us!r}")
    "".join((id_, level, action, service, env, trace_id or "", span_id or ""))  # raises where one is no text
    fields = {name: value for name, value in zip(_NAMES, typed, strict=True) if value is not None}
    fields.update(extra)
    return Event(
        id_,
        time,
        _BY_VALUE.get(kind) or Kind(kind),
        level,
        action,
        service,
        env,
        trace_id,
        span_id,
        fields,
    )
