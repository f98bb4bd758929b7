"""What operators set: how long dead letters are kept, and where metrics are served."""

from __future__ import annotations

from pydantic import Field

from logweir.settings.delivery import StrictModel
from logweir.settings.units import ByteSize, Seconds

__all__ = ["DeadLettersConfig", "MetricsConfig"]


class DeadLettersConfig(StrictModel):
    """How long dead letters are kept. By default for ever: each start reports them, nothing deletes."""

    keep: Seconds | None = Field(default=None, gt=0)
    """How long a dead letter is kept, such as `90d`; what is older is deleted, counted and reported."""
    max_bytes: ByteSize | None = Field(default=None, ge=1)
    """The most bytes of all dead letters; the oldest are deleted first, counted and reported."""


class MetricsConfig(StrictModel):
    """Where the process, or all of a service as one, serve their metrics to Prometheus."""

    port: int = Field(ge=0, le=65_535)
    """The port, of all processes with the same data_dir; 0 takes a free one for each, which is reported."""
    host: str = Field(default="127.0.0.1", min_length=1)
    """The address to listen at; `0.0.0.0` lets other machines read the metrics."""
