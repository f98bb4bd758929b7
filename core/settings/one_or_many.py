"""Lists in which a single item may stand without its brackets."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from logweir.settings.delivery import StrictModel

__all__ = ["AnyNumber", "OneOrMany"]

T = TypeVar("T")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | dict | StrictModel) else value


class _OrAlone:
    """Says in the JSON Schema that a list of one may be written without its brackets."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        return {"anyOf": [schema["items"], schema]}


#: A list in which a single item may stand alone.
OneOrMany = Annotated[list[T], Field(min_length=1), BeforeValidator(_as_list), _OrAlone()]
#: The same, which may be empty.
AnyNumber = Annotated[list[T], BeforeValidator(_as_list), _OrAlone()]
