"""What a sink's queue is where routing.yaml leaves it open. Pure.

A sink that audit can reach waits on disk and never drops; one that only tracing reaches waits in memory
and forgets its oldest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from logweir.config.models import RouteConfig, RoutingConfig
from logweir.config.reachability import may_take
from logweir.event import Kind
from logweir.settings.delivery import Bounds, QueueConfig, QueueType, WhenFull

__all__ = [
    "QueuePlan",
    "audit_routes",
    "delivered_elsewhere",
    "delivered_from_spools",
    "delivered_here",
    "plan_queue",
    "with_retention_of",
]


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """A sink's queue, with nothing left open.

    Attributes:
        config: What routing.yaml says.
        type: Where events wait.
        when_full: What it does when it is full.
        at_last: What it does when there is nothing left to spill to.
    """

    config: QueueConfig
    type: QueueType
    when_full: WhenFull
    at_last: WhenFull

    @property
    def is_elsewhere(self) -> bool:
        """Whether a worker process takes the events out of it."""
        return self.config.deliver == "elsewhere"

    @property
    def bounds(self) -> Bounds:
        """How much may wait, in memory and on disk together."""
        own = self.config.bounds(self.type)
        if self.when_full != "spill":
            return own
        spilled = self.config.of_spill().bounds("disk")
        return Bounds(own.events + spilled.events, own.size + spilled.size)


def plan_queue(name: str, config: RoutingConfig) -> QueuePlan:
    """Decide on the queue of one sink."""
    declared = config.sinks[name].queue
    on_disk = declared.deliver == "elsewhere"
    audited = any(name in route.to for route in audit_routes(config.routes))
    own: QueueType | None = declared.type
    spills = declared.when_full == "spill"
    if declared.goes_over_a_broker:
        own = "disk" if declared.local == "disk" else "memory" if declared.local else None
        # What only tracing fills has room on disk while the broker is away, unless the file says otherwise.
        spills = spills or (
            declared.when_full is None
            and declared.local != "none"
            and own != "disk"
            and not (on_disk or audited)
        )
    default: WhenFull = "block" if audited else "drop_oldest"
    return QueuePlan(
        declared,
        own or ("disk" if on_disk or (audited and not spills) else "memory"),
        "spill" if spills else declared.when_full or default,
        default if spills else declared.when_full or default,
    )


def delivered_elsewhere(config: RoutingConfig) -> set[str]:
    """The sinks that worker processes deliver to, from the spools of their host or from a broker."""
    return {
        name
        for name, sink in config.sinks.items()
        if sink.queue.deliver == "elsewhere" or sink.queue.goes_over_a_broker
    }


def delivered_from_spools(config: RoutingConfig) -> set[str]:
    """Those of them whose events a worker of this very host has to deliver, or to forward to a broker."""
    return {name for name, sink in config.sinks.items() if sink.queue.deliver == "elsewhere"}


def delivered_here(config: RoutingConfig) -> set[str]:
    """The sinks that each process delivers to by itself."""
    return config.sinks.keys() - delivered_elsewhere(config)


def with_retention_of(config: RoutingConfig, sinks: Collection[str]) -> RoutingConfig:
    """The configuration with the retention rules of these sinks alone: one process does those of a sink."""
    return config.model_copy(
        update={
            "sinks": {
                name: sink if name in sinks else sink.model_copy(update={"retention": None})
                for name, sink in config.sinks.items()
            }
        }
    )


def audit_routes(routes: Sequence[RouteConfig]) -> list[RouteConfig]:
    """The routes that may take audit events."""
    return [route for index, route in enumerate(routes) if may_take(routes, index, Kind.AUDIT)]
