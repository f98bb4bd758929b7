"""Events under the names that a receiver expects: for the sinks that send them to whoever takes JSON.

``nested`` is the event's own form, with its fields in one object; ``flat`` has them beside the event's own
keys. ``ecs`` has the names of the Elastic Common Schema 8.11, ``otel`` those of OpenTelemetry's log data
model and its semantic conventions. Both have names for some fields that are logged everywhere, which
:data:`STANDARD_NAMES` lists; what has no name there stays under its own, where it meets nothing else: in the
object ``fields``, or among the ``attributes``. Nothing is left out, whatever a field is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from logweir.encoding.events import event_to_dict
from logweir.encoding.times import format_time
from logweir.event import Event

__all__ = [
    "SEVERITY",
    "STANDARD_NAMES",
    "Documents",
    "Form",
    "check_rename",
    "documents",
    "fields_of_ecs",
]

Form = Literal["nested", "flat", "ecs", "otel"]
Document = dict[str, Any]
#: Makes a document of an event; what it holds may be the event's own, so it is only to be read.
Documents = Callable[[Event], Document]

#: The keys of an event's own form, which may be renamed.
_OWN = ("id", "time", "kind", "level", "event", "service", "env", "trace_id", "span_id", "fields")
_ECS_VERSION = "8.11.0"
#: By OpenTelemetry's data model: the first number of each range.
SEVERITY = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}


class _Standard(NamedTuple):
    """The standards' names of a field, for values of one type."""

    type: type
    ecs: str
    otel: str


#: Fields that the middleware, the handlers and most applications log, with both standards' names.
STANDARD_NAMES: Mapping[str, _Standard] = {
    "http_method": _Standard(str, "http.request.method", "http.request.method"),
    "http_path": _Standard(str, "url.path", "url.path"),
    "http_status": _Standard(int, "http.response.status_code", "http.response.status_code"),
    "request_id": _Standard(str, "http.request.id", "http.request.header.x-request-id"),
    "client": _Standard(str, "client.address", "client.address"),
    "user_agent": _Standard(str, "user_agent.original", "user_agent.original"),
    "user_id": _Standard(str, "user.id", "user.id"),
    "logger": _Standard(str, "log.logger", "scope.name"),
    "exception": _Standard(str, "error.stack_trace", "exception.stacktrace"),
    "error_type": _Standard(str, "error.type", "exception.type"),
    "error": _Standard(str, "error.message", "exception.message"),
    "host": _Standard(str, "host.name", "host.name"),
    "version": _Standard(str, "service.version", "service.version"),
}


def documents(form: Form, rename: Mapping[str, str]) -> Documents:
    """Return what makes documents of this form.

    Args:
        form: Which names they have.
        rename: Other names for keys of the event's own form, as :func:`check_rename` took them.
    """
    made: dict[Form, Documents] = {
        "nested": event_to_dict,
        "flat": lambda event: _flat(event, rename),
        "ecs": _ecs,
        "otel": _otel,
    }
    if form == "nested" and rename:
        return lambda event: {rename.get(key, key): value for key, value in event_to_dict(event).items()}
    return made[form]


def check_rename(form: Form, rename: Mapping[str, str]) -> None:
    """Check that keys can be renamed so.

    Raises:
        ValueError: An event has no such key, two keys would have one name, or the names are a standard's.
    """
    if rename and form not in {"nested", "flat"}:
        raise ValueError(f"the names of {form} are a standard's; rename goes with fields: nested or flat")
    for key in rename:
        if key not in _OWN:
            raise ValueError(f"rename: an event has no key {key!r}; it has {', '.join(_OWN)}")
    names = [rename.get(key, key) for key in _OWN]
    for name in names:
        if not name or names.count(name) > 1:
            raise ValueError(f"rename: {name!r} cannot be the name of a key: each needs one of its own")


def _flat(event: Event, rename: Mapping[str, str]) -> Document:
    document = {rename.get(key, key): value for key, value in event_to_dict(event).items()}
    fields: Mapping[str, Any] = document.pop(rename.get("fields", "fields"))
    for name, value in fields.items():
        key = name
        while key in document:
            key = f"field_{key}"
        document[key] = value
    return document


def _ecs(event: Event) -> Document:
    document: Document = {
        "@timestamp": format_time(event.time),
        "ecs": {"version": _ECS_VERSION},
        "message": event.name,
        "log": {"level": event.level},
        "event": {
            "id": event.id,
            "action": event.name,
            "kind": "event",
            "dataset": f"logweir.{event.kind.value}",
        },
        "service": {"name": event.service, "environment": event.env},
    }
    if event.trace_id is not None:
        document["trace"] = {"id": event.trace_id}
    if event.span_id is not None:
        document["span"] = {"id": event.span_id}
    rest: Document = {}
    for name, value in event.fields.items():
        standard = STANDARD_NAMES.get(name)
        if standard is not None and type(value) is standard.type:
            _place(document, standard.ecs, value)
        elif name == "duration_ms" and type(value) in {int, float}:
            document["event"]["duration"] = round(value * 1_000_000)  # nanoseconds
        else:
            rest[name] = value
    if rest:
        document["fields"] = rest
    return document


def fields_of_ecs(document: Mapping[str, Any]) -> Document:
    """Return the fields of the event that a document of the form ``ecs`` was made of, in an order of its own.

    Only ``duration_ms`` is not looked for: whoever wants it back keeps it in the document's ``fields``.
    """
    fields: Document = {}
    for name, standard in STANDARD_NAMES.items():
        found: Any = document
        for part in standard.ecs.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            fields[name] = found
    fields |= document.get("fields", {})
    return fields


def _place(document: Document, path: str, value: Any) -> None:
    outer, _, last = path.rpartition(".")
    for name in outer.split("."):
        document = document.setdefault(name, {})
    document[last] = value


def _otel(event: Event) -> Document:
    attributes: Document = {"logweir.id": event.id, "logweir.kind": event.kind.value}
    document: Document = {
        "timestamp": format_time(event.time),
        "severity_text": event.level,
        "severity_number": SEVERITY.get(event.level, 0),
        "body": event.name,
        "resource": {"service.name": event.service, "deployment.environment.name": event.env},
        "attributes": attributes,
    }
    if event.trace_id is not None:
        document["trace_id"] = event.trace_id
    if event.span_id is not None:
        document["span_id"] = event.span_id
    for name, value in event.fields.items():
        standard = STANDARD_NAMES.get(name)
        fits = standard is not None and type(value) is standard.type and standard.otel not in event.fields
        key = standard.otel if standard is not None and fits else name
        while key in attributes:  # an event's own field of the name that another one was given, or of ours
            key = f"field_{key}"
        attributes[key] = value
    return document
