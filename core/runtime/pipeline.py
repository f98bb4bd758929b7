"""The pipeline: from a configuration to the parts that run, in one place.

Nothing here does IO: sinks are made, not opened. A reload assembles the next pipeline beside the one in
force, and takes over the channels whose settings did not change, with all that they hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from logweir.capture.asking import snapshotter_of
from logweir.capture.capture import Capture
from logweir.capture.enriching import Enrichers, EnrichingCapture
from logweir.config.models import RoutingConfig
from logweir.config.queue_plan import QueuePlan, delivered_elsewhere, delivered_from_spools, plan_queue
from logweir.config.sinks import context_of
from logweir.config.user_modules import find_function
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.delivery.channel import Channel
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.elsewhere.channel import ElsewhereChannel
from logweir.delivery.elsewhere.queue import ElsewhereQueue
from logweir.delivery.forwarder import Forwarder
from logweir.delivery.queue import EventQueue, Wake
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.queues.spill import SpillQueue
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.spool.spool import Spool
from logweir.delivery.worker import Clock
from logweir.diagnostics import mask_with
from logweir.redaction.reasons import masked
from logweir.routing.classifier import Classifier, take_explicit
from logweir.routing.router import Router
from logweir.runtime.fallbacks import fallback_of, with_fallback, written_to
from logweir.settings.delivery import QueueConfig
from logweir.settings.tls_files import contents_of_files
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkConfig, SinkContext
from logweir.sinks.threaded import as_async

__all__ = [
    "Draft",
    "Pipeline",
    "Surroundings",
    "assemble",
    "capture_of",
    "draft",
    "files_of_sinks",
    "queues_of",
]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the parts need from the runtime.

    Attributes:
        wake: Runs a callback soon on the loop thread.
        receipts: Those that wait for sinks.
        clock: Time.
    """

    wake: Wake
    receipts: OpenReceipts
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
        spool: What is behind all queues on disk; reloads keep it while ``data_dir`` stays.
        files: By sink name, what stood in the files of its TLS; one that is renewed makes a new channel.
    """

    config: RoutingConfig
    classifier: Classifier
    capture: Capture
    router: Router[Channel]
    channels: dict[str, Channel]
    spool: Spool
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def dead_letters(self) -> DeadLetters:
        """What no sink will take."""
        return self.spool.dead_letters


@dataclass(frozen=True, slots=True)
class Draft:
    """A pipeline before it has queues: what is somebody else's code, or may fail, is behind it.

    A queue on disk speaks for what waits there from the moment it is made, in the place of the one before it.

    Attributes:
        config: The configuration.
        around: What the parts need.
        classifier: As in the pipeline.
        capture: Likewise.
        spool: Likewise.
        kept: Channels that are taken over, by sink name.
        ends: What the others write to; none for those that another process delivers to.
        files: As in the pipeline.
    """

    config: RoutingConfig
    around: Surroundings
    classifier: Classifier
    capture: Capture
    spool: Spool
    kept: Mapping[str, Channel]
    ends: Mapping[str, Sink[SinkConfig]]
    files: Mapping[str, tuple[str, ...]]

    def assemble(self) -> Pipeline:
        """Make the queues, and the pipeline over them."""
        config = self.config
        channels = {
            name: self.kept.get(name) or _channel(name, sink, self) for name, sink in config.sinks.items()
        }
        router = Router(config.routes, channels)
        return Pipeline(config, self.classifier, self.capture, router, channels, self.spool, self.files)


def assemble(config: RoutingConfig, around: Surroundings) -> Pipeline:
    """Make the parts of a configuration."""
    return draft(config, around).assemble()


def draft(
    config: RoutingConfig,
    around: Surroundings,
    previous: Pipeline | None = None,
    files: Mapping[str, tuple[str, ...]] | None = None,
) -> Draft:
    """Make the parts of a configuration that stand alone.

    Channels of ``previous`` whose settings, and whose ``files`` of TLS, did not change are taken over with
    all that they hold.
    """
    mask_with(masked)  # before anything of a sink's runs, whose errors are quoted
    files = files_of_sinks(config) if files is None else files
    if previous is not None and _share_spool(config, previous.config):
        spool, kept = previous.spool, _unchanged(config, previous, files)
    else:
        spool, kept = Spool(queues_of(config), DeadLetters(config.data_dir)), {}
    ends = {
        name: _end(name, sink, config, around)
        for name, sink in config.sinks.items()
        if name not in kept and not plan_queue(name, config).is_elsewhere
    }
    classifier = Classifier(config.classify)
    return Draft(config, around, classifier, capture_of(config, classifier), spool, kept, ends, files)


def files_of_sinks(config: RoutingConfig) -> dict[str, tuple[str, ...]]:
    """Read what stands in the files of TLS, by sink name; blocks."""
    return {name: contents_of_files(sink) for name, sink in config.sinks.items()}


def capture_of(config: RoutingConfig, classifier: Classifier) -> Capture:
    """Make what turns calls into events."""
    parts = (
        config.service,
        config.env,
        take_explicit,
        classifier.classify,
        snapshotter_of(config.redact, config.limits),
        classifier.by_head,
        config.fields,
    )
    if not config.enrich:
        return Capture(*parts)
    capture = EnrichingCapture(*parts)
    capture.enrichers = Enrichers({path: find_function(path) for path in config.enrich})
    return capture


def queues_of(config: RoutingConfig) -> Path:
    """The directory of the queues on disk."""
    return config.data_dir / "queues"


def _share_spool(config: RoutingConfig, before: RoutingConfig) -> bool:
    """Whether one spool serves both; who delivers a sink's events is part of what it knows of them."""
    return config.data_dir == before.data_dir and all(
        of(config) == of(before) for of in (delivered_elsewhere, delivered_from_spools)
    )


