"""Documents that hold many events: a CloudTrail file, an ``EventList``, an export of OpenTelemetry. Pure."""

from __future__ import annotations

from typing import Any

from logweir.integrations.line_formats.table import Preset

__all__ = ["records_of"]

#: What may stand beside the list; with anything else the document is an event of its own.
_ENVELOPE = frozenset({"apiVersion", "kind", "metadata"})
_OTLP = frozenset({"resourceLogs"})
_OTLP_NUMBERS = {"intValue": int, "doubleValue": float}


def records_of(fields: dict[str, Any], preset: Preset) -> list[dict[str, Any]] | None:
    """The events in a document; None if it is one event itself."""
    if preset.name == "otlp":
        if fields.keys() == _OTLP:
            return _otlp_records(fields["resourceLogs"])
        return [_otlp_record(fields, {}, {})] if type(fields.get("body")) is dict else None
    for name in preset.records:
        found = fields.get(name)
        if type(found) is list and fields.keys() <= _ENVELOPE | {name}:
            return [record if type(record) is dict else {"record": record} for record in found]
    return None


def _otlp_records(resources: Any) -> list[dict[str, Any]] | None:
    """The records of an export; None if it has another form, of which something would be lost."""
    try:
        records = [
            _otlp_record(record, _part(resource, "resource"), _part(scope, "scope"))
            for resource in _objects(resources)
            for scope in _objects(resource.get("scopeLogs", []))
            for record in _objects(scope.get("logRecords", []))
        ]
    except ValueError:
        return None
    return records if records or not resources else None


def _objects(value: Any) -> list[dict[str, Any]]:
    if type(value) is not list or any(type(item) is not dict for item in value):
        raise ValueError("no list of objects")
    return value


def _part(owner: dict[str, Any], name: str) -> dict[str, Any]:
    """What a resource or a scope says about its records."""
    part = owner.get(name)
    if type(part) is not dict:
        return {}
    said = {key: value for key, value in part.items() if key != "attributes"} | _attributes(part)
    return {name: said} if said else {}


def _otlp_record(record: dict[str, Any], resource: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record: its attributes by their names, behind what the record itself has."""
    fields = {key: value for key, value in record.items() if key != "attributes"}
    if "body" in fields:
        fields["body"] = _value(fields["body"])
    for part in (resource, scope):
        for name, said in part.items():
            fields.setdefault(name, said)
    for name, value in _attributes(record).items():
        if name in fields:
            fields.setdefault("attributes", {})[name] = value
        else:
            fields[name] = value
    return fields


def _attributes(owner: dict[str, Any]) -> dict[str, Any]:
    listed = owner.get("attributes")
    if type(listed) is dict:  # of other encodings
        return listed
    try:
        found = {item["key"]: _value(item.get("value")) for item in _objects(listed)}
    except (ValueError, KeyError, TypeError):
        return {} if listed is None else {"attributes": listed}
    if len(found) == len(listed) and all(type(name) is str for name in found):  # type: ignore[arg-type]
        return found
    return {"attributes": listed}


def _value(value: Any) -> Any:
    """A value of OpenTelemetry's ``AnyValue`` as JSON has it; what is none stays as it is."""
    if type(value) is not dict or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind in {"stringValue", "boolValue", "bytesValue"}:
        return inner
    if kind in _OTLP_NUMBERS:
        try:
            return _OTLP_NUMBERS[kind](inner)
        except (TypeError, ValueError, OverflowError):
            return inner
    values = inner.get("values", []) if type(inner) is dict else None
    if kind == "arrayValue" and type(values) is list:
        return [_value(item) for item in values]
    if kind == "kvlistValue" and type(values) is list:
        return _attributes({"attributes": values})
    return value
