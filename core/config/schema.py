"""The JSON Schema of routing.yaml, for editors: completion, descriptions and red underlines as one types."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from logweir.config.models import RoutingConfig
from logweir.sinks.contract import SinkConfig

__all__ = ["json_schema"]

_REFERENCES = "#/$defs/{model}"
_ANNOTATIONS = ("title", "description", "default", "examples")
_VARIABLE = {
    "type": "string",
    "pattern": r"\$\{.+\}",
    "description": "A variable: ${NAME} or ${NAME:-default}.",
}


def json_schema(types: Iterable[str], resolve: Callable[[str], Any]) -> dict[str, Any]:
    """Return the schema of the whole file, with the options of each known sink type.

    Where a number, a switch or one of a few words is wanted, a variable may stand in for it.

    Args:
        types: The names of the sink types to describe; other names are allowed with any option.
        resolve: Finds the class of a sink type.
    """
    names = sorted(types)
    models = {name: resolve(name).Config for name in names}
    references, shared = models_json_schema(
        [(model, "validation") for model in dict.fromkeys([RoutingConfig, SinkConfig, *models.values()])],
        by_alias=True,
        ref_template=_REFERENCES,
    )
    definitions: dict[str, Any] = shared["$defs"]
    keys = {model: reference["$ref"].rpartition("/")[2] for (model, _), reference in references.items()}
    variants = [_variant(name, definitions[keys[model]]) for name, model in models.items()]
    schema = definitions[keys[RoutingConfig]]
    for key in keys.values():
        del definitions[key]
    other = {
        "title": "A sink of your own",
        "type": "object",
        "properties": {"type": {"type": "string", "not": {"enum": names}}},
        "required": ["type"],
    }
    schema["properties"]["sinks"]["additionalProperties"] = {"oneOf": [*variants, other]}
    schema = _with_variables({**schema, "$defs": definitions})
    schema["$defs"]["Variable"] = _VARIABLE
    schema["required"] = ["sinks"]
    schema["anyOf"] = [{"required": ["routes"]}, {"required": ["strategy"]}]
    schema.pop("title")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "logweir routing.yaml",
        **schema,
    }


def _variant(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """The schema of one sink type; several types may share a model."""
    return {
        **definition,
        "title": f"Sink {name}",
        "properties": {
            **definition["properties"],
            "type": {"const": name, "description": "Which sink this is."},
        },
        "required": sorted({*definition.get("required", ()), "type"}),
    }


def _with_variables(schema: Any) -> Any:
    """Let a variable stand in wherever a schema wants a number, a switch or one of a few words."""
    if isinstance(schema, list):
        return [_with_variables(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in {"integer", "number", "boolean"} or isinstance(schema.get("enum"), list):
        about = {key: schema[key] for key in _ANNOTATIONS if key in schema}
        rule = {key: value for key, value in schema.items() if key not in about}
        return {**about, "anyOf": [rule, {"$ref": _REFERENCES.format(model="Variable")}]}
    return {key: _with_variables_in(key, value) for key, value in schema.items()}


def _with_variables_in(keyword: str, value: Any) -> Any:
    if keyword in {"properties", "$defs"}:
        return {name: _with_variables(part) for name, part in value.items()}
    return value if keyword in {"default", "examples", "const", "not"} else _with_variables(value)
