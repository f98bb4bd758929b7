"""The body of a push: entries of one stream as Loki takes them over HTTP. Pure.

Entries may be encoded part by part; the body is made of the parts in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import cramjam
import msgspec

from logweir.sinks.loki.encode import Entry
from logweir.sinks.loki.protobuf import push_request

__all__ = ["json_body", "json_part", "protobuf_body"]

#: Higher levels cost much more time than they save bytes.
_JSON_LEVEL = 1

_encode_json = msgspec.json.Encoder().encode


def protobuf_body(entries: Sequence[Entry], parts: Sequence[bytes]) -> bytes:
    """The body of a push of one stream: protobuf, compressed by snappy.

    Args:
        entries: The entries.
        parts: The same, as :func:`~logweir.sinks.loki.protobuf.stream_part` makes them.
    """
    request = push_request(entries[0].stream.text, parts) if entries else b""
    return bytes(cramjam.snappy.compress_raw(request))


def json_part(entries: Sequence[Entry]) -> list[Any]:
    """Some entries of a stream, as :func:`json_body` takes them."""
    return [
        [str(entry.stamp), entry.line.decode(), dict(zip(entry.names, entry.values, strict=True))]
        if entry.names
        else [str(entry.stamp), entry.line.decode()]
        for entry in entries
    ]


def json_body(entries: Sequence[Entry], parts: Sequence[list[Any]]) -> bytes:
    """The body of a push of one stream: JSON, compressed by gzip.

    Args:
        entries: The entries.
        parts: The same, as :func:`json_part` makes them.
    """
    values = list(chain.from_iterable(parts))
    streams = [{"stream": dict(entries[0].stream.labels), "values": values}] if entries else []
    return bytes(cramjam.gzip.compress(_encode_json({"streams": streams}), _JSON_LEVEL))
