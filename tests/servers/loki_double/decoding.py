"""The body of a push, as bytes, to streams of entries. Source: Loki docs, HTTP API > Ingest logs."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import Any

import cramjam
import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from servers.loki_double.labels import Labels, parse_labels

_NANOS = 10**9
_GZIP_MAGIC = b"\x1f\x8b"
_decode_json = msgspec.json.Decoder().decode


class Undecodable(ValueError):
    """The body is not one of a push; the text is the answer's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line at a time in nanoseconds, with its structured metadata, sorted."""

    stamp: int
    line: str
    metadata: Labels = ()

    @property
    def line_size(self) -> int:
        """Bytes of the line."""
        return len(self.line.encode())

    @property
    def metadata_size(self) -> int:
        """Bytes of names and values of the structured metadata."""
        return sum(len(name.encode()) + len(value.encode()) for name, value in self.metadata)


@dataclass(frozen=True, slots=True)
class Stream:
    """Entries of one set of labels, in the order in which they were sent."""

    labels: Labels
    entries: list[Entry] = field(default_factory=list)


def decoded(body: bytes, content_type: str) -> list[Stream]:
    """The streams of a push.

    Raises:
        Undecodable: The body is neither of the two forms, or malformed.
    """
    if content_type.startswith("application/json"):
        return _from_json(gzip.decompress(body) if body.startswith(_GZIP_MAGIC) else body)
    if content_type.startswith("application/x-protobuf"):
        return _from_protobuf(body)
    raise Undecodable(f"Content-Type: {content_type!r} is not supported")


def _from_json(body: bytes) -> list[Stream]:
    try:
        streams = _decode_json(body)["streams"]
        return [
            Stream(_texts(stream["stream"]), [_entry(*value) for value in stream["values"]])
            for stream in streams
        ]
    except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
        raise Undecodable(f"couldn't parse push request: {error}") from None


def _entry(stamp: str, line: str, metadata: Any = None) -> Entry:
    if not isinstance(stamp, str) or not isinstance(line, str):
        raise TypeError("a value is a list of a time and a line, both text")
    return Entry(int(stamp), line, _texts(metadata or {}))


def _texts(pairs: Any) -> Labels:
    if not all(isinstance(value, str) for value in pairs.values()):
        raise TypeError("labels and structured metadata are text")
    return tuple(sorted(pairs.items()))


def _from_protobuf(body: bytes) -> list[Stream]:
    try:
        request = _PUSH_REQUEST.FromString(bytes(cramjam.snappy.decompress_raw(body)))
    except (DecodeError, cramjam.DecompressionError) as error:
        raise Undecodable(f"couldn't parse push request: {error}") from None
    return [
        Stream(
            parse_labels(stream.labels),
            [
                Entry(
                    entry.timestamp.seconds * _NANOS + entry.timestamp.nanos,
                    entry.line,
                    tuple(sorted((pair.name, pair.value) for pair in entry.structuredMetadata)),
                )
                for entry in stream.entries
            ],
        )
        for stream in request.streams
    ]


def _push_request() -> Any:
    """The message class of ``logproto.PushRequest``, by the field numbers that the HTTP API publishes."""
    types = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="loki_double.proto", package="loki_double", syntax="proto3"
    )
    messages: dict[str, list[tuple[str, int, Any, str, bool]]] = {
        "Time": [("seconds", 1, types.TYPE_INT64, "", False), ("nanos", 2, types.TYPE_INT32, "", False)],
        "Pair": [("name", 1, types.TYPE_STRING, "", False), ("value", 2, types.TYPE_STRING, "", False)],
        "Entry": [
            ("timestamp", 1, types.TYPE_MESSAGE, "Time", False),
            ("line", 2, types.TYPE_STRING, "", False),
            ("structuredMetadata", 3, types.TYPE_MESSAGE, "Pair", True),
        ],
        "Stream": [
            ("labels", 1, types.TYPE_STRING, "", False),
            ("entries", 2, types.TYPE_MESSAGE, "Entry", True),
        ],
        "PushRequest": [("streams", 1, types.TYPE_MESSAGE, "Stream", True)],
    }
    for name, members in messages.items():
        message = file.message_type.add(name=name)
        for member, number, kind, inner, repeated in members:
            label = types.LABEL_REPEATED if repeated else types.LABEL_OPTIONAL
            message.field.add(
                name=member,
                number=number,
                type=kind,
                label=label,
                **({"type_name": f".loki_double.{inner}"} if inner else {}),
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("loki_double.PushRequest"))


_PUSH_REQUEST = _push_request()
