"""Events as JSON: one object on one line, and back.

:func:`encode_event` and :func:`decode_event` are each other's inverse: what was encoded is decoded
identically, but for ``size``, which is measured again where it is not known. The keys stand in one documented
order. Everything that stores or sends an event as JSON does it by these functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from logweir.encoding.times import format_time, parse_time
from logweir.event import Event, Kind

__all__ = ["decode_event", "encode_event", "encode_lines", "event_to_dict"]


class _WireEvent(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """An event as it is written; the order of the attributes is the order of the keys."""

    id: str
    time: str
    kind: Kind
    level: str
    event: str
    service: str
    env: str
    trace_id: str | None = None
    span_id: str | None = None
    fields: dict[str, Any]


class _WholeEvent(_WireEvent, forbid_unknown_fields=True, gc=False):
    """An event beside which nothing else stands."""


_encode_wire = msgspec.json.Encoder().encode
_encode_wires = msgspec.json.Encoder().encode_lines
_decode_wire = msgspec.json.Decoder(_WireEvent).decode
_decode_whole = msgspec.json.Decoder(_WholeEvent).decode


def encode_event(event: Event) -> bytes:
    """Return the event as one JSON object in UTF-8, without a line break.

    Args:
        event: The event; its ``fields`` hold JSON's own types, as the snapshot made them.
    """
    return _encode_wire(_wire_of(event))


def encode_lines(events: Iterable[Event]) -> bytes:
    """Return what :func:`encode_event` does of each event, with a line break behind it; faster for many."""
    return _encode_wires([_wire_of(event) for event in events])


def _wire_of(event: Event) -> _WireEvent:
    return _WireEvent(
        id=event.id,
        time=format_time(event.time),
        kind=event.kind,
        level=event.level,
        event=event.name,
        service=event.service,
        env=event.env,
        trace_id=event.trace_id,
        span_id=event.span_id,
        fields=event.fields,
    )


def decode_event(
    data: bytes, *, time: int | None = None, size: int | None = None, whole: bool = False
) -> Event:
    """Return the event that :func:`encode_event` wrote.

    Args:
        data: What was written.
        time: The event's time, where it is known from beside ``data``; reading its text costs most of all.
        size: Its size, where that is known; by default the length of ``data``.
        whole: Whether a key that no event has makes it something else.

    Raises:
        ValueError: If ``data`` is not such an object; the message names the key.
    """
    wire = _decode_whole(data) if whole else _decode_wire(data)
    return Event(
        wire.id,
        parse_time(wire.time) if time is None else time,
        wire.kind,
        wire.level,
        wire.event,
        wire.service,
        wire.env,
        wire.trace_id,
        wire.span_id,
        wire.fields,
        len(data) if size is None else size,
    )


def event_to_dict(event: Event) -> dict[str, Any]:
    """Return what :func:`encode_event` writes as a dictionary; ``fields`` is the event's own, not a copy."""
    document: dict[str, Any] = {
        "id": event.id,
        "time": format_time(event.time),
        "kind": event.kind.value,
        "level": event.level,
        "event": event.name,
        "service": event.service,
        "env": event.env,
    }
    if event.trace_id is not None:
        document["trace_id"] = event.trace_id
    if event.span_id is not None:
        document["span_id"] = event.span_id
    document["fields"] = event.fields
    return document
