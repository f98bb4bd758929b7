"""Options of the file sink."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from logweir.settings.delivery import StrictModel
from logweir.settings.units import ByteSize, FileMode
from logweir.sinks.contract import SinkConfig

__all__ = ["FileConfig", "RotateConfig"]

_STREAM = re.compile(r"/dev/(?:stdout|stderr|fd/\d+|tty)|/proc/(?:self|\d+)/fd/\d+")


class RotateConfig(StrictModel):
    """When a file is closed and a new one begun, and what becomes of the old ones."""

    max_bytes: ByteSize | None = Field(default=None, ge=1)
    """A batch that would make the file larger goes to a new one."""
    every: Literal["hour", "day"] | None = None
    """A new file for every hour or day (UTC)."""
    keep: int | None = Field(default=None, ge=1)
    """How many rotated files are kept; by default all."""
    compress: Literal["gzip", "none"] = "gzip"
    """Whether rotated files are compressed."""


class FileConfig(SinkConfig):
    """JSON lines in a file."""

    type: str = "file"
    path: Path
    """The file; its folder is made if need be."""
    mode: FileMode = "0600"
    """Permissions of the files that the sink makes, in quotes: `"0640"`. By default only the owner may read
    them. A rotated file and the one after it keep the mode, owner and group of the file as it was."""
    rotate: RotateConfig = Field(default_factory=RotateConfig)
    """Rotation; by default one file grows without end."""
    fsync: bool = False
    """Whether each batch is forced to the disk before it counts as stored."""

    @field_validator("path")
    @classmethod
    def _path_is_no_stream(cls, value: Path) -> Path:
        if _STREAM.fullmatch(str(value)):
            raise ValueError(f"{value} is a stream and no file: take a sink of type stdout, with its stream")
        return value
