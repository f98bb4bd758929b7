"""Loki's push request in protobuf (``logproto.PushRequest``), its descriptor built here.

Wire compatible, with two liberties that save time: a line is ``bytes``, which is what we have, and the
timestamp is a message of our own with the fields of the well-known one.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

__all__ = ["PushRequest"]

_PACKAGE = "logweir.loki"

#: Each message: its fields as (name, number, type), a type being one of protobuf's or a message above.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "Timestamp": (("seconds", 1, "int64"), ("nanos", 2, "int32")),
    "LabelPair": (("name", 1, "string"), ("value", 2, "string")),
    "Entry": (("timestamp", 1, "Timestamp"), ("line", 2, "bytes"), ("structuredMetadata", 3, "LabelPair*")),
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


def _push_request() -> Any:
    file = FileDescriptorProto(name="logweir/loki.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        file.message_type.add(name=name).field.extend(_field(*field) for field in fields)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.PushRequest"))


#: The message class; generated, so that its attributes are known at run time only.
PushRequest: Any = _push_request()
