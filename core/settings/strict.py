"""The base of all models of routing.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import ConfigDict, ValidationInfo, field_validator

from logweir.settings.described import Described

__all__ = ["StrictModel", "directory_of"]


class StrictModel(Described):
    """The base of all configuration: unknown keys are refused and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _a_switch_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Python takes true for 1, and `workers: yes` would be one worker."""
        if isinstance(value, bool) and info.field_name in cls.model_fields:
            kinds = set(_kinds_in(cls.model_fields[info.field_name].annotation))
            if kinds & {int, float} and not kinds & {bool, Any}:
                raise ValueError(f"{info.field_name} must be a number, not {str(value).lower()}")
        return value

    @field_validator("*")
    @classmethod
    def _paths_begin_beside_the_file(cls, value: Any, info: ValidationInfo) -> Any:
        """Keys that are paths, of users' own sinks too, mean the same wherever the file is read from."""
        return directory_of(info) / value if isinstance(value, Path) else value


def _kinds_in(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of; of literals, the types of their values."""
    if get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
    elif get_origin(annotation) is Annotated:
        yield from _kinds_in(get_args(annotation)[0])
    elif parts := get_args(annotation):
        for part in parts:
            yield from _kinds_in(part)
    else:
        yield annotation


def directory_of(info: ValidationInfo) -> Path:
    """Where relative paths of this configuration begin: beside its file, or here if it is none."""
    directory: Path = (info.context or {}).get("directory", Path())
    return directory
