"""The metrics in Prometheus' text formats: a collector over ``Metrics`` without a registry or a state.

The names are documented in ``docs/reference/metrics.md``. Labels have few values: sinks of routing.yaml,
reasons and states from closed lists; never a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from logweir.delivery.brokers.contract import PartitionState
from logweir.delivery.counters import SinkState
from logweir.delivery.fallback.circuit import CircuitState
from logweir.delivery.histogram import Distribution
from logweir.delivery.queue import DropReason
from logweir.telemetry.model import BrokerMetrics, DeadLetterMetrics, Metrics, SinkMetrics

__all__ = ["MetricsCollector", "expose", "expose_each"]

_VERSION = version("logweir")

#: What routes leave out is no sink's doing, and is counted apart.
_SINK_REASONS = [reason for reason in DropReason if reason not in {DropReason.UNROUTED, DropReason.SAMPLED}]

_COUNTERS: dict[str, tuple[str, Callable[[SinkMetrics], float]]] = {
    "events_accepted": ("Events that the sink's queue took.", lambda sink: sink.accepted),
    "events_stored": ("Events that the sink stored.", lambda sink: sink.stored),
    "events_duplicate": ("Events that the sink had already.", lambda sink: sink.duplicate),
    "events_retried": ("Repetitions, one for each event sent again.", lambda sink: sink.retried),
    "events_put_off": (
        "Repetitions that the sink asked for event by event, among those retried.",
        lambda sink: sink.put_off,
    ),
    "events_dead": ("Events moved to the dead letters.", lambda sink: sink.dead),
    "write_failures": (
        "Writes that failed as a whole, or of which the sink put off events.",
        lambda sink: sink.failures,
    ),
    "task_restarts": (
        "Tasks of the sink's delivery that ended without having been asked to, and began anew.",
        lambda sink: sink.restarts,
    ),
    "events_claimed": (
        "Events that this worker took over from others, which died or were silent.",
        lambda sink: sink.claimed,
    ),
    "events_diverted": (
        "Of the events stored, those that the sink's fallback stored.",
        lambda sink: sink.diverted,
    ),
    "events_returned": (
        "Events that came back from the sink's fallback, and are stored in the sink itself.",
        lambda sink: sink.returned,
    ),
    "events_overflowed": (
        "Events stored at the overflow destination of a template, because their values lead to no other.",
        lambda sink: sink.overflowed,
    ),
    "loop_blocks": (
        "Calls into the sink that blocked the loop of delivery for more than a second.",
        lambda sink: sink.blocks,
    ),
    "loop_blocked_seconds": (
        "For how long calls into the sink blocked the loop of delivery, those that still do too.",
        lambda sink: sink.blocked_seconds,
    ),
}
_GAUGES: dict[str, tuple[str, Callable[[SinkMetrics], float]]] = {
    "queue_events": ("Events waiting in the sink's queue.", lambda sink: sink.queue_depth),
    "queue_set_aside_events": (
        "Events that the sink put off, which wait while others pass.",
        lambda sink: sink.set_aside,
    ),
    "queue_bytes": ("Bytes (approximate) waiting in the sink's queue.", lambda sink: sink.queue_bytes),
    "queue_limit_events": ("The most events that may wait.", lambda sink: sink.queue_max_events),
    "queue_limit_bytes": ("The most bytes that may wait.", lambda sink: sink.queue_max_bytes),
    "queue_in_flight_events": ("Events in the hands of workers.", lambda sink: sink.in_flight),
    "queue_oldest_event_age_seconds": (
        "Age of the oldest event waiting; 0 when none does.",
        lambda sink: sink.oldest_seconds,
    ),
    "fallback_events": (
        "Events that may be in the sink's fallback and are to come back.",
        lambda sink: sink.in_fallback,
    ),
    "destinations": (
        "Destinations that a template has led to, beside the overflow.",
        lambda sink: sink.destinations,
    ),
    "worker_silent_seconds": (
        "Seconds since the last sign of life of the worker of a sink delivered elsewhere; 0 for all others.",
        lambda sink: sink.worker_silent,
    ),
}
_HISTOGRAMS: dict[str, tuple[str, Callable[[SinkMetrics], Distribution]]] = {
    "batch_events": ("Events of each write that the sink answered.", lambda sink: sink.batch_sizes),
    "write_duration_seconds": (
        "Duration of each write that the sink answered.",
        lambda sink: sink.write_latency,
    ),
}
#: Of each partition in a broker.
_PARTITIONS: dict[str, tuple[str, Callable[[PartitionState], float]]] = {
    "lag_events": ("Events in the broker that no worker was given yet.", lambda state: state.lag),
    "pending_events": ("Events in the hands of workers, not settled yet.", lambda state: state.pending),
    "oldest_event_age_seconds": (
        "Age of the oldest event that is not settled; 0 when there is none.",
        lambda state: state.oldest,
    ),
    "consumers": ("Workers that the broker knows.", lambda state: state.consumers),
    "missing_events": (
        "Events that something else removed from the broker before they were delivered.",
        lambda state: state.missing,
    ),
}
_BROKERS: dict[str, tuple[str, Callable[[BrokerMetrics], float]]] = {
    "dead_letters": ("Dead letters in the broker.", lambda broker: broker.letters),
    "dead_letters_bytes": ("Bytes of the dead letters in the broker.", lambda broker: broker.letters_size),
    "read_age_seconds": ("Seconds since the broker was last read for these.", lambda broker: broker.age),
}
_UNSINKED: dict[str, tuple[str, Callable[[Metrics], float]]] = {
    "events_unrouted": ("Events that no route took.", lambda metrics: metrics.unrouted),
    "events_sampled": ("Events that a route's sample left out.", lambda metrics: metrics.sampled),
    "events_truncated": (
        "Events that were larger than limits allow, cut.",
        lambda metrics: metrics.truncated,
    ),
    "events_late": ("Events logged after the stop and not saved.", lambda metrics: metrics.dropped_at_stop),
    "events_left_out": (
        "Events that the delivery logged about itself, and would have fed itself with.",
        lambda metrics: metrics.left_out,
    ),
    "enrich_errors": ("Failures of functions named under enrich.", lambda metrics: metrics.enrich_errors),
}


class MetricsCollector(Collector):
    """Yields logweir's metrics; for any registry of prometheus-client.

    Args:
        read: The metrics now, or None when no runtime is running.
    """

    def __init__(self, read: Callable[[], Metrics | None]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        metrics = self._read()
        if metrics is None:
            return
        yield InfoMetricFamily("logweir_build", "This version of logweir.", {"version": _VERSION})
        yield GaugeMetricFamily(
            "logweir_processes", "Living processes of which these are the metrics.", value=metrics.processes
        )
        for name, (text, count) in _UNSINKED.items():
            yield CounterMetricFamily(f"logweir_{name}", text, value=count(metrics))
        yield from _of_sinks(metrics.sinks)
        yield from _of_dead_letters(metrics.dead_letters, [*metrics.sinks])
        if metrics.brokers:
            yield from _of_brokers(metrics.brokers)


def expose(metrics: Metrics, accept: str = "") -> tuple[bytes, str]:
    """Return the metrics in the format that an ``Accept`` header asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(MetricsCollector(lambda: metrics)), content_type


