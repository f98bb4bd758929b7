"""The delivery settings that every sink has: its queue, batches and retries.

Defaults are the recommended production values.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from logweir.config.units import ByteSize, Seconds

__all__ = ["BatchConfig", "QueueConfig", "RetryConfig", "StrictModel", "WhenFull"]

WhenFull = Literal["block", "drop_newest", "drop_oldest"]


class StrictModel(BaseModel):
    """The base of all configuration: unknown keys are refused and values never change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True
    )


class QueueConfig(StrictModel):
    """The bounded queue between the callers and a sink's workers."""

    type: Literal["memory"] = "memory"
    """Where events wait: `memory` is fastest and is lost with the process."""
    max_events: int = Field(default=50_000, ge=1)
    """The most events that may wait."""
    max_bytes: ByteSize = Field(default=256 * 2**20, ge=1024)
    """The most bytes (approximate) that may wait."""
    when_full: WhenFull | None = None
    """What a full queue does: `block` waits up to `block_timeout` (never on an event loop),
    `drop_newest` refuses the new event, `drop_oldest` forgets the oldest one. Every drop is counted and told.
    By default `block` where an audit route feeds the sink, otherwise `drop_oldest`."""
    block_timeout: Seconds = 5.0
    """How long `block` makes a caller wait before the event is dropped and counted."""


class BatchConfig(StrictModel):
    """How a worker groups events into one write."""

    max_events: int = Field(default=500, ge=1)
    """The most events in one write; 1 writes item by item."""
    max_bytes: ByteSize = Field(default=2**20, ge=1)
    """The most bytes (approximate) in one write; a single larger event goes alone."""
    linger: Seconds = 0.05
    """The longest an event waits for company before its batch is written."""


class RetryConfig(StrictModel):
    """What happens when a write fails for now: exponential back-off with full jitter."""

    initial: Seconds = 0.1
    """The upper bound of the first pause."""
    max: Seconds = 30.0
    """The upper bound of every pause."""
    timeout: Seconds = Field(default=10.0, gt=0)
    """How long one write may take before it counts as failed."""
    max_attempts: int | None = Field(default=None, ge=1)
    """Attempts before a batch goes to the dead letters; by default it is tried without end."""
