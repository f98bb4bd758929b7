"""The delivery settings that every sink has: its queue, batches and retries.

Defaults are the recommended production values.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from logweir.settings.brokers import BROKERS, BrokerKeys
from logweir.settings.strict import StrictModel, directory_of
from logweir.settings.units import ByteSize, Seconds

__all__ = [
    "LONGEST_WAIT",
    "BatchConfig",
    "Bounds",
    "Deliver",
    "QueueConfig",
    "QueueType",
    "RetryConfig",
    "StrictModel",
    "WhenFull",
    "bounded_wait",
    "directory_of",
]

QueueType = Literal["memory", "disk", "redis", "kafka"]
Deliver = Literal["here", "elsewhere"]
WhenFull = Literal["block", "drop_newest", "drop_oldest", "spill"]


class Bounds(NamedTuple):
    """How much may wait in a queue."""

    events: int
    size: int


#: The longest that a backend's own wish to wait is followed, seconds.
LONGEST_WAIT = 300.0


def bounded_wait(seconds: float) -> float:
    """Return how long to wait for a backend that asks for so many seconds: never for ever."""
    return min(max(seconds, 0.0), LONGEST_WAIT)


_MEMORY = Bounds(50_000, 256 * 2**20)
_DISK = Bounds(1_000_000, 2**30)


class QueueConfig(BrokerKeys, StrictModel):
    """The bounded queue between the callers and a sink's workers."""

    type: QueueType | None = None
    """Where events wait: `disk` survives the process and the power, `memory` is fastest and dies with the
    process. `redis` and `kafka` forward them to a broker, and `logweir worker` delivers them. By default
    `disk` where an audit route feeds the sink, otherwise `memory`."""
    max_events: int | None = Field(default=None, ge=1)
    """The most events that may wait; by default 50,000 in memory and 1,000,000 on disk."""
    max_bytes: ByteSize | None = Field(default=None, ge=1024)
    """The most bytes (approximate) that may wait; by default 256MiB in memory and 1GiB on disk."""
    when_full: WhenFull | None = None
    """What a full queue does: `block` waits up to `block_timeout` (never on an event loop),
    `drop_newest` refuses the new event, `drop_oldest` forgets the oldest one, `spill` puts on disk what
    memory cannot hold. Every drop is counted and reported. By default `block` where an audit route feeds the
    sink, otherwise `drop_oldest`."""
    block_timeout: Seconds = 5.0
    """How long `block` makes a caller wait before the event is dropped and counted."""
    deliver: Deliver = "here"
    """Who takes events out of a queue on disk: `here` this very process, `elsewhere` a process of its own on
    this host, `logweir worker`. Elsewhere keeps the sink, its driver and its network out of the application,
    which then only appends to its disk. With a broker the events leave the host by `logweir worker --forward`
    in place of the application, which has no client of the broker."""
    spill_max_events: int | None = Field(default=None, ge=1)
    """With `when_full: spill`, the most events on disk; by default 1,000,000."""
    spill_max_bytes: ByteSize | None = Field(default=None, ge=1024)
    """With `when_full: spill`, the most bytes (approximate) on disk; by default 1GiB."""

    @model_validator(mode="after")
    def _keys_fit_the_type(self) -> QueueConfig:
        if problem := self.misplaced():
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _elsewhere_is_over_the_disk(self) -> QueueConfig:
        if self.deliver == "elsewhere" and (self.type == "memory" or self.when_full == "spill"):
            raise ValueError(
                "deliver: elsewhere hands events to another process over the disk, which no queue in memory "
                "does; use type: disk, with when_full: block, drop_newest or drop_oldest"
            )
        if self.deliver == "elsewhere" and self.local in {"memory", "none"}:
            raise ValueError(
                "deliver: elsewhere hands events over the disk to a worker of this host, which forwards "
                f"them; remove it, or local: {self.local}"
            )
        return self

    @model_validator(mode="after")
    def _spills_from_memory(self) -> QueueConfig:
        if self.when_full == "spill" and self.local in {"disk", "none"}:
            raise ValueError("when_full: spill puts on disk what memory cannot hold; it needs local: memory")
        if self.when_full == "spill" and self.type == "disk":
            raise ValueError(
                "when_full: spill puts on disk what memory cannot hold, and with type: disk all is there "
                "already; use when_full: block"
            )
        if self.when_full != "spill" and (self.spill_max_events or self.spill_max_bytes):
            raise ValueError(
                "spill_max_events and spill_max_bytes bound what when_full: spill puts on disk; remove them, "
                "or add when_full: spill"
            )
        return self

    @property
    def is_forwarded_elsewhere(self) -> bool:
        """Whether the application does not even forward, and a worker of its host does."""
        return self.goes_over_a_broker and self.deliver == "elsewhere"

    @property
    def is_forwarded_here(self) -> bool:
        """Whether the application itself forwards to a broker."""
        return self.goes_over_a_broker and self.deliver == "here"

    @property
    def goes_over_a_broker(self) -> bool:
        """Whether the application only forwards, and workers deliver."""
        return self.type in BROKERS

    def bounds(self, of: QueueType) -> Bounds:
        """The bounds of a queue of this type."""
        default = _MEMORY if of == "memory" else _DISK
        return Bounds(self.max_events or default.events, self.max_bytes or default.size)

    def of_spill(self) -> QueueConfig:
        """The settings of the disk's part of a spilling queue."""
        return QueueConfig(
            type="disk",
            max_events=self.spill_max_events,
            max_bytes=self.spill_max_bytes,
            block_timeout=self.block_timeout,
        )


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
