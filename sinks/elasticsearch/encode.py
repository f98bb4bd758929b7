"""Between events and documents with ECS's names, and the bodies of bulk requests. Pure.

A document's ``_source`` is kept by the server byte for byte, so an event comes back identical from it:
``fields`` as they are (indexed as one ``flattened`` field), the name as ``event.action``, the time as
``@timestamp`` with its nanoseconds. ``message`` is a line for people, ``order.placed user_id=7``, and what
full text finds.

Fields that a flattened field refuses (a key with a null byte or of tens of kilobytes) are kept as one
JSON text that is not indexed, in ``event.original``; such a document has the tag ``UNINDEXED``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from logweir.encoding.times import format_time, parse_time
from logweir.event import Event, Kind
from logweir.sinks.elasticsearch.layout import Layout, clamped

__all__ = ["UNINDEXED", "Body", "Encoder", "bodies", "to_document", "to_event", "to_unindexed_document"]

#: The tag of documents whose fields are kept but not indexed.
UNINDEXED = "logweir_unindexed"

Document = dict[str, Any]
Encoder = Callable[[Event], Document]

_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder(dict[str, Any]).decode
_CONSTANTS = {True: "true", False: "false", None: "null"}


@dataclass(frozen=True, slots=True)
class Body:
    """One bulk request.

    Attributes:
        index: The index in the request's path; actions for another name it.
        data: Newline-delimited JSON.
        events: The event of each action, as an index of the batch.
    """

    index: str
    data: bytes
    events: Sequence[int]


def to_document(event: Event, *, full_text: bool = True) -> Document:
    """Return the document of an event."""
    document = _header(event)
    document["message"] = _line(event) if full_text else event.name
    document["fields"] = event.fields
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
    fields = _decode_json(about["original"]) if "original" in about else source["fields"]
    exact = about.get("time_ns")
    return Event(
        about["id"],
        parse_time(source["@timestamp"]) if exact is None else int(exact),
        Kind(about["kind"]),
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
    _add_fields(parts, "", event.fields)
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


def bodies(
    batch: Sequence[Event],
    chosen: Iterable[int],
    layout: Layout,
    encoder: Encoder,
    max_bytes: int,
) -> Iterator[Body]:
    """Yield bulk requests for the chosen events of a batch, none larger than ``max_bytes``.

    A single event that is larger goes alone: the server will say that it is.
    """
    parts: list[bytes] = []
    events: list[int] = []
    size, index = 0, ""
    for number in chosen:
        event = batch[number]
        target = layout.index_of(event.time)
        document = _encode_json(encoder(event))
        action = _action(event.id, None if target == index else target)
        added = len(action) + len(document) + 2
        if parts and size + added > max_bytes:
            yield Body(index, b"\n".join((*parts, b"")), events)
            parts, events, size = [], [], 0
        if not parts:
            index, action = target, _action(event.id, None)
        parts += (action, document)
        events.append(number)
        size += added
    if parts:
        yield Body(index, b"\n".join((*parts, b"")), events)


def _action(event_id: str, index: str | None) -> bytes:
    about = {"_id": event_id} if index is None else {"_index": index, "_id": event_id}
    return _encode_json({"create": about})
