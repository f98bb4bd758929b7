"""The sink that a channel writes to, with its fallback, if routing.yaml gives it one."""

from __future__ import annotations

from typing import Any, cast

from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.fallback.circuit import Circuit
from logweir.delivery.fallback.diverting import Diverting
from logweir.delivery.fallback.ledger import Ledger
from logweir.delivery.worker import Clock
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.threaded import as_async

__all__ = ["fallback_of", "with_fallback", "written_to"]


def fallback_of(name: str, config: RoutingConfig) -> SinkConfig | None:
    """The settings of a sink's fallback; None if it has none."""
    fallback = config.sinks[name].fallback
    return None if fallback is None else config.sinks[fallback.to]


def written_to(name: str, config: RoutingConfig) -> tuple[str, ...]:
    """The sinks that the channel of a sink may write to, by their names."""
    fallback = config.sinks[name].fallback
    return (name,) if fallback is None else (name, fallback.to)


def with_fallback(name: str, config: RoutingConfig, sink: Sink[SinkConfig], clock: Clock) -> Sink[SinkConfig]:
    """What delivers to a sink: the sink itself, or both as one; nothing is opened yet.

    Raises:
        MissingDependency: The driver of the fallback is not installed.
    """
    settings, other = config.sinks[name].fallback, fallback_of(name, config)
    if settings is None or other is None:
        return sink
    # An instance of its own, which lives as long as this one: that of the other channel may be replaced.
    context = context_of(settings.to, config, workers=sink.config.workers)
    made = as_async(cast(Any, registry.resolve(other.type))(other, context))
    circuit = Circuit(settings, sink.config.retry, clock.monotonic)
    return Diverting(sink, made, settings, circuit, Ledger(config.data_dir, name, settings.to))