def expose_each(processes: Mapping[int, Metrics]) -> tuple[bytes, str]:
    """Return the metrics of several processes one after the other, each behind ``# process`` and its id.

    For ``logweir top``, which takes them apart again: no scraper expects a metric twice.
    """
    parts = {number: expose(metrics) for number, metrics in processes.items()}
    content_type = next(iter(parts.values()))[1]
    return b"".join(b"# process %d\n%b" % (number, body) for number, (body, _) in parts.items()), content_type


def _of_sinks(sinks: dict[str, SinkMetrics]) -> Iterator[Metric]:
    for name, (text, value) in _COUNTERS.items():
        counter = CounterMetricFamily(f"logweir_{name}", text, labels=["sink"])
        for sink, metrics in sinks.items():
            counter.add_metric([sink], value(metrics))
        yield counter
    for name, (text, value) in _GAUGES.items():
        gauge = GaugeMetricFamily(f"logweir_{name}", text, labels=["sink"])
        for sink, metrics in sinks.items():
            gauge.add_metric([sink], value(metrics))
        yield gauge
    for name, (text, picture) in _HISTOGRAMS.items():
        histogram = HistogramMetricFamily(f"logweir_{name}", text, labels=["sink"])
        for sink, metrics in sinks.items():
            distribution = picture(metrics)
            histogram.add_metric([sink], _buckets(distribution), distribution.total)
        yield histogram
    yield from _drops_and_states(sinks)


