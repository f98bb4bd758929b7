"""From pydantic's errors to sentences for people, each with the path of the key that it is about."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from logweir.config.yaml_document import Path
from logweir.settings.suggestions import did_you_mean, instead_of

__all__ = ["Found", "Show", "describe", "shown"]

#: Writes the value at a path for a message; a secret is masked.
Show = Callable[[Path, Any], str]

_WORDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
    "model_attributes_type": "must be a mapping of keys",
    "path_type": "must be a path",
    "is_instance_of": "must be a mapping of keys",
    "finite_number": "must be a finite number",
    "invalid_key": "must have keys that are text",
}
#: Comparisons, with the bound from pydantic's context.
_BOUNDS = {
    "greater_than_equal": ("must be at least", "ge"),
    "greater_than": ("must be more than", "gt"),
    "less_than_equal": ("must be at most", "le"),
    "less_than": ("must be less than", "lt"),
}
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Found:
    """One error.

    Attributes:
        path: The path of the key, below the model's own.
        message: What is wrong with it and what to do.
        at_key: Whether the key, rather than its value, is the culprit.
    """

    path: Path
    message: str
    at_key: bool = False


def describe(error: ValidationError, model: type[BaseModel], data: Any, show: Show) -> Iterator[Found]:
    """Yield each error of a validation, in the words of the configuration.

    Args:
        error: What pydantic raised.
        model: The model that was validated.
        data: What was given to it.
        show: Writes the value at a path.
    """
    for details in error.errors(include_url=False, include_context=True):
        path = _path_in(data, details["loc"], missing=details["type"] == "missing")
        if details["type"] == "extra_forbidden":
            yield Found(path, _unknown_key(str(path[-1]), _keys_at(model, path[:-1])), at_key=True)
        elif details["type"] == "missing":
            yield Found(path, f"{path[-1]} is missing; add it", at_key=True)
        else:
            yield Found(path, _sentence(details, path, show))


def _path_in(data: Any, location: tuple[int | str, ...], *, missing: bool) -> Path:
    """Keep the parts of pydantic's location that are in the data; others name branches of its own."""
    path: list[str | int] = []
    for position, part in enumerate(location):
        in_mapping = isinstance(data, dict) and part in data
        if in_mapping or (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            data = data[part]
        elif not (missing and position == len(location) - 1):
            continue
        path.append(part)
    return tuple(path)


def _unknown_key(key: str, known: list[str]) -> str:
    return f"unknown key {key!r}; {instead_of(key, known)}" if known else f"unknown key {key!r}"


def _keys_at(model: type[BaseModel] | None, path: Path) -> list[str]:
    """The keys that may be written at a path below a model."""
    for part in path:
        if model is None:
            return []
        if isinstance(part, str):
            names = {(field.alias or name): field.annotation for name, field in model.model_fields.items()}
            if part in names:
                model = _model_in(names[part])
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as ``list[RouteConfig] | None``."""
    if get_origin(annotation) is None:
        return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _sentence(details: ErrorDetails, path: Path, show: Show) -> str:
    kind = details["type"]
    value = details["input"]
    context = details.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "the value")
    given = show(path, value)
    if kind in {"literal_error", "enum"}:
        return (
            f"{name} must be one of {context['expected']}, not {given}{_nearest(context['expected'], value)}"
        )
    if kind in _WORDS:
        hint = "; put it in quotes" if kind == "string_type" and isinstance(value, int | float | date) else ""
        return f"{name} {_WORDS[kind]}, not {given}{hint}"
    if kind in {"too_short", "string_too_short"}:
        return f"{name} must not be empty"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{name} {words} {context[bound]:g}, not {given}"
    rule = details["msg"].removeprefix("Input should be ")
    return f"{name} must be {rule}, not {given}" if rule != details["msg"] else f"{name}: {rule}"


def _nearest(expected: str, value: Any) -> str:
    """What was probably meant, out of pydantic's list of what is expected."""
    if not isinstance(value, str):
        return ""
    known = [text for text in expected.replace(" or ", ", ").split(", ") if text[:1] in "'\""]
    question = did_you_mean(value, [str(ast.literal_eval(text)) for text in known])
    return f"; {question}" if question else ""


def shown(value: Any) -> str:
    """A value as a message shows it: short, and only if it is plain."""
    if isinstance(value, dict):
        return "a mapping of keys"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return f"the date {value}"
    text = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
