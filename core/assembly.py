"""Assembly: from a configuration to the parts that run, in one place.

Nothing here does IO beyond reading the configuration: sinks are made, not opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from logweir.capture.capture import Capture
from logweir.capture.snapshot import Snapshotter
from logweir.config.loading import ConfigSource, load
from logweir.config.models import RoutingConfig
from logweir.config.queueing import QueuePlan, audit_routes, plan_queue
from logweir.delivery.channel import Channel
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queue import EventQueue, Wake
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.queues.spill import SpillQueue
from logweir.delivery.receipts import AckTracker
from logweir.delivery.spool.spool import DiskStore
from logweir.delivery.worker import Clock
from logweir.errors import ConfigError
from logweir.routing.classifier import Classifier, take_explicit
from logweir.routing.router import Router
from logweir.settings.delivery import QueueConfig
from logweir.sinks import registry
from logweir.sinks.contract import SinkConfig, SinkContext, lacking_for_retention
from logweir.sinks.tamper_evidence import Chained, Chaining
from logweir.sinks.threaded import as_async

__all__ = ["ConfigSource", "Pipeline", "Surroundings", "assemble", "context_of", "load_config"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the parts need from the runtime.

    Attributes:
        wake: Runs a callback soon on the host's loop.
        acknowledgements: Receipts that wait for sinks.
        clock: Time.
    """

    wake: Wake
    acknowledgements: AckTracker
    clock: Clock


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything that one configuration makes; replaced as a whole by a reload.

    Attributes:
        config: The configuration.
        classifier: Decides kinds.
        capture: Makes events.
        router: Finds the channels of an event.
        channels: By sink name.
        store: What is behind all queues on disk; reloads keep it while ``data_dir`` stays.
    """

    config: RoutingConfig
    classifier: Classifier
    capture: Capture
    router: Router[Channel]
    channels: dict[str, Channel]
    store: DiskStore

    @property
    def dead_letters(self) -> DeadLetters:
        """What no sink will take."""
        return self.store.dead_letters


def load_config(source: ConfigSource) -> RoutingConfig:
    """Read and validate a configuration: a path, a mapping, or one that is ready.

    Raises:
        ConfigError: With every problem and its place.
    """
    return load(source, resolve=registry.resolve, inspect=_inspect)


def _inspect(config: RoutingConfig) -> list[tuple[tuple[str | int, ...], str]]:
    """Find what is wrong with the patterns of redaction, and what sinks lack, which only they know."""
    try:
        config.redact.redactor()
    except ConfigError as error:
        return [(("redact", "patterns"), problem.message) for problem in error.problems]
    return [
        *_unchained(config),
        *(
            (("sinks", name, "retention"), f"{problem}; remove retention, or give the sink another type")
            for name, sink in config.sinks.items()
            for problem in _lacking(sink)
        ),
    ]


def _unchained(config: RoutingConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Whether rows are to be chained, and audit goes nowhere where they could be."""
    if not config.audit.chain:
        return
    names = {name for route in audit_routes(config.routes) for name in route.to}
    if not any(issubclass(registry.resolve(config.sinks[name].type), Chained) for name in names):
        problem = "audit.chain links rows of relational sinks, and no audit route leads to one; "
        advice = "send audit to a sink of type sqlite, mysql or postgresql, or remove chain"
        yield ("audit", "chain"), problem + advice


def _lacking(sink: SinkConfig) -> Iterator[str]:
    """What a sink cannot do that its retention needs."""
    for rule in sink.retention or ():
        problem = lacking_for_retention(registry.resolve(sink.type), archive=rule.archive is not None)
        if problem:
            yield f"sinks of type {sink.type} cannot have this: {problem}"


def context_of(name: str, config: RoutingConfig, *, workers: int = 1) -> SinkContext:
    """Return what a sink may know of the process."""
    audit = config.audit
    return SinkContext(
        name=name,
        service=config.service,
        env=config.env,
        data_dir=config.data_dir,
        workers=workers,
        chaining=Chaining(audit.chain_key) if audit.chain else None,
    )


def assemble(config: RoutingConfig, around: Surroundings, previous: Pipeline | None = None) -> Pipeline:
    """Make the parts of a configuration.

    Channels of ``previous`` whose settings did not change are taken over with all that they hold.
    """
    kept = _unchanged(config, previous) if previous else {}
    if previous is not None and previous.config.data_dir == config.data_dir:
        store = previous.store
    else:
        store = DiskStore(config.data_dir / "queues", DeadLetters(config.data_dir))
    channels = {
        name: kept.get(name) or _channel(name, sink, config, around, store)
        for name, sink in config.sinks.items()
    }
    classifier = Classifier(config.classify)
    capture = Capture(
        config.service,
        config.env,
        take_explicit,
        classifier.classify,
        Snapshotter(config.redact.redactor(), config.limits),
    )
    return Pipeline(config, classifier, capture, Router(config.routes, channels), channels, store)


def _unchanged(config: RoutingConfig, previous: Pipeline) -> dict[str, Channel]:
    before = previous.config
    return {
        name: channel
        for name, channel in previous.channels.items()
        if config.sinks.get(name) == channel.config
        and context_of(name, config) == context_of(name, before)
        and plan_queue(name, config) == plan_queue(name, before)
    }


def _channel(
    name: str, sink: SinkConfig, config: RoutingConfig, around: Surroundings, store: DiskStore
) -> Channel:
    context = context_of(name, config, workers=sink.workers)
    sink_class = registry.resolve(sink.type)
    plan = plan_queue(name, config)
    queue, backlog = _queues(name, plan, store, around.wake)
    return Channel(
        name,
        sink,
        as_async(cast(Any, sink_class)(sink, context)),
        queue,
        backlog,
        plan.bounds,
        store.dead_letters,
        around.acknowledgements,
        around.clock,
    )


def _queues(name: str, plan: QueuePlan, store: DiskStore, wake: Wake) -> tuple[EventQueue, EventQueue | None]:
    """The queue of a sink and, where that does not look on the disk itself, the one that does."""
    config = plan.config
    if plan.when_full == "spill":
        return SpillQueue(store, name, config, plan.at_last, wake), None
    if plan.type == "disk":
        return DiskQueue(store, name, config, plan.when_full, wake), None
    return MemoryQueue(config, plan.when_full, wake), DiskQueue(
        store, name, QueueConfig(type="disk"), "block", wake
    )
