"""The JSON Schema of routing.yaml, for editors: completion, descriptions and red underlines as one types."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from logweir.config.models import RoutingConfig
from logweir.sinks import registry
from logweir.sinks.contract import SinkConfig

__all__ = ["json_schema"]

_REFERENCES = "#/$defs/{model}"
_ANNOTATIONS = ("title", "description", "default", "examples")
# JSON Schema ignores no case.
_TRUE = "1|[Tt]([Rr][Uu][Ee])?|[Yy]([Ee][Ss])?|[Oo][Nn]"
_FALSE = "0|[Ff]([Aa][Ll][Ss][Ee])?|[Nn][Oo]?|[Oo][Ff][Ff]"
#: What may stand for a number, a switch and the like in a file, and becomes one when it is read.
_STAND_INS: dict[str, dict[str, Any]] = {
    "Variable": {
        "type": "string",
        "pattern": r"\$\{[^{}]+\}",
        "description": "A variable: ${NAME}, ${NAME:-default} or ${file:path}.",
    },
    "QuotedNumber": {
        "type": "string",
        "pattern": r"^\s*[-+]?[0-9][0-9_]*(\.[0-9]+)?\s*$",
        "description": "A number in quotes.",
    },
    # Editors read YAML 1.2, in which yes and on are texts.
    "WordOfSwitch": {
        "anyOf": [
            {
                "type": "string",
                "pattern": f"^({_TRUE}|{_FALSE})$",
            },
            {"type": "integer", "minimum": 0, "maximum": 1},
        ],
        "description": "Another word for true or false.",
    },
}
_MAY_STAND_FOR = {
    "integer": ("QuotedNumber", "Variable"),
    "number": ("QuotedNumber", "Variable"),
    "boolean": ("WordOfSwitch", "Variable"),
    "null": ("Variable",),
}
#: The shortest variable, ${A}; what a text must be beyond that says nothing about one.
_SHORTEST = 4
#: What pydantic leaves beside an alternative of numbers, by its name in JSON Schema.
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def json_schema(
    types: Iterable[str], options_of: Callable[[str], type[SinkConfig]] = registry.options_of
) -> dict[str, Any]:
    """Return the schema of the whole file, with the options of each known sink type.

    What the loader takes the schema takes: where a number, a switch or one of a few words is wanted, a
    variable may stand in for it, or the same in quotes.

    Args:
        types: The names of the sink types to describe; other names are allowed with any option.
        options_of: Finds the options of a sink type.
    """
    names = sorted(types)
    models = {name: options_of(name) for name in names}
    wanted: list[type[BaseModel]] = [RoutingConfig, SinkConfig, *models.values()]
    references, shared = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(wanted)],
        by_alias=True,
        ref_template=_REFERENCES,
    )
    definitions: dict[str, Any] = {name: _with_stand_ins(each) for name, each in shared["$defs"].items()}
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
    _let_a_strategy_bring_routes(schema)
    schema.pop("title")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "logweir routing.yaml",
        **schema,
        "$defs": {**definitions, **_STAND_INS},
    }


def _let_a_strategy_bring_routes(schema: dict[str, Any]) -> None:
    """Require routes, or a strategy; with a strategy ``routes:`` and ``classify:`` may be empty."""
    by_itself = {"routes": {"type": "array", "minItems": 1}, "classify": {"type": "array"}}
    for key in by_itself:
        rule = schema["properties"][key]
        written = {"type": rule.pop("type"), "items": rule.pop("items")}
        rule.pop("minItems", None)
        rule["anyOf"] = [written, {"type": "null"}]
    schema["required"] = ["sinks"]
    schema["anyOf"] = [
        {"required": ["routes"], "properties": by_itself},
        {"required": ["strategy"], "properties": {"strategy": {"type": "string"}}},
    ]


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


def _with_stand_ins(schema: Any) -> Any:
    """Let variables, and numbers and switches in quotes, stand in wherever the loader takes them."""
    if isinstance(schema, list):
        return [_with_stand_ins(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _with_stand_ins_in(key, value) for key, value in _bounded(schema).items()}
    if "anyOf" in schema:
        schema["anyOf"] = _alternatives(schema["anyOf"])
    names = _stand_ins(schema)
    if not names:
        return schema
    about = {key: schema[key] for key in _ANNOTATIONS if key in schema}
    rule = {key: value for key, value in schema.items() if key not in about}
    return {**about, "anyOf": [rule, *(_reference(name) for name in names)]}


def _alternatives(branches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each alternative once, side by side; a pattern for numbers stands for them in quotes."""
    found: list[dict[str, Any]] = []
    for branch in branches:
        found += branch["anyOf"] if branch.keys() == {"anyOf"} else [branch]
    if any("pattern" in each for each in found):
        found = [each for each in found if each != _reference("QuotedNumber")]
    return [each for index, each in enumerate(found) if each not in found[:index]]


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": _REFERENCES.format(model=name)}


def _with_stand_ins_in(keyword: str, value: Any) -> Any:
    if keyword in {"properties", "$defs"}:
        return {name: _with_stand_ins(part) for name, part in value.items()}
    return value if keyword in {"default", "examples", "const", "enum", "not"} else _with_stand_ins(value)


def _stand_ins(rule: dict[str, Any]) -> tuple[str, ...]:
    """The names of what may stand for a value of this rule."""
    if "enum" in rule or "const" in rule:
        return ("Variable",)
    is_narrow = rule.keys() & {"pattern", "maxLength"} or rule.get("minLength", 0) > _SHORTEST
    if rule.get("type") == "string" and is_narrow:
        return ("Variable",)
    return _MAY_STAND_FOR.get(rule["type"], ()) if isinstance(rule.get("type"), str) else ()


def _bounded(rule: dict[str, Any]) -> dict[str, Any]:
    """Put bounds of a number that may be written as text, or be null, to the number."""
    bounds = {_BOUNDS[key]: value for key, value in rule.items() if key in _BOUNDS}
    if not bounds:
        return rule
    kept = {key: value for key, value in rule.items() if key not in _BOUNDS}
    if kept.get("type") in {"integer", "number"}:
        return {**kept, **bounds}
    if "anyOf" in kept:
        given = {key: rule[key] for key in rule.keys() & _BOUNDS}
        kept["anyOf"] = [_bounded({**each, **given}) for each in kept["anyOf"]]
    return kept
