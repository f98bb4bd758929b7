"""The body of a push: entries of one stream as Loki takes them over HTTP. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import cramjam
import msgspec

from logweir.sinks.loki.encode import Entry
from logweir.sinks.loki.protobuf import push_request

__all__ = ["to_json", "to_protobuf"]

#: Higher levels cost much more time than they save bytes.
_JSON_LEVEL = 1

_encode_json = msgspec.json.Encoder().encode


def to_protobuf(entries: Sequence[Entry]) -> bytes:
    """The body of a push of one stream: protobuf, compressed by snappy."""
    labels = entries[0].stream.text if entries else ""
    return bytes(cramjam.snappy.compress_raw(push_request(labels, entries)))


def to_json(entries: Sequence[Entry]) -> bytes:
    """The body of a push of one stream: JSON, compressed by gzip."""
    values = [
        [str(entry.stamp), entry.line.decode(), dict(zip(entry.names, entry.values, strict=True))]
        if entry.names
        else [str(entry.stamp), entry.line.decode()]
        for entry in entries
    ]
    streams = [{"stream": dict(entries[0].stream.labels), "values": values}] if entries else []
    return bytes(cramjam.gzip.compress(_encode_json({"streams": streams}), _JSON_LEVEL))
