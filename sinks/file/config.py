"""Options of the file sink."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from logweir.settings.delivery import StrictModel
from logweir.settings.units import ByteSize, FileMode
from logweir.sinks.shared.destinations import Template, TemplatedConfig, is_template

__all__ = ["ROTATED", "FileConfig", "RotateConfig"]

#: What stands in the name of a rotated file.
ROTATED = re.compile(r"-\d{8}T\d{6}\.\d{6}Z")
#: A rotated file, its copy and its lock have longer names, and 255 bytes is what file systems take.
_LONGEST_NAME = 200

#: What a rotated file is once it is compressed; the name of the file itself must not end so.
_COMPRESSED = ".gz"
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


class FileConfig(TemplatedConfig):
    """JSON lines in a file."""

    template_key: ClassVar[str] = "path"

    type: str = "file"
    path: Path
    """The file; its folder is made if need be. With placeholders, as in `logs/{service}/{fields.tenant}.log`,
    each event goes to the file that its values name."""
    mode: FileMode = "0600"
    """Permissions of the files that the sink makes, in quotes: `"0640"`. By default only the owner may read
    them. A rotated file and the one after it keep the mode, owner and group of the file as it was."""
    rotate: RotateConfig = Field(default_factory=RotateConfig)
    """Rotation; by default one file grows without end."""
    fsync: bool = False
    """Whether each batch is forced to the disk before it counts as stored."""

    @field_validator("path")
    @classmethod
    def _path_is_that_of_a_file(cls, value: Path) -> Path:
        if _STREAM.fullmatch(str(value)):
            raise ValueError(f"{value} is a stream and no file: take a sink of type stdout, with its stream")
        if value.suffix == _COMPRESSED:
            raise ValueError(
                f"{value} ends in {_COMPRESSED}, and what is written there is not compressed: name it "
                f"{value.with_suffix('')}; rotated files are compressed by rotate.compress"
            )
        if is_template(str(value)):
            Template(str(value))
        return value

    def at_destination(self, text: str) -> FileConfig | None:
        """The options for one file; None if its name is too long, or that of a rotated or compressed file."""
        path = Path(text)
        is_other = ROTATED.search(text) or path.suffix == _COMPRESSED
        if is_other or any(len(part) > _LONGEST_NAME for part in path.parts):
            return None
        return self.model_copy(update={"path": path})
