"""From events to the log records of OTLP. Pure.

The body is the event's name, its fields are attributes, and ``logweir.id`` and ``logweir.kind`` beside them.
Service and environment are the resource's, by OpenTelemetry's semantic conventions; the logger is the scope.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from logweir.event import Event
from logweir.sinks.shared.documents import SEVERITY

__all__ = ["ID", "KIND", "log_record", "request_of"]

#: The attributes that an event has beside its fields.
ID, KIND = "logweir.id", "logweir.kind"
SPAN_ID, TRACE_ID = "logweir.span_id", "logweir.trace_id"
_OURS = {ID, KIND, SPAN_ID, TRACE_ID}
#: The field with the flags of OpenTelemetry's span.
FLAGS = "trace_flags"
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_W3C_FLAGS = range(2**8)
_INTS = range(-(2**63), 2**63)
#: Deeper values are sent as JSON: receivers read 100 messages one inside the other, and a level takes three.
_DEEPEST = 24
_LEVEL = 6
_SCOPE = "logweir"


def request_of(
    records: Sequence[tuple[Event, LogRecord]], resource: Mapping[str, Any], *, compressed: bool
) -> bytes:
    """Return the body of the request that carries these records.

    Args:
        records: Each with its event.
        resource: Attributes of the resource beside those of the event.
        compressed: Whether by gzip.
    """
    request = ExportLogsServiceRequest()
    resources: dict[tuple[str, str], Any] = {}
    scopes: dict[tuple[str, str, str], Any] = {}
    for event, record in records:
        of = event.service, event.env
        if of not in resources:
            resources[of] = request.resource_logs.add()
            named = {"service.name": event.service, "deployment.environment.name": event.env}
            _add_attributes(resources[of].resource.attributes, {**named, **resource})
        logger = event.fields.get("logger")
        scope = logger if type(logger) is str and logger else _SCOPE
        if (*of, scope) not in scopes:
            scopes[*of, scope] = resources[of].scope_logs.add()
            scopes[*of, scope].scope.name = scope
        scopes[*of, scope].log_records.append(record)
    body = request.SerializeToString()
    return gzip.compress(body, _LEVEL) if compressed else body


def log_record(event: Event) -> LogRecord:
    """Return the record of an event.

    Raises:
        ValueError: A text cannot be written in UTF-8, or a number is too large.
        TypeError: A field is not of JSON's types.
    """
    record = LogRecord(
        time_unix_nano=max(event.time, 0),
        observed_time_unix_nano=max(event.time, 0),
        severity_number=SEVERITY.get(event.level, 0),  # type: ignore[arg-type]
        severity_text=event.level,
    )
    record.body.string_value = event.name
    attributes = {**event.fields}
    for ours in _OURS & attributes.keys():  # a field of the caller's that has such a name
        attributes[f"{ours}#2"] = attributes.pop(ours)
    attributes[ID], attributes[KIND] = event.id, str(event.kind)
    trace_id = _bytes_of(event.trace_id, _TRACE_BYTES)
    span_id = _bytes_of(event.span_id, _SPAN_BYTES)
    # The standard's ids have one length; others, such as an application's own, are attributes.
    if trace_id is not None:
        record.trace_id = trace_id
        flags = attributes.get(FLAGS)
        if type(flags) is int and flags in _W3C_FLAGS:
            record.flags = attributes.pop(FLAGS)
    elif event.trace_id is not None:
        attributes[TRACE_ID] = event.trace_id
    if span_id is not None:
        record.span_id = span_id
    elif event.span_id is not None:
        attributes[SPAN_ID] = event.span_id
    _add_attributes(record.attributes, attributes)
    return record


def _bytes_of(text: str | None, length: int) -> bytes | None:
    try:
        found = bytes.fromhex(text or "")
    except ValueError:
        return None
    return found if len(found) == length and found.hex() == text else None


def _add_attributes(attributes: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        attribute = attributes.add()
        attribute.key = name
        _fill(attribute.value, value, 0)


def _fill(target: AnyValue, value: Any, depth: int) -> None:
    """Write a value of JSON's types; None is an empty one."""
    kind = type(value)
    if kind is str:
        target.string_value = value
    elif kind is bool:
        target.bool_value = value
    elif kind is int and value in _INTS:
        target.int_value = value
    elif kind is int:
        target.string_value = str(value)
    elif kind is float:
        target.double_value = value
    elif value is not None:
        _fill_container(target, value, depth + 1)


def _fill_container(target: AnyValue, value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        target.string_value = msgspec.json.encode(value).decode()
    elif type(value) is dict:
        target.kvlist_value.SetInParent()
        for name, inner in value.items():
            entry = target.kvlist_value.values.add()
            entry.key = name
            _fill(entry.value, inner, depth)
    elif type(value) is list:
        target.array_value.SetInParent()
        for inner in value:
            _fill(target.array_value.values.add(), inner, depth)
    else:
        raise TypeError(f"{type(value).__qualname__} is no type of JSON")
