"""What the runtime counts, as one immutable picture.

For every sink, once it is idle: accepted = stored + duplicate + dead + dropped after acceptance.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from logweir.delivery.brokers.contract import LetterTotals, PartitionState
from logweir.delivery.counters import DeliveryCounters, SinkState
from logweir.delivery.dead_letters import Totals
from logweir.delivery.fallback.circuit import CircuitState
from logweir.delivery.histogram import Distribution
from logweir.delivery.queue import DropReason, QueueStatistics
from logweir.settings.delivery import Bounds

__all__ = ["BrokerMetrics", "DeadLetterMetrics", "Metrics", "SinkMetrics"]

#: What is counted up, so that it goes on over a reload; the rest is a state.
_TOTALS = (
    "accepted",
    "stored",
    "duplicate",
    "retried",
    "put_off",
    "dead",
    "batches",
    "failures",
    "restarts",
    "claimed",
    "diverted",
    "returned",
    "overflowed",
    "blocks",
    "blocked_seconds",
    "write_seconds",
    "batch_sizes",
    "write_latency",
)


@dataclass(frozen=True, slots=True)
class SinkMetrics:
    """The counts of one sink since the process started (or was forked).

    Attributes:
        accepted: Events that its queue took.
        stored: Events that the sink stored.
        duplicate: Events that the sink had already.
        retried: Repetitions, one for each event sent again.
        put_off: Of those, repetitions that the sink asked for event by event.
        dead: Events in the dead letters.
        dropped: Events dropped, by reason.
        queue_depth: Events waiting, those set aside too.
        set_aside: Events that the sink put off and that are not settled since; others pass meanwhile.
        in_flight: Events in the hands of workers.
        queue_bytes: Approximate bytes waiting.
        queue_max_events: The most events that may wait.
        queue_max_bytes: The most bytes that may wait.
        oldest_seconds: Age of the oldest event waiting.
        batches: Writes that the backend answered.
        failures: Writes that failed as a whole, or of which the sink put off events.
        restarts: Tasks of the delivery that ended without having been asked to, and began anew.
        claimed: Of a worker behind a broker, events that it took over from workers that died or were silent.
        blocks: Calls into the sink that blocked the loop of delivery for more than a second.
        blocked_seconds: For how long they did, those that still do too.
        write_seconds: Time spent in answered writes.
        batch_sizes: Events of each answered write.
        write_latency: Seconds of each answered write.
        state: ``opening``, ``healthy``, ``degraded`` or ``down``; healthy while something moves or
            nothing waits.
        last_error: The last failure; for a sink that answers well and is degraded, why it is.
        worker_silent: Of a sink delivered elsewhere, seconds since the last sign of life of its worker.
        circuit: Of a sink with a fallback, where its events go: ``closed``, to itself; ``open``, to the
            fallback; ``half_open``, to the fallback but for one write at a time; ``none`` without one.
        diverted: Of the events stored, those that the fallback stored.
        returned: Events that came back from the fallback, and are stored in the sink itself.
        in_fallback: With ``return``, events that may be in the fallback and are to come back.
        overflowed: Of a sink whose destination is a template, events stored at the overflow destination
            because they have no value for another, or are of one too many; those of its fallback too.
        destinations: How many destinations it writes to beside that; at most ``max_destinations``.
    """

    accepted: int = 0
    stored: int = 0
    duplicate: int = 0
    retried: int = 0
    put_off: int = 0
    dead: int = 0
    dropped: dict[DropReason, int] = field(default_factory=dict)
    queue_depth: int = 0
    set_aside: int = 0
    in_flight: int = 0
    queue_bytes: int = 0
    queue_max_events: int = 0
    queue_max_bytes: int = 0
    oldest_seconds: float = 0.0
    batches: int = 0
    failures: int = 0
    restarts: int = 0
    claimed: int = 0
    blocks: int = 0
    blocked_seconds: float = 0.0
    write_seconds: float = 0.0
    batch_sizes: Distribution = field(default_factory=Distribution)
    write_latency: Distribution = field(default_factory=Distribution)
    state: SinkState = SinkState.OPENING
    last_error: str = ""
    worker_silent: float = 0.0
    circuit: CircuitState = CircuitState.NONE
    diverted: int = 0
    returned: int = 0
    in_fallback: int = 0
    overflowed: int = 0
    destinations: int = 0

    @classmethod
    def of(cls, queue: QueueStatistics, delivery: DeliveryCounters, bounds: Bounds) -> SinkMetrics:
        """Join what the queue and the workers counted."""
        dropped = dict(queue.dropped)
        if delivery.lost:
            dropped[DropReason.SHUTDOWN] = delivery.lost
        why = _why_not_healthy(queue, delivery)
        return cls(
            accepted=queue.accepted - delivery.moved,
            stored=delivery.stored,
            duplicate=delivery.duplicate,
            retried=delivery.retried,
            put_off=delivery.put_off,
            dead=delivery.dead,
            dropped=dropped,
            queue_depth=queue.depth,
            set_aside=queue.set_aside,
            in_flight=queue.in_flight,
            queue_bytes=queue.size,
            queue_max_events=bounds.events,
            queue_max_bytes=bounds.size,
            oldest_seconds=queue.oldest,
            batches=delivery.batches,
            failures=delivery.failures,
            restarts=delivery.restarts,
            claimed=queue.claimed,
            blocks=delivery.blocks,
            blocked_seconds=delivery.blocked_seconds,
            write_seconds=delivery.write_seconds,
            batch_sizes=delivery.batch_sizes.picture(),
            write_latency=delivery.write_latency.picture(),
            state=delivery.state if why is None else SinkState.DEGRADED,
            last_error=why or delivery.last_error,
            worker_silent=delivery.worker_silent,
            circuit=delivery.circuit,
            diverted=delivery.diverted,
            returned=delivery.returned,
            in_fallback=delivery.in_fallback,
            overflowed=sum(one.overflowed for one in delivery.destinations),
            destinations=sum(one.used for one in delivery.destinations),
        )

    def after(self, earlier: SinkMetrics) -> SinkMetrics:
        """These counts, continued from those of the channel that served the sink before a reload."""
        totals: Mapping[str, Any] = {name: getattr(self, name) + getattr(earlier, name) for name in _TOTALS}
        dropped = {
            reason: self.dropped.get(reason, 0) + earlier.dropped.get(reason, 0)
            for reason in {**earlier.dropped, **self.dropped}
        }
        now = {item.name: getattr(self, item.name) for item in fields(self)}
        return SinkMetrics(**{**now, **totals, "dropped": dropped})


def _why_not_healthy(queue: QueueStatistics, delivery: DeliveryCounters) -> str | None:
    """Why a sink that answered well is degraded all the same; None if it is not, or fares worse anyway."""
    if delivery.state is not SinkState.HEALTHY:
        return delivery.blocked or None if delivery.state is SinkState.OPENING else None
    if delivery.blocked:
        return delivery.blocked
    if delivery.circuit in {CircuitState.OPEN, CircuitState.HALF_OPEN}:
        return f"its events go to {delivery.diverted_to}"
    if queue.set_aside:
        return queue.reason
    still = delivery.still_for(math.inf if queue.in_flight else queue.oldest)
    return f"nothing has moved for {still:.0f} s though events wait" if still else None


@dataclass(frozen=True, slots=True)
class DeadLetterMetrics:
    """What waits in the dead letters of the data directory, whichever process wrote it.

    Counted at each change by this process, once a minute, and whenever metrics are served.

    Attributes:
        waiting: Letters by sink; unreadable lines under the empty name.
        size: Bytes of all letters.
        oldest_seconds: How long the oldest has waited.
        expired: Letters that this process deleted because of ``dead_letters`` in routing.yaml, by sink.
    """

    waiting: Mapping[str, int] = field(default_factory=dict)
    size: int = 0
    oldest_seconds: float = 0.0
    expired: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, totals: Totals, expired: Mapping[str, int]) -> DeadLetterMetrics:
        """Join what was counted at the last look and what was deleted."""
        age = 0.0 if totals.oldest is None else max(0.0, time.time() - totals.oldest / 1e9)
        return cls(dict(totals.letters), totals.size, age, dict(expired))


@dataclass(frozen=True, slots=True)
class BrokerMetrics:
    """What the broker of one sink holds, as a worker read it lately; all workers of the sink see the same.

    It is read every few seconds, so that no scrape and no call waits for a broker; while that is away the
    last reading stays, and its age grows.

    Attributes:
        partitions: Each partition.
        letters: Dead letters there.
        letters_size: Bytes of these.
        age: Seconds since it was read; of one that was never read, since the worker began to ask.
    """

    partitions: Sequence[PartitionState] = ()
    letters: int = 0
    letters_size: int = 0
    age: float = 0.0

    @classmethod
    def of(cls, partitions: Sequence[PartitionState], letters: LetterTotals, age: float) -> BrokerMetrics:
        """Join what was read of events and of dead letters."""
        return cls(tuple(partitions), letters.count, letters.size, age)

    @property
    def lag(self) -> int:
        """Events that no worker has been given yet."""
        return sum(each.lag for each in self.partitions)

    @property
    def pending(self) -> int:
        """Events in the hands of workers."""
        return sum(each.pending for each in self.partitions)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The counts of a runtime.

    Attributes:
        sinks: By sink name.
        unrouted: Events that no route took.
        sampled: Events that a route's ``sample`` left out.
        truncated: Events that were larger than ``limits`` allow.
        dropped_at_stop: Events logged after the stop that could not be saved.
        dead_letters: What waits in the dead letters.
        left_out: Events that sinks and their clients logged about their own writes, and records that were
            logged while others were captured, too deep one inside the other.
        enrich_errors: Failures of functions named under ``enrich``.
        brokers: Of a worker, what the brokers hold of its sinks, by sink.
        processes: Of how many living processes these are the counts; 1, unless they were asked for at a port.
    """

    sinks: dict[str, SinkMetrics]
    unrouted: int = 0
    sampled: int = 0
    truncated: int = 0
    dropped_at_stop: int = 0
    dead_letters: DeadLetterMetrics = field(default_factory=DeadLetterMetrics)
    left_out: int = 0
    enrich_errors: int = 0
    brokers: Mapping[str, BrokerMetrics] = field(default_factory=dict)
    processes: int = 1

    @property
    def settled(self) -> int:
        """How often a sink has settled an event: stored it, had it already, or refused it for good."""
        return sum(sink.stored + sink.duplicate + sink.dead for sink in self.sinks.values())
