"""Between events and documents with ECS's names. Pure.

A document's ``_source`` is kept by the server byte for byte, so an event comes back identical from it:
``fields`` as they are (indexed as one ``flattened`` field), the name as ``event.action``, the time as
``@timestamp`` with its nanoseconds. ``message`` is a line for people, ``order.placed user_id=7``, and what
full text finds.

Where ``fields: ecs`` asks for it, fields that the schema has a name for stand under that name, and are mapped
back when they are read, as documents of the other form are.

Fields that the index refuses (a key with a null byte or of tens of kilobytes) are kept as one JSON text that
is not indexed, in ``event.original``; such a document has the tag ``UNINDEXED``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from logweir.encoding.times import format_time, parse_time
from logweir.event import Event
from logweir.sinks.shared.documents import documents, fields_of_ecs
from logweir.sinks.shared.search_engine.layout import clamped
from logweir.sinks.shared.stored_event import stored_event

__all__ = [
    "DATASET",
    "UNINDEXED",
    "Encoder",
    "to_document",
    "to_ecs_document",
    "to_event",
    "to_unindexed_document",
]

#: What stands before the kind of an event in a document whose fields have ECS's names.
DATASET = "logweir."

#: The tag of documents whose fields are kept but not indexed.
UNINDEXED = "logweir_unindexed"

Document = dict[str, Any]
Encoder = Callable[[Event], Document]

_ecs = documents("ecs", {})
_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder(dict[str, Any]).decode
_PLAIN = frozenset({str, int, float})
_CONSTANTS = {True: "true", False: "false", None: "null"}


def to_document(event: Event, *, full_text: bool = True) -> Document:
    """Return the document of an event."""
    document = _header(event)
    document["message"] = _line(event) if full_text else event.name
    document["fields"] = event.fields
    return document


def to_ecs_document(event: Event, *, full_text: bool = True) -> Document:
    """Return the document of an event in which fields have the names that ECS has for them."""
    document = _ecs(event)
    document["message"] = _line(event) if full_text else event.name
    about = document["event"]
    time_ns = clamped(event.time)
    if time_ns != event.time:
        document["@timestamp"], about["time_ns"] = format_time(time_ns), str(event.time)
    if "duration" in about:  # in nanoseconds, which do not say what it was before
        document.setdefault("fields", {})["duration_ms"] = event.fields["duration_ms"]
    return document


def to_unindexed_document(event: Event) -> Document:
    """Return the document of an event whose fields the index refuses."""
    document = _header(event)
    document["message"] = event.name
    document["tags"] = [UNINDEXED]
    document["event"]["original"] = _encode_json(event.fields).decode()
    return document


def to_event(source: Mapping[str, Any]) -> Event:
    """Return the event of a document.

    Raises:
        LookupError, ValueError, TypeError: The document was not written by this sink.
    """
    about = source["event"]
    if "original" in about:
        kind, fields = about["kind"], _decode_json(about["original"])
    elif "ecs" in source:
        kind, fields = about["dataset"].removeprefix(DATASET), fields_of_ecs(source)
    else:
        kind, fields = about["kind"], source["fields"]
    exact = about.get("time_ns")
    return stored_event(
        about["id"],
        parse_time(source["@timestamp"]) if exact is None else int(exact),
        kind,
        source["log"]["level"],
        about["action"],
        source["service"]["name"],
        source["service"]["environment"],
        source["trace"]["id"] if "trace" in source else None,
        source["span"]["id"] if "span" in source else None,
        fields,
    )


def _header(event: Event) -> Document:
    time_ns = clamped(event.time)
    about: Document = {"id": event.id, "kind": event.kind, "action": event.name}
    if time_ns != event.time:
        about["time_ns"] = str(event.time)
    document: Document = {
        "@timestamp": format_time(time_ns),
        "event": about,
        "log": {"level": event.level},
        "service": {"name": event.service, "environment": event.env},
    }
    if event.trace_id is not None:
        document["trace"] = {"id": event.trace_id}
    if event.span_id is not None:
        document["span"] = {"id": event.span_id}
    return document


def _line(event: Event) -> str:
    parts = [event.name]
    for name, value in event.fields.items():
        if type(value) in _PLAIN:  # most are: this is the hot path
            parts.append(f"{name}={value}")
        else:
            _add_value(parts, name, value)
    return " ".join(parts)


def _add_fields(parts: list[str], prefix: str, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        _add_value(parts, f"{prefix}{name}", value)


def _add_value(parts: list[str], path: str, value: Any) -> None:
    if isinstance(value, str):
        parts.append(f"{path}={value}")
    elif isinstance(value, dict):
        _add_fields(parts, f"{path}.", value)
    elif isinstance(value, list):
        for item in value:
            _add_value(parts, path, item)
    elif value is None or isinstance(value, bool):
        parts.append(f"{path}={_CONSTANTS[value]}")
    else:
        parts.append(f"{path}={value}")
