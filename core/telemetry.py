"""What the runtime counts, as one immutable picture.

For every sink, once it is idle: accepted = stored + duplicate + dead + dropped after acceptance.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from logweir.delivery.counters import DeliveryCounters, SinkState
from logweir.delivery.queue import DropReason, QueueStatistics

__all__ = ["Metrics", "SinkMetrics"]


@dataclass(frozen=True, slots=True)
class SinkMetrics:
    """The counts of one sink since the process started (or was forked).

    Attributes:
        accepted: Events that its queue took.
        stored: Events that the sink stored.
        duplicate: Events that the sink had already.
        retried: Repetitions, one for each event sent again.
        dead: Events in the dead letters.
        dropped: Events dropped, by reason.
        queue_depth: Events waiting.
        in_flight: Events in the hands of workers.
        queue_bytes: Approximate bytes waiting.
        oldest_seconds: Age of the oldest event waiting.
        batches: Writes that the backend answered.
        failures: Writes that failed as a whole.
        write_seconds: Time spent in answered writes.
        state: ``opening``, ``healthy``, ``degraded`` or ``down``.
        last_error: The last failure.
    """

    accepted: int = 0
    stored: int = 0
    duplicate: int = 0
    retried: int = 0
    dead: int = 0
    dropped: dict[DropReason, int] = field(default_factory=dict)
    queue_depth: int = 0
    in_flight: int = 0
    queue_bytes: int = 0
    oldest_seconds: float = 0.0
    batches: int = 0
    failures: int = 0
    write_seconds: float = 0.0
    state: SinkState = SinkState.OPENING
    last_error: str = ""

    @classmethod
    def of(cls, queue: QueueStatistics, delivery: DeliveryCounters) -> SinkMetrics:
        """Join what the queue and the workers counted."""
        dropped = dict(queue.dropped)
        if delivery.lost:
            dropped[DropReason.SHUTDOWN] = delivery.lost
        return cls(
            accepted=queue.accepted - delivery.moved,
            stored=delivery.stored,
            duplicate=delivery.duplicate,
            retried=delivery.retried,
            dead=delivery.dead,
            dropped=dropped,
            queue_depth=queue.depth,
            in_flight=queue.in_flight,
            queue_bytes=queue.size,
            oldest_seconds=queue.oldest,
            batches=delivery.batches,
            failures=delivery.failures,
            write_seconds=delivery.write_seconds,
            state=delivery.state,
            last_error=delivery.last_error,
        )

    def after(self, earlier: SinkMetrics) -> SinkMetrics:
        """These counts, continued from those of the channel that served the sink before a reload."""
        totals = {
            name: getattr(self, name) + getattr(earlier, name)
            for name in (
                "accepted",
                "stored",
                "duplicate",
                "retried",
                "dead",
                "batches",
                "failures",
                "write_seconds",
            )
        }
        dropped = {
            reason: self.dropped.get(reason, 0) + earlier.dropped.get(reason, 0)
            for reason in {**earlier.dropped, **self.dropped}
        }
        now = {item.name: getattr(self, item.name) for item in fields(self)}
        return SinkMetrics(**{**now, **totals, "dropped": dropped})


@dataclass(frozen=True, slots=True)
class Metrics:
    """The counts of a runtime.

    Attributes:
        sinks: By sink name.
        unrouted: Events that no route took.
        sampled: Events that a route's ``sample`` left out.
        truncated: Events that were larger than ``limits`` allow.
        dropped_at_stop: Events logged after the runtime had stopped.
    """

    sinks: dict[str, SinkMetrics]
    unrouted: int = 0
    sampled: int = 0
    truncated: int = 0
    dropped_at_stop: int = 0
