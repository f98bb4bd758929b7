"""An event of what a store without a schema has for one, where somebody else may have written anything."""

from __future__ import annotations

from logweir.event import Event, Kind

__all__ = ["stored_event"]


def stored_event(
    id_: object,
    time: object,
    kind: object,
    level: object,
    name: object,
    service: object,
    env: object,
    trace_id: object,
    span_id: object,
    fields: object,
) -> Event:
    """Return the event, whose time is in nanoseconds since 1970-01-01 UTC.

    Raises:
        TypeError, ValueError: It is none; the text says what it has of a wrong type.
    """
    texts = (
        id_,
        level,
        name,
        service,
        env,
        "" if trace_id is None else trace_id,
        "" if span_id is None else span_id,
    )
    if not all(isinstance(text, str) for text in texts):
        names = ("id", "level", "name", "service", "env", "trace_id", "span_id")
        key, text = next(pair for pair in zip(names, texts, strict=True) if not isinstance(pair[1], str))
        raise TypeError(f"its {key} is no text but {text!r}")
    if type(time) is not int:
        raise TypeError(f"its time is no number but {time!r}")
    if not isinstance(fields, dict):
        raise TypeError("its fields are no object")
    return Event(id_, time, Kind(kind), level, name, service, env, trace_id, span_id, fields)  # type: ignore[arg-type]
