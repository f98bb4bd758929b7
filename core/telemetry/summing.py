"""The pictures of several processes as one, and a picture as a document in JSON and back.

What is counted up is added, also of processes that have ended; what is a state is that of the living: queues
are added, of ages the largest counts, of states the worst. All read the same brokers: the latest reading of
each is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from functools import reduce
from typing import Any

from logweir.delivery.brokers.contract import PartitionState
from logweir.delivery.counters import SinkState
from logweir.delivery.fallback.circuit import CircuitState
from logweir.delivery.histogram import BATCH_SIZES, WRITE_SECONDS, Distribution
from logweir.delivery.queue import DropReason
from logweir.telemetry.model import BrokerMetrics, DeadLetterMetrics, Metrics, SinkMetrics

__all__ = ["NOTHING", "counts_of", "document_of", "picture_of", "states_of", "summed"]

#: What nobody has counted yet.
NOTHING = Metrics(sinks={}, processes=0)

_ADDED = ("queue_depth", "set_aside", "in_flight", "queue_bytes", "queue_max_events", "queue_max_bytes")
_LARGEST = ("oldest_seconds", "worker_silent", "in_fallback", "destinations")
_STATES = (*_ADDED, *_LARGEST, "state", "last_error", "circuit")
_WORST_FIRST = (SinkState.DOWN, SinkState.DEGRADED, SinkState.OPENING, SinkState.HEALTHY)
_OPEN_FIRST = (CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED, CircuitState.NONE)
_COUNTED = ("unrouted", "sampled", "truncated", "dropped_at_stop", "left_out", "enrich_errors")


def summed(living: Iterable[Metrics], ended: Metrics = NOTHING) -> Metrics:
    """One picture of all.

    Args:
        living: At least one; what waits in the dead letters, which all share, is taken from the first.
        ended: The counts of processes that live no more; sinks that no living process has are left out.
    """
    together = reduce(_beside, living)
    sinks = {name: sink.after(ended.sinks.get(name, SinkMetrics())) for name, sink in together.sinks.items()}
    return replace(_counted_on(together, ended), sinks=sinks)


def counts_of(ended: Iterable[Metrics]) -> Metrics:
    """What remains of processes that have ended: their counts, and no states."""
    sinks: dict[str, SinkMetrics] = {}
    counts = NOTHING
    for one in ended:
        for name, sink in one.sinks.items():
            sinks[name] = SinkMetrics().after(sink).after(sinks.get(name, SinkMetrics()))
        counts = replace(_counted_on(counts, one), processes=0)
    return replace(counts, sinks=sinks)


def states_of(ended: Metrics) -> Metrics:
    """What a process still shows whose counts are among those that ended: its states."""
    sinks = {
        name: SinkMetrics(**{each: getattr(sink, each) for each in _STATES})
        for name, sink in ended.sinks.items()
    }
    letters = replace(ended.dead_letters, expired={})
    counts: dict[str, Any] = dict.fromkeys(_COUNTED, 0)
    return replace(ended, sinks=sinks, dead_letters=letters, processes=0, **counts)


def _beside(one: Metrics, other: Metrics) -> Metrics:
    names = dict.fromkeys([*one.sinks, *other.sinks])
    sinks = {
        name: _sinks_beside(one.sinks[name], other.sinks[name])
        if name in one.sinks and name in other.sinks
        else one.sinks.get(name) or other.sinks[name]
        for name in names
    }
    return replace(_counted_on(one, other), sinks=sinks, brokers=_latest(one.brokers, other.brokers))


def _latest(one: Mapping[str, BrokerMetrics], other: Mapping[str, BrokerMetrics]) -> dict[str, BrokerMetrics]:
    readings = sorted([*one.items(), *other.items()], key=lambda reading: -reading[1].age)
    return dict(readings)


def _sinks_beside(one: SinkMetrics, other: SinkMetrics) -> SinkMetrics:
    worst = min((one, other), key=lambda sink: _WORST_FIRST.index(sink.state))
    states: dict[str, Any] = {name: getattr(one, name) + getattr(other, name) for name in _ADDED}
    states |= {name: max(getattr(one, name), getattr(other, name)) for name in _LARGEST}
    circuit = min(one.circuit, other.circuit, key=_OPEN_FIRST.index)
    return replace(
        one.after(other), **states, state=worst.state, last_error=worst.last_error, circuit=circuit
    )


def _counted_on(one: Metrics, other: Metrics) -> Metrics:
    counts: dict[str, Any] = {name: getattr(one, name) + getattr(other, name) for name in _COUNTED}
    expired = dict(one.dead_letters.expired)
    for sink, number in other.dead_letters.expired.items():
        expired[sink] = expired.get(sink, 0) + number
    letters = replace(one.dead_letters, expired=expired)
    return replace(one, **counts, dead_letters=letters, processes=one.processes + other.processes)


def document_of(metrics: Metrics) -> dict[str, Any]:
    """A picture as what JSON knows."""
    return asdict(metrics)


def picture_of(document: dict[str, Any]) -> Metrics:
    """A picture that :func:`document_of` made, maybe by another version.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    plain = {name: document[name] for name in (*_COUNTED, "processes") if name in document}
    letters = DeadLetterMetrics(**_known(DeadLetterMetrics, document.get("dead_letters", {})))
    sinks = {name: _sink_of(sink) for name, sink in document["sinks"].items()}
    brokers = {name: _broker_of(broker) for name, broker in document.get("brokers", {}).items()}
    return Metrics(sinks=sinks, dead_letters=letters, brokers=brokers, **plain)


def _broker_of(document: dict[str, Any]) -> BrokerMetrics:
    values = _known(BrokerMetrics, document)
    partitions = [PartitionState(**_known(PartitionState, one)) for one in document.get("partitions", ())]
    return BrokerMetrics(**{**values, "partitions": tuple(partitions)})


def _sink_of(document: dict[str, Any]) -> SinkMetrics:
    values = _known(SinkMetrics, document)
    values["dropped"] = {DropReason(reason): count for reason, count in document["dropped"].items()}
    values["state"] = SinkState(document["state"])
    values["circuit"] = CircuitState(document.get("circuit", CircuitState.NONE))
    for name, bounds in (("batch_sizes", BATCH_SIZES), ("write_latency", WRITE_SECONDS)):
        of = document[name]
        values[name] = Distribution(tuple(of["bounds"]), tuple(of["counts"]), of["total"])
        if of["bounds"] and values[name].bounds != bounds:
            raise ValueError(f"{name} has other buckets")
    return SinkMetrics(**values)


def _known(of: Any, document: dict[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(of)}
    return {name: value for name, value in document.items() if name in names}