def _drops_and_states(sinks: dict[str, SinkMetrics]) -> Iterator[Metric]:
    dropped = CounterMetricFamily(
        "logweir_events_dropped", "Events dropped, by reason.", labels=["sink", "reason"]
    )
    state = GaugeMetricFamily(
        "logweir_sink_state", "1 for the state that the sink is in.", labels=["sink", "state"]
    )
    for sink, metrics in sinks.items():
        for reason in _SINK_REASONS:
            dropped.add_metric([sink, reason.value], metrics.dropped.get(reason, 0))
        for one in SinkState:
            state.add_metric([sink, one.value], float(metrics.state is one))
    yield dropped
    yield state
    yield _circuits(sinks)


def _circuits(sinks: dict[str, SinkMetrics]) -> Metric:
    """Of sinks with a fallback alone: where their events go."""
    circuit = GaugeMetricFamily(
        "logweir_sink_circuit",
        "1 for where the events of a sink with a fallback go: open means to the fallback.",
        labels=["sink", "state"],
    )
    for sink, metrics in sinks.items():
        if metrics.circuit is not CircuitState.NONE:
            for one in (CircuitState.CLOSED, CircuitState.HALF_OPEN, CircuitState.OPEN):
                circuit.add_metric([sink, one.value], float(metrics.circuit is one))
    return circuit


def _of_dead_letters(letters: DeadLetterMetrics, sinks: list[str]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "logweir_dead_letters", "Dead letters waiting; unreadable lines have no sink.", labels=["sink"]
    )
    for sink in dict.fromkeys([*sinks, *letters.waiting]):
        waiting.add_metric([sink], letters.waiting.get(sink, 0))
    yield waiting
    yield GaugeMetricFamily("logweir_dead_letters_bytes", "Bytes of all dead letters.", value=letters.size)
    yield GaugeMetricFamily(
        "logweir_dead_letters_oldest_age_seconds",
        "How long the oldest dead letter has waited; 0 when there is none.",
        value=letters.oldest_seconds,
    )
    expired = CounterMetricFamily(
        "logweir_dead_letters_expired",
        "Dead letters that this process deleted as routing.yaml declares.",
        labels=["sink"],
    )
    for sink in dict.fromkeys([*sinks, *letters.expired]):
        expired.add_metric([sink], letters.expired.get(sink, 0))
    yield expired


def _of_brokers(brokers: Mapping[str, BrokerMetrics]) -> Iterator[Metric]:
    for name, (text, value) in _PARTITIONS.items():
        gauge = GaugeMetricFamily(f"logweir_broker_{name}", text, labels=["sink", "partition"])
        for sink, broker in brokers.items():
            for state in broker.partitions:
                gauge.add_metric([sink, str(state.partition)], value(state))
        yield gauge
    for name, (text, of) in _BROKERS.items():
        gauge = GaugeMetricFamily(f"logweir_broker_{name}", text, labels=["sink"])
        for sink, broker in brokers.items():
            gauge.add_metric([sink], of(broker))
        yield gauge


def _buckets(distribution: Distribution) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound, as Prometheus has them."""
    bounds = [*map(str, distribution.bounds), "+Inf"]
    sums = accumulate(distribution.counts) if distribution.counts else [0]
    return list(zip(bounds, sums, strict=True))
