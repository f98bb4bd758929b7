"""The base of all models of routing.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

__all__ = ["StrictModel", "directory_of"]


class StrictModel(BaseModel):
    """The base of all configuration: unknown keys are refused and values never change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True
    )

    @field_validator("*")
    @classmethod
    def _paths_begin_beside_the_file(cls, value: Any, info: ValidationInfo) -> Any:
        """Keys that are paths, of users' own sinks too, mean the same wherever the file is read from."""
        return directory_of(info) / value if isinstance(value, Path) else value


def directory_of(info: ValidationInfo) -> Path:
    """Where relative paths of this configuration begin: beside its file, or here if it is none."""
    directory: Path = (info.context or {}).get("directory", Path())
    return directory
