"""The docstrings below the keys of a model, in its JSON Schema; read when that is asked for.

pydantic can read them itself (``use_attribute_docstrings``), but does so when a class is made: each process
that loads a routing.yaml would parse the source of every model, for texts that hardly any ever shows.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler

__all__ = ["Described"]


class Described(BaseModel):
    """A model whose JSON Schema describes each key by the docstring below it."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in _docstrings_of(cls).items():
            field = cls.model_fields.get(name)
            key = name if field is None else field.alias or name
            if key in properties:
                properties[key].setdefault("description", text)
        return schema


def _docstrings_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings of a model's fields, those that it inherits included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _docstrings_in(base)
    return found


@lru_cache(maxsize=256)  # what many models inherit from is asked for with each of them
def _docstrings_in(model: type[BaseModel]) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    except (OSError, TypeError, SyntaxError):  # made at a prompt, or by a function: nobody wrote any
        return {}
    (definition,) = tree.body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
