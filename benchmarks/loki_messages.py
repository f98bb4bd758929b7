"""Loki's push request (``logproto.PushRequest``) by the protobuf library; the sink's is measured beside it.

Wire compatible, with liberties that save time: a line is ``bytes``, which is what we have, the timestamp is
a message of our own with the fields of the well-known one, and a pair of structured metadata is the ``bytes``
of its message, which :func:`label_pair` makes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

__all__ = ["LabelPair", "PushRequest", "label_pair"]

_PACKAGE = "logweir.loki"

#: Each message: its fields as (name, number, type), a type being one of protobuf's or a message above.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "Timestamp": (("seconds", 1, "int64"), ("nanos", 2, "int32")),
    "LabelPair": (("name", 1, "string"), ("value", 2, "string")),
    "Entry": (("timestamp", 1, "Timestamp"), ("line", 2, "bytes"), ("structuredMetadata", 3, "bytes*")),
    "Stream": (("labels", 1, "string"), ("entries", 2, "Entry*")),
    "PushRequest": (("streams", 1, "Stream*"),),
}


def _field(name: str, number: int, kind: str) -> FieldDescriptorProto:
    field = FieldDescriptorProto(name=name, number=number)
    repeated = kind.endswith("*")
    field.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    kind = kind.removesuffix("*")
    if kind in _MESSAGES:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    return field


def _messages() -> dict[str, Any]:
    file = FileDescriptorProto(name="logweir/loki.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        file.message_type.add(name=name).field.extend(_field(*field) for field in fields)
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


_classes = _messages()
#: The message classes; generated, so that their attributes are known at run time only.
PushRequest: Any = _classes["PushRequest"]
LabelPair: Any = _classes["LabelPair"]


def label_pair(name: str, value: str) -> bytes:
    """The message of a pair.

    A short value is put behind what all pairs of the name begin with: key, name and key, and its length.
    """
    text = value.encode()
    if len(text) < _LONG:
        return _beginning(name) + _LENGTHS[len(text)] + text
    return bytes(LabelPair(name=name, value=value).SerializeToString())


#: From here on a length takes more than one byte.
_LONG = 128
_LENGTHS = [bytes((length,)) for length in range(_LONG)]
_VALUE_KEY = b"\x12"


@lru_cache(maxsize=256)
def _beginning(name: str) -> bytes:
    return bytes(LabelPair(name=name).SerializeToString()) + _VALUE_KEY
