"""What a sink's delivery counts, and the closed set of its states.

Counters are written on the runtime's loop alone and read from any thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

from logweir.delivery.fallback.circuit import CircuitState
from logweir.delivery.histogram import BATCH_SIZES, WRITE_SECONDS, Histogram
from logweir.redaction.reasons import masked
from logweir.sinks.shared.destinations import DestinationCounts

__all__ = ["DeliveryCounters", "SinkState"]


class SinkState(StrEnum):
    """How a sink fares.

    ``healthy`` stores, or has nothing to store; ``degraded`` failed last time, has put off events that wait,
    blocks the loop, or stores nothing though events wait; ``down`` fails again and again.
    """

    OPENING = "opening"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


#: Failures in a row after which a degraded sink counts as down.
_DOWN_AFTER = 3


@dataclass(slots=True)
class DeliveryCounters:
    """Counts for one sink since the process started.

    Attributes:
        stored: Events stored.
        duplicate: Events that the store had already.
        retried: Events sent again, counted once for each repetition.
        put_off: Of those, the ones that the sink itself asked to send again.
        dead: Events moved to the dead letters.
        lost: Events that a stop left undelivered when its deadline passed.
        moved: Events handed to the channel that replaced this one at a reload.
        batches: Writes that the backend answered.
        failures: Writes that failed as a whole, or of which the sink put off events.
        restarts: Tasks of the delivery that ended without having been asked to, and began anew.
        blocks: Calls into the sink that blocked the loop of delivery for more than a second.
        blocked_seconds: For how long they did, those that still do too.
        write_seconds: Time spent in answered writes.
        batch_sizes: Events of each answered write.
        write_latency: Seconds of each answered write.
        state: The present state.
        last_error: The last failure, without secrets.
        failures_in_a_row: Failures since the backend last opened or took something.
        worker_silent: Of a sink delivered elsewhere, seconds since the last sign of life of its worker.
        circuit: Of a sink with a fallback, where its events go.
        diverted_to: The fallback, and why events go there.
        diverted: Of the events stored, those that the fallback stored.
        returned: Events that came back from the fallback, and are stored in the sink itself.
        in_fallback: With ``return``, events that may be in the fallback and are to come back.
        destinations: Of a sink whose destination is a template, what it counts, and what its fallback does.
        blocked: While a call blocks the loop, which one and where; the watchdog's thread writes it.
        still_after: Seconds without anything moving after which waiting events are a bad sign.
        moved_at: When something was last stored, or a write began; monotonic seconds.
    """

    stored: int = 0
    duplicate: int = 0
    retried: int = 0
    put_off: int = 0
    dead: int = 0
    lost: int = 0
    moved: int = 0
    batches: int = 0
    failures: int = 0
    restarts: int = 0
    blocks: int = 0
    blocked_seconds: float = 0.0
    write_seconds: float = 0.0
    state: SinkState = SinkState.OPENING
    last_error: str = ""
    worker_silent: float = 0.0
    failures_in_a_row: int = 0
    blocked: str = ""
    circuit: CircuitState = CircuitState.NONE
    diverted_to: str = ""
    diverted: int = 0
    returned: int = 0
    in_fallback: int = 0
    destinations: list[DestinationCounts] = field(default_factory=list)
    still_after: float = 15.0
    moved_at: float = field(default_factory=time.monotonic)
    batch_sizes: Histogram = field(default_factory=lambda: Histogram(BATCH_SIZES))
    write_latency: Histogram = field(default_factory=lambda: Histogram(WRITE_SECONDS))

    def answered(self, events: int, seconds: float) -> None:
        """Note that the backend answered a write, whatever it said."""
        self.batches += 1
        self.write_seconds += seconds
        self.batch_sizes.observe(events)
        self.write_latency.observe(seconds)

    def begun(self) -> None:
        """Note that a write begins."""
        self.moved_at = time.monotonic()

    def still_for(self, waiting: float) -> float:
        """How long nothing has moved while something waited for ``waiting`` seconds; 0 while all is well."""
        still = min(waiting, time.monotonic() - self.moved_at)
        return still if still > self.still_after else 0.0

    def succeeded(self) -> None:
        """Note that the backend opened, or took something."""
        self.failures_in_a_row = 0
        self.moved_at = time.monotonic()
        self.state = SinkState.HEALTHY

    def put_off_events(self, events: int, reason: str) -> None:
        """Note that these are set aside, and sent again later."""
        self.retried += events
        self.put_off += events
        self.last_error = masked(reason)

    def failed(self, message: str) -> None:
        """Note that a write, or the opening, failed."""
        self.failures += 1
        self.failures_in_a_row += 1
        self.last_error = masked(message)
        self.state = SinkState.DOWN if self.failures_in_a_row >= _DOWN_AFTER else SinkState.DEGRADED
