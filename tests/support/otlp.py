"""A receiver of OTLP on loopback, which keeps events by id, and misbehaves when a test asks for it."""

import gzip
from typing import Any

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from logweir.event import Event, Kind
from logweir.sinks.otlp.encode import ID, KIND, SPAN_ID, TRACE_ID
from support.webhook import Received, Reply, Webhook

PROTOBUF = {"Content-Type": "application/x-protobuf"}


def request_in(body: bytes, *, compressed: bool = True) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest.FromString(gzip.decompress(body) if compressed else body)


def events_in(request: ExportLogsServiceRequest) -> list[Event]:
    """The events of a request, as they were before they became log records."""
    return [
        _event(record, _mapping(of.resource.attributes))
        for of in request.resource_logs
        for scope in of.scope_logs
        for record in scope.log_records
    ]


def partial(refused: int, reason: str = "too old") -> Reply:
    """The answer that some records were refused, and not which."""
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = refused
    response.partial_success.error_message = reason
    return Reply(200, PROTOBUF, response.SerializeToString())


class Receiver(Webhook):
    """The server; ``behaviour`` answers a request, or leaves it to the server by None."""

    def _store(self, request: Received) -> Reply:
        assert request.headers["content-type"] == "application/x-protobuf"
        assert request.path.endswith("/v1/logs")
        compressed = request.headers.get("content-encoding") == "gzip"
        for event in events_in(request_in(request.body, compressed=compressed)):
            self.stored[event.id] = event
        return Reply(200, PROTOBUF)


def _event(record: Any, resource: dict[str, Any]) -> Event:
    attributes = _mapping(record.attributes)
    return Event(
        attributes.pop(ID),
        record.time_unix_nano,
        Kind(attributes.pop(KIND)),
        record.severity_text,
        record.body.string_value,
        resource["service.name"],
        resource["deployment.environment.name"],
        record.trace_id.hex() or attributes.pop(TRACE_ID, None),
        record.span_id.hex() or attributes.pop(SPAN_ID, None),
        attributes,
    )


def _mapping(attributes: Any) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: Any) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "kvlist_value":
            return _mapping(value.kvlist_value.values)
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case kind:
            return getattr(value, kind)


def same(event: Event) -> Event:
    """The event without its estimated size, which is not sent."""
    return msgspec.structs.replace(event, size=0)
