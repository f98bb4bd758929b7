"""The body of a push: JSON, plain or compressed, or protobuf compressed by snappy.

Source of the forms: Loki docs, HTTP API > Ingest logs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cramjam
import msgspec
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from servers.loki_double.entries import Entry, RawStream
from servers.loki_double.labels import format_raw

_NANOS = 10**9
_STAMPS = range(-(2**63), 2**63)


class MalformedPush(Exception):
    """The body is not one of a push."""


class _JsonStream(msgspec.Struct):
    stream: dict[str, str]
    values: list[list[str | dict[str, str]]]


class _JsonPush(msgspec.Struct):
    streams: list[_JsonStream]


_decode_json = msgspec.json.Decoder(_JsonPush).decode


def decode(body: bytes, headers: Mapping[str, str]) -> list[RawStream]:
    """The streams of a push.

    Raises:
        MalformedPush: It cannot be read.
    """
    kind = headers.get("Content-Type", "").split(";")[0].strip().lower()
    coding = headers.get("Content-Encoding", "").strip().lower()
    if kind == "application/json":
        return _from_json(_uncompressed(body, coding))
    if coding not in {"", "snappy"}:
        raise MalformedPush(f'Content-Encoding "{coding}" not supported')
    return _from_protobuf(_uncompressed(body, "snappy"))


def _uncompressed(body: bytes, coding: str) -> bytes:
    # Loki docs, HTTP API > Ingest logs: gzip for JSON by Content-Encoding, snappy for protobuf.
    decompress = {"gzip": cramjam.gzip.decompress, "snappy": cramjam.snappy.decompress_raw}.get(coding)
    if coding == "":
        return body
    if decompress is None:
        raise MalformedPush(f'Content-Encoding "{coding}" not supported')
    try:
        return bytes(decompress(body))
    except cramjam.DecompressionError:
        raise MalformedPush(f"{coding}: corrupt input") from None


def _from_json(body: bytes) -> list[RawStream]:
    try:
        push = _decode_json(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedPush(f"loghttp.PushRequest: {error}") from None
    return [
        RawStream(format_raw(stream.stream), [_json_entry(value) for value in stream.values])
        for stream in push.streams
    ]


def _json_entry(value: Sequence[str | dict[str, str]]) -> Entry:
    match value:
        case [str() as stamp, str() as line]:
            return Entry(_json_stamp(stamp), line)
        case [str() as stamp, str() as line, dict() as metadata]:
            return Entry(_json_stamp(stamp), line, tuple(sorted(metadata.items())))
    raise MalformedPush("loghttp.PushRequest: a value is [time, line] or [time, line, structured metadata]")


def _json_stamp(text: str) -> int:
    if not text.removeprefix("-").isdecimal() or int(text) not in _STAMPS:
        raise MalformedPush(f"loghttp.PushRequest: {text[:40]!r} is no time in nanoseconds")
    return int(text)


# -- protobuf ---------------------------------------------------------------------------------------------

_STRING, _MESSAGE = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_MESSAGE
#: The messages of logproto that a push is made of: name, number, type, message, repeated.
_MESSAGES: dict[str, list[tuple[str, int, int, str, bool]]] = {
    "Time": [
        ("seconds", 1, FieldDescriptorProto.TYPE_INT64, "", False),
        ("nanos", 2, FieldDescriptorProto.TYPE_INT32, "", False),
    ],
    "LabelPairAdapter": [("name", 1, _STRING, "", False), ("value", 2, _STRING, "", False)],
    "EntryAdapter": [
        ("timestamp", 1, _MESSAGE, "Time", False),
        ("line", 2, _STRING, "", False),
        ("structuredMetadata", 3, _MESSAGE, "LabelPairAdapter", True),
    ],
    "StreamAdapter": [("labels", 1, _STRING, "", False), ("entries", 2, _MESSAGE, "EntryAdapter", True)],
    "PushRequest": [("streams", 1, _MESSAGE, "StreamAdapter", True)],
}


def _push_request() -> Any:
    """The class of the message; generated, so that its attributes are known at run time only."""
    file = FileDescriptorProto(name="servers/loki_double.proto", package="servers.logproto", syntax="proto3")
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for member, number, kind, of, repeated in members:
            made = message.field.add(name=member, number=number)
            made.type = FieldDescriptorProto.Type.ValueType(kind)
            made.label = (
                FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
            )
            if of:
                made.type_name = f".servers.logproto.{of}"
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("servers.logproto.PushRequest"))


PushRequest = _push_request()


def _from_protobuf(body: bytes) -> list[RawStream]:
    try:
        push = PushRequest.FromString(body)
    except DecodeError:
        raise MalformedPush("proto: illegal wireType or truncated message") from None
    return [
        RawStream(stream.labels, [_protobuf_entry(entry) for entry in stream.entries])
        for stream in push.streams
    ]


def _protobuf_entry(entry: Any) -> Entry:
    stamp = entry.timestamp.seconds * _NANOS + entry.timestamp.nanos
    if stamp not in _STAMPS or not 0 <= entry.timestamp.nanos < _NANOS:
        raise MalformedPush("proto: a timestamp is out of range")
    pairs = entry.structuredMetadata
    return Entry(stamp, entry.line, tuple(sorted((pair.name, pair.value) for pair in pairs)) if pairs else ())