def _unchanged(
    config: RoutingConfig, previous: Pipeline, files: Mapping[str, tuple[str, ...]]
) -> dict[str, Channel]:
    before = previous.config
    return {
        name: channel
        for name, channel in previous.channels.items()
        if config.sinks.get(name) == channel.config
        and context_of(name, config) == context_of(name, before)
        and plan_queue(name, config) == plan_queue(name, before)
        and fallback_of(name, config) == fallback_of(name, before)
        and all(files[one] == previous.files.get(one) for one in written_to(name, config))
    }


def _channel(name: str, sink: SinkConfig, made: Draft) -> Channel:
    plan = plan_queue(name, made.config)
    around, spool = made.around, made.spool
    if plan.is_elsewhere:
        return _channel_elsewhere(name, sink, plan, around, spool)
    queue, backlog = _queues(name, plan, spool, around)
    channel = Channel(
        name,
        sink,
        made.ends[name],
        queue,
        backlog,
        plan.bounds,
        spool.dead_letters,
        around.receipts,
        around.clock,
    )
    channel.reports_stored = not plan.config.goes_over_a_broker
    return channel


def _end(name: str, sink: SinkConfig, config: RoutingConfig, around: Surroundings) -> Sink[SinkConfig]:
    """What a channel of this process writes to; with a fallback, both as one."""
    plan = plan_queue(name, config)
    end = end_of(sink, plan, context_of(name, config, workers=sink.workers))
    return end if plan.config.goes_over_a_broker else with_fallback(name, config, end, around.clock)


def _channel_elsewhere(
    name: str, sink: SinkConfig, plan: QueuePlan, around: Surroundings, spool: Spool
) -> Channel:
    queue = ElsewhereQueue(
        spool, name, plan.config, plan.when_full, around.wake, clock=around.clock.monotonic
    )
    return ElsewhereChannel(name, sink, queue, plan.bounds, spool, around.receipts, around.clock)


def end_of(sink: SinkConfig, plan: QueuePlan, context: SinkContext) -> Sink[SinkConfig]:
    """What the channel writes to: the sink, or what forwards to the workers that write to it."""
    if plan.config.goes_over_a_broker:
        return Forwarder(sink, make_broker(plan.config, place_of(sink.type, context)), context)
    return as_async(cast(Any, registry.resolve(sink.type))(sink, context))


def _queues(
    name: str, plan: QueuePlan, spool: Spool, around: Surroundings
) -> tuple[EventQueue, EventQueue | None]:
    """The queue of a sink and, where that does not look on the disk itself, the one that does."""
    config, wake, clock = plan.config, around.wake, around.clock.monotonic
    if plan.when_full == "spill":
        return SpillQueue(spool, name, config, plan.at_last, wake, clock=clock), None
    if plan.type == "disk":
        return DiskQueue(spool, name, config, plan.when_full, wake, clock=clock), None
    return MemoryQueue(config, plan.when_full, wake, clock=clock), DiskQueue(
        spool, name, QueueConfig(type="disk"), "block", wake, clock=clock
    )
