"""Between events and documents. Pure; a document read back gives the identical event.

::

    {_id: "0199…", time: ISODate(…), ns: 456789, kind: "tracing", level: "info", name: "order.placed",
     service: "shop", env: "prod", trace_id: "4bf9…", span_id: "00f0…", fields: {…}}

A BSON date has milliseconds; ``ns`` holds what is below them. Field names with dots and dollars, and
empty ones, are kept as they are. What BSON or the server cannot hold (a NUL in a field's name, nesting
without end, names that an old server refuses) is *guarded*: ``fields_json`` then holds the fields
exactly, as JSON, and ``fields`` their nearest storable form, to search by.
"""

from __future__ import annotations

from typing import Any

import bson
import msgspec
from bson import CodecOptions, DatetimeMS, DBRef, Int64
from bson.codec_options import DatetimeConversion
from bson.raw_bson import RawBSONDocument

from logweir.event import Event, Kind
from logweir.sinks.shared.stored_event import stored_event

__all__ = ["GUARDED", "TEXT", "Document", "document_of", "event_of", "guarded_document_of", "text_of"]

Document = dict[str, Any]

#: The key under which a guarded document holds its fields exactly.
GUARDED = "fields_json"
#: The key of the text that the server searches in.
TEXT = "text"

_MILLION = 1_000_000
_DEEPEST = 90  # MongoDB's limit is 100 levels
_INT64 = range(-(2**63), 2**63)
_UNSTORABLE = str.maketrans({"\0": "\ufffd", ".": "\uff0e", "$": "\uff04"})

_PLAIN = frozenset({str, int, float, bool})
_KINDS = {kind: kind.value for kind in Kind}
_encode_json = msgspec.json.Encoder().encode
_OPTIONS: CodecOptions[Document] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
_RAW_OPTIONS = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)


def document_of(event: Event, expire_at: int | None = None, *, with_text: bool = False) -> Document:
    """Return the document of an event.

    Args:
        event: The event.
        expire_at: When the server may delete it, in milliseconds since 1970-01-01 UTC.
        with_text: Whether it holds the text to search in.
    """
    milliseconds, below = divmod(event.time, _MILLION)
    document: Document = {
        "_id": event.id,
        "time": DatetimeMS(milliseconds),
        "ns": below,
        "kind": _KINDS[event.kind],
        "level": event.level,
        "name": event.name,
        "service": event.service,
        "env": event.env,
    }
    if event.trace_id is not None:
        document["trace_id"] = event.trace_id
    if event.span_id is not None:
        document["span_id"] = event.span_id
    if expire_at is not None:
        document["expire_at"] = DatetimeMS(expire_at)
    document["fields"] = event.fields
    if with_text:
        document[TEXT] = text_of(event)
    return document


def guarded_document_of(event: Event, expire_at: int | None = None, *, with_text: bool = False) -> Document:
    """Return a document that any server takes, whatever the names of the fields.

    Raises:
        TypeError: A field is not of JSON's types.
        ValueError: A text cannot be written in UTF-8.
    """
    document = document_of(event, expire_at, with_text=with_text)
    document["fields"] = _storable(event.fields, 1)
    document[GUARDED] = _encode_json(event.fields).decode()
    return document


def event_of(document: bytes) -> Event:
    """Return the event of a document as the server sent it.

    Raises:
        ValueError: It is none; the text says what is wrong with it.
    """
    found = bson.decode(document, _OPTIONS)
    try:
        guarded = found.get(GUARDED)
        return stored_event(
            found["_id"],
            int(found["time"]) * _MILLION + found["ns"],
            found["kind"],
            found["level"],
            found["name"],
            found["service"],
            found["env"],
            found.get("trace_id"),
            found.get("span_id"),
            _fields_of(document, found) if guarded is None else msgspec.json.decode(guarded),
        )
    except KeyError as error:
        raise ValueError(f"it has no {error}") from None
    except TypeError as error:
        raise ValueError(str(error)) from None


def text_of(event: Event) -> str:
    """Return the text in which an event is searched for: its name, and its fields as JSON.

    Raises:
        TypeError: A field is not of JSON's types.
        ValueError: A text cannot be written in UTF-8.
    """
    return f"{event.name}\n{_encode_json(event.fields).decode()}"


def _fields_of(document: bytes, found: Document) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = _plain(found["fields"])
    except _ReferenceFound:
        # The driver takes fields named $ref and $id for a reference, those of the event itself too; read raw,
        # they are fields.
        fields = _plain(RawBSONDocument(document, _RAW_OPTIONS)["fields"])
    return fields


class _ReferenceFound(Exception):
    """The driver made one of its own objects of the fields."""


def _plain(value: Any) -> Any:
    """The value in JSON's own types."""
    kind = type(value)
    if kind is dict or kind is RawBSONDocument:
        return {name: _plain(item) for name, item in value.items()}
    if kind is list:
        return [_plain(item) for item in value]
    if kind is Int64:
        return int(value)
    if kind in _PLAIN or value is None:
        return value
    if kind is DBRef:
        raise _ReferenceFound
    raise ValueError(f"its fields hold a {kind.__name__}, which JSON has not")


def _storable(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        if depth >= _DEEPEST:
            return _encode_json(value).decode()
        return {_storable_name(name): _storable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        if depth >= _DEEPEST:
            return _encode_json(value).decode()
        return [_storable(item, depth + 1) for item in value]
    if type(value) is int and value not in _INT64:
        return float(value)
    return value


def _storable_name(name: str) -> str:
    return name.translate(_UNSTORABLE) or "\ufffd"
