"""The runtime: what stands between a log call and the sinks.

``emit`` costs the caller microseconds, never raises, never waits for a backend and never blocks an
event loop. ``stop`` drains. A reload replaces the pipeline as a whole and loses nothing: events that
meet a queue in the middle of its closing are routed again, and queues on disk are handed on as they
are. A fork's child gets queues of its own and starts delivering at its first event; what the parent had
queued stays the parent's.

At a stop, what could not be delivered is kept on disk for the next start: what waits in queues on disk
stays there, and what waits in memory is saved beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from logweir.config.loading import ConfigSource, load_config
from logweir.config.models import RoutingConfig
from logweir.delivery import direct_write
from logweir.delivery.channel import Channel
from logweir.delivery.dead_letters import DeadLetterPruner
from logweir.delivery.outbox import OutboxRelay
from logweir.delivery.queue import DropReason, OnDurable, PutResult
from logweir.delivery.receipts import AckLevel, OpenReceipts, Receipt
from logweir.delivery.spool.housekeeping import Housekeeping
from logweir.delivery.spool.spool import Spool
from logweir.delivery.worker import Clock
from logweir.diagnostics import report
from logweir.errors import AuditError, LogweirError
from logweir.event import Event, Kind
from logweir.metrics.losses import LossReporter
from logweir.metrics.model import DeadLetterMetrics, Metrics, SinkMetrics
from logweir.process import standstill
from logweir.process.loop_thread import LoopThread
from logweir.process.threads import in_thread, on_event_loop
from logweir.routing.classifier import take_explicit
from logweir.routing.router import SAMPLED
from logweir.runtime.pipeline import Pipeline, Surroundings, assemble
from logweir.sinks.contract import Transactional
from logweir.stores.archive.schedule import RetentionSchedule

if TYPE_CHECKING:
    from logweir.metrics.server import MetricsServer

__all__ = ["Runtime"]

#: How much longer than the drain itself a caller waits for it: cancelled channels need a moment.
_GRACE = 5.0
#: How long serving metrics waits for a look at the dead letters.
_LOOKING = 1.0


class Runtime:
    """Routes events to sinks; made by :func:`logweir.start`.

    Args:
        config: A validated configuration.
        clock: Time for back-off; injected by tests.
    """

    def __init__(self, config: RoutingConfig, *, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._prepare(config)

    def _prepare(self, config: RoutingConfig) -> None:
        """Make all that must not be shared with another process."""
        self._lock = threading.RLock()
        self._books = threading.RLock()
        self._host = LoopThread(self._on_host_start)
        self._acknowledgements = OpenReceipts()
        self._around = Surroundings(self._host.call_soon, self._acknowledgements, self._clock)
        self._pipeline = assemble(config, self._around)
        self._stores = [self._pipeline.store]
        self._caretaker = Housekeeping(self._on_disk)
        self._history: dict[str, SinkMetrics] = {}
        self._retiring: list[Channel] = []
        self._unrouted = self._sampled = self._dropped_at_stop = 0
        self._stopped: bool | None = None
        self._reporter = LossReporter(self.metrics)
        self._relay = OutboxRelay(self._outboxes, self._forward)
        self._keeper = DeadLetterPruner(
            lambda: (self._pipeline.dead_letters, self._pipeline.config.dead_letters)
        )
        self._metrics_server: MetricsServer | None = None
        self._import_metrics_server(config)
        self._retention = RetentionSchedule(lambda: self.config)
        self._background: set[asyncio.Task[None]] = set()
        self._retirements: set[asyncio.Task[None]] = set()

    @property
    def config(self) -> RoutingConfig:
        """The configuration in force."""
        return self._pipeline.config

    # -- life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the host's thread; sinks are opened in the background."""
        self._serve_metrics()
        self._host.start()

    def wait_for_sinks(self, timeout: float) -> None:
        """Wait until each sink was opened or could not be, at most ``timeout`` seconds."""
        with contextlib.suppress(TimeoutError):
            self._host.run(self._sinks_tried(), timeout)

    async def await_sinks(self, timeout: float) -> None:
        """As :meth:`wait_for_sinks`, on any event loop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._host.run_from_loop(self._sinks_tried()), timeout)

    async def _sinks_tried(self) -> None:
        channels = self._pipeline.channels.values()
        await asyncio.gather(*(channel.opened_or_not() for channel in channels), self._caretaker.ran_once())

    def _on_disk(self) -> tuple[Spool, set[str]]:
        with self._books:
            return self._pipeline.store, {channel.name for channel in self._all_channels()}

    def _on_host_start(self) -> None:
        for channel in self._pipeline.channels.values():
            channel.start()
        _keep(self._reporter.run(), self._background)
        _keep(self._relay.run(), self._background)
        _keep(self._caretaker.run(), self._background)
        _keep(self._keeper.run(), self._background)
        _keep(self._retention.run(), self._background)
        self._serve_metrics()  # in a fork's child, nobody else does

    def before_fork(self) -> None:
        """Bring delivery to a standstill, for a moment, in which the process can be copied."""
        if self._host.is_running() and not self._host.is_current_thread():
            with contextlib.suppress(TimeoutError):  # the loop has just ended: nothing is half done
                standstill.hold(self._host.submit)

    def after_fork(self) -> None:
        """Begin anew in a fork's child.

        The inherited parts are kept alive and untouched: closing them would disturb the parent.
        """
        self._inherited = (self._pipeline, self._host, self._retiring, getattr(self, "_inherited", None))
        self._prepare(self._pipeline.config)

    def stop(self, timeout: float | None = None) -> bool:
        """Refuse new events, drain, close the sinks and end the thread; idempotent, from any thread.

        Args:
            timeout: Seconds to drain; by default the configuration's ``drain_timeout``.

        Returns:
            Whether everything accepted was delivered or is safe on disk.

        Raises:
            LogweirError: When called on the runtime's own thread, which would wait for itself.
        """
        self._refuse_from_inside("stop")
        with self._lock:
            if self._stopped is None:
                self._stopped = self._drain(self.config.drain_timeout if timeout is None else timeout)
                self._host.stop()
                self._reporter.report()
                if self._metrics_server is not None:
                    self._metrics_server.stop()
            return self._stopped

    def _drain(self, timeout: float) -> bool:
        before = self._lost()
        leftovers: list[tuple[Channel, list[Event]]] = []
        if any(channel.statistics().depth for channel in self._all_channels()):
            self._host.start()  # a short life: nothing was on disk yet that could have started it
        if self._host.is_running():
            try:
                leftovers = self._host.run(self._finish_all(timeout), timeout + _GRACE)
            except TimeoutError:
                report(
                    "stop", "the drain did not end within %.1f s: a sink blocks the loop", timeout + _GRACE
                )
        leftovers += [(channel, channel.let_go()) for channel in self._all_channels()]
        for channel, events in leftovers:
            if not self._save(channel, events):
                channel.count_lost(events)
        for store in self._stores:
            if not store.close():
                for channel in self._all_channels():
                    channel.count_lost(store.give_up(channel.name))
        self._acknowledgements.end()
        for channel in self._all_channels():
            channel.report_kept()
        return self._lost() == before

    async def _finish_all(self, timeout: float) -> list[tuple[Channel, list[Event]]]:
        await asyncio.gather(self._relay.stop(), self._retention.stop())
        channels = self._all_channels()
        leftovers = await asyncio.gather(*(channel.finish(timeout) for channel in channels))
        if self._retirements:
            await asyncio.wait(self._retirements, timeout=_GRACE / 2)
        return list(zip(channels, leftovers, strict=True))

    def _save(self, channel: Channel, events: Sequence[Event]) -> bool:
        """Keep on disk what a channel could not deliver; False if the disk does not take it."""
        if events:
            try:
                self._pipeline.store.save(channel.name, events)
            except OSError as error:
                report(f"{channel.name}.save", "sink %r: what waits cannot be saved: %s", channel.name, error)
                return False
            channel.count_saved(events)
        return True

    def _lost(self) -> int:
        return sum(sink.dropped.get(DropReason.SHUTDOWN, 0) for sink in self.metrics().sinks.values())

    def _all_channels(self) -> list[Channel]:
        return [*self._pipeline.channels.values(), *self._retiring]

    def _refuse_from_inside(self, call: str) -> None:
        if self._host.is_current_thread():
            raise LogweirError(f"{call}() was called from inside a sink; it would wait for itself")

    # -- events -------------------------------------------------------------------------------------

    def emit(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        level: str = "info",
        kind: Kind | None = None,
        time_ns: int | None = None,
        event_id: str | None = None,
    ) -> Event | None:
        """Make an event and hand it to the queues of its sinks.

        Args:
            name: What happened.
            fields: Everything else; taken over by the runtime.
            level: Its level.
            kind: Its kind, when it is known; otherwise it is classified.
            time_ns: When it happened, nanoseconds since 1970-01-01 UTC; now by default.
            event_id: Its UUIDv7, when it has one already; a new one by default.

        Returns:
            The event, or None if it could not be made (which is told, and never raised).
        """
        try:
            event = self._pipeline.capture(name, fields, level, kind, time_ns, event_id)
            self.dispatch(event)
        except Exception as error:  # noqa: BLE001 - a log call must never break its caller
            report("emit", "an event could not be captured: %r", error)
            return None
        return event

    def emit_audit(
        self, name: str, fields: dict[str, Any], *, level: str = "info", acknowledge: AckLevel = "stored"
    ) -> Receipt:
        """Emit an audit event whose acknowledgement can be waited for.

        Args:
            name: The action.
            fields: Everything else; taken over by the runtime.
            level: The event's level.
            acknowledge: The highest level that the receipt will be asked for. When the disk cannot take it,
                an event is refused; one that nobody waits for beyond ``accepted`` is kept and tried again.
        """
        event = self._pipeline.capture(name, fields, level, Kind.AUDIT)
        while True:
            pipeline = self._pipeline
            channels = pipeline.router.route(event)
            receipt = Receipt(event, tuple(channel.name for channel in channels))
            if not channels:
                self._count_unrouted(channels)
                receipt.refused("no route takes it; add one with match: {kind: audit}")
                return receipt
            answers = self._put_audit(receipt, channels, acknowledge)
            if pipeline is self._pipeline or set(answers) != {PutResult.CLOSED}:
                return receipt

    def _put_audit(
        self, receipt: Receipt, channels: Sequence[Channel], acknowledge: AckLevel
    ) -> list[PutResult]:
        """Put an audit event, and tell its receipt which queues did not accept it."""
        waits = acknowledge != "accepted"
        # What every queue tells by itself need not be asked of the sinks.
        if waits and (acknowledge == "stored" or not all(channel.queue.durable for channel in channels)):
            self._acknowledgements.watch(receipt)
        answers = [
            self._put(channel, receipt.event, receipt.on_durable(channel.name) if waits else None)
            for channel in channels
        ]
        for channel, answer in zip(channels, answers, strict=True):
            if answer is not PutResult.ACCEPTED:
                receipt.refused(f"sink {channel.name!r}: its queue answered {answer.value}")
                self._acknowledgements.settled(channel.name, receipt.event)
        return answers

    # -- explicit rows ------------------------------------------------------------------------------

    def capture(self, name: str, fields: dict[str, Any], *, level: str, kind: Kind) -> Event:
        """Make an event and send it nowhere; takes ownership of ``fields``."""
        return self._pipeline.capture(name, fields, level, kind)

    def transactional_sink(self, event: Event, name: str | None = None) -> Transactional:
        """The sink whose table an explicit row goes into; see :func:`find_transactional`.

        Raises:
            LogweirError: There is none, or the one wanted cannot take it.
        """
        return direct_write.transactional(self._explicit_channel(event, name))

    async def record(self, event: Event, sink: str | None = None, timeout: float | None = None) -> None:
        """Write a row at once in a transaction of the sink's own; awaited on any event loop.

        Raises:
            AuditError: It was not written in time, or never will be.
            LogweirError: No sink can take it.
        """
        try:
            await self._host.run_from_loop(self._record(event, sink, timeout))
        except TimeoutError as error:
            raise AuditError(f"event {event.id} ({event.name}) was not written: {error}") from None

    def record_sync(self, event: Event, sink: str | None = None, timeout: float | None = None) -> None:
        """Do what :meth:`record` does, waiting in this thread.

        Raises:
            AuditError: It was not written in time, or never will be; or it would block an event loop.
            LogweirError: No sink can take it.
        """
        self._refuse_from_inside("record_sync")
        if on_event_loop():
            raise AuditError(
                f"writing {event.name!r} would block the event loop; await the asynchronous method instead"
            )
        try:
            self._host.run(self._record(event, sink, timeout), None)
        except TimeoutError as error:
            raise AuditError(f"event {event.id} ({event.name}) was not written: {error}") from None

    async def _record(self, event: Event, sink: str | None, timeout: float | None) -> None:
        seconds = self.config.audit.timeout if timeout is None else timeout
        await direct_write.record(self._explicit_channel(event, sink), event, seconds, self._clock)

    def _outboxes(self) -> list[Channel]:
        return [channel for channel in self._pipeline.channels.values() if direct_write.has_outbox(channel)]

    async def _forward(self, event: Event, source: str) -> None:
        """Hand an event of an outbox to the other sinks of its route, and wait until all have it for good.

        Where a queue is on disk, it has it for good.

        Raises:
            AuditError: Not all have it.
        """
        channels = [channel for channel in self._pipeline.router.route(event) if channel.name != source]
        if channels:
            receipt = Receipt(event, tuple(channel.name for channel in channels))
            self._put_audit(receipt, channels, "durable")
            await receipt.acknowledged("durable", self.config.audit.timeout)

    def _explicit_channel(self, event: Event, name: str | None) -> Channel:
        pipeline = self._pipeline
        return direct_write.find_transactional(pipeline.channels, pipeline.router.route(event), name)

    def dispatch(self, event: Event) -> None:
        """Hand a ready event to the queues of its sinks."""
        channels = self._pipeline.router.route(event)
        if not channels:
            self._count_unrouted(channels)
        for channel in channels:
            if channel.put(event) is PutResult.CLOSED:
                done = channels.index(channel)
                self._dispatch_after_reload(event, channels[:done], channels[done:])
                return

    def _dispatch_after_reload(self, event: Event, given: Sequence[Channel], left: Sequence[Channel]) -> None:
        """Go on with a fan-out that met the closed queue of a sink which a reload changed or removed.

        What is left goes to the successors, and if one of the sinks is gone, also where the new routes say.
        """
        pipeline = self._pipeline
        names = dict.fromkeys(channel.name for channel in left)
        if not names.keys() <= pipeline.channels.keys():
            names.update(dict.fromkeys(channel.name for channel in pipeline.router.route(event)))
        had = {channel.name for channel in given}
        targets = [pipeline.channels[name] for name in names if name in pipeline.channels and name not in had]
        for number, channel in enumerate(targets):
            if channel.put(event) is PutResult.CLOSED:
                if pipeline is self._pipeline:
                    self._dropped_at_stop += 1
                else:
                    self._dispatch_after_reload(event, [*given, *targets[:number]], targets[number:])
                return

    def _put(self, channel: Channel, event: Event, on_durable: OnDurable | None = None) -> PutResult:
        """Put, following a channel that a reload has replaced to its successor."""
        while (result := channel.put(event, on_durable)) is PutResult.CLOSED:
            successor = self._pipeline.channels.get(channel.name)
            if successor is None or successor is channel:
                self._dropped_at_stop += successor is channel
                break
            channel = successor
        return result

    def _count_unrouted(self, answer: object) -> None:
        if answer is SAMPLED:
            self._sampled += 1
        else:
            self._unrouted += 1

    def snapshot(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Redact and copy fields as an event would; never raises."""
        return self._pipeline.capture.snapshot(fields)[0]

    def redact(self, text: str) -> str:
        """Mask the secrets in text that never became an event, such as a line that cannot be read."""
        return self._pipeline.capture.snapshot.redactor.redact_description(text)

    def classify(self, level: str, name: str, fields: dict[str, Any]) -> Kind:
        """Decide the kind as an event would; removes ``persist_db`` and ``kind`` from ``fields``."""
        return take_explicit(fields) or self._pipeline.classifier.classify(level, name, fields)

    # -- waiting ------------------------------------------------------------------------------------

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait in this thread until everything accepted so far is settled; False if time ran out.

        Raises:
            LogweirError: When called on the runtime's own thread, which would wait for itself.
        """
        self._refuse_from_inside("flush")
        try:
            return self._host.run(self._settled(timeout), timeout + _GRACE)
        except TimeoutError:
            return False

    async def aflush(self, timeout: float = 10.0) -> bool:
        """Wait, on any event loop, until everything accepted so far is settled."""
        try:
            return await asyncio.wait_for(self._host.run_from_loop(self._settled(timeout)), timeout + _GRACE)
        except TimeoutError:
            return False

    async def _settled(self, timeout: float) -> bool:
        channels = self._all_channels()
        try:
            async with asyncio.timeout(timeout):
                await self._caretaker.ran_once()
                await asyncio.gather(*(channel.settled() for channel in channels))
        except TimeoutError:
            return False
        return True

    # -- reload -------------------------------------------------------------------------------------

    def reload(self, config: ConfigSource) -> None:
        """Replace the configuration; sinks that did not change are kept with all they hold.

        A queue on disk is handed on as it is. Events in the memory queues of changed sinks are delivered
        by the old sink, and what it cannot deliver within ``drain_timeout`` goes, over the disk, to the new
        sink of the same name. What is left for a sink that is gone becomes dead letters.

        Raises:
            ConfigError: The new configuration is wrong; the old one stays in force.
            LogweirError: The runtime has stopped, or this is its own thread.
        """
        self._refuse_from_inside("reload")
        new_config = load_config(config)
        with self._lock:
            if self._stopped is not None:
                raise LogweirError("the runtime has stopped; call logweir.start(...) instead of reload")
            self._host.run(self._replace(new_config), timeout=None)
            self._import_metrics_server(new_config)
            self._serve_metrics()

    async def _replace(self, config: RoutingConfig) -> None:
        old = self._pipeline
        new = assemble(config, self._around, old)
        for channel in new.channels.values():
            channel.start()
        retiring = [
            channel for name, channel in old.channels.items() if new.channels.get(name) is not channel
        ]
        with self._books:
            self._retiring = [*self._retiring, *retiring]
            self._pipeline = new
        if new.store is not old.store:
            self._stores.append(new.store)
        for channel in retiring:
            channel.close_queues()
        _keep(self._retire_all(old, retiring), self._retirements)

    async def _retire_all(self, old: Pipeline, channels: Sequence[Channel]) -> None:
        """Finish what a reload replaced; what waits in another data directory comes along."""
        await asyncio.gather(*(self._retire(channel, old.config.drain_timeout) for channel in channels))
        current = self._pipeline.store
        if old.store is not current and self._stopped is None:
            await in_thread(old.store.close)
            await in_thread(lambda: current.adopt(old.store.directory))
        self._caretaker.hurry()

    async def _retire(self, channel: Channel, timeout: float) -> None:
        leftovers = await channel.finish(timeout)
        await in_thread(lambda: self._hand_over(channel, leftovers))
        with self._books:
            self._retiring = [other for other in self._retiring if other is not channel]
            earlier = self._history.get(channel.name, SinkMetrics())
            totals = _metrics_of(channel).after(earlier)
            self._history[channel.name] = replace(
                totals, queue_depth=0, in_flight=0, queue_bytes=0, oldest_seconds=0.0
            )

    def _hand_over(self, channel: Channel, events: Sequence[Event]) -> None:
        """Bring what waited in memory to the successor: over the disk, or from hand to hand."""
        if self._save(channel, events):
            return
        successor = self._pipeline.channels.get(channel.name)
        for number, event in enumerate(events):
            if successor is None or self._put(successor, event) is PutResult.CLOSED:
                channel.count_lost(events[number:])
                return
            channel.counters.moved += 1

    # -- observation --------------------------------------------------------------------------------

    def metrics(self) -> Metrics:
        """The counts up to now, from any thread."""
        with self._books:  # a reload moves channels about
            sinks = dict(self._history)
            for channel in [*self._retiring, *self._pipeline.channels.values()]:
                sinks[channel.name] = _metrics_of(channel).after(sinks.get(channel.name, SinkMetrics()))
        return Metrics(
            sinks=sinks,
            unrouted=self._unrouted,
            sampled=self._sampled,
            truncated=self._pipeline.capture.snapshot.truncated,
            dropped_at_stop=self._dropped_at_stop,
            dead_letters=DeadLetterMetrics.of(self._pipeline.dead_letters.totals, self._keeper.expired),
        )

    @property
    def metrics_url(self) -> str | None:
        """Where Prometheus finds the metrics of this process, if they are served."""
        return self._metrics_server.url if self._metrics_server is not None else None

    def _import_metrics_server(self, config: RoutingConfig) -> None:
        if config.metrics is not None and self._metrics_server is None:
            from logweir.metrics.server import MetricsServer  # noqa: PLC0415 - only who serves pays for it

            self._metrics_server = MetricsServer(self._fresh_metrics)

    def _serve_metrics(self) -> None:
        if self._metrics_server is not None:
            self._metrics_server.follow(self._pipeline.config.metrics)

    def _fresh_metrics(self) -> Metrics:
        """The counts after a look at the dead letters, which other processes write too; blocks."""
        with contextlib.suppress(TimeoutError):
            self._host.run(self._keeper.prune(), _LOOKING)
        return self.metrics()


def _keep(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    """Run work in the background; the loop alone would not keep it alive."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _metrics_of(channel: Channel) -> SinkMetrics:
    return SinkMetrics.of(channel.statistics(), channel.counters, channel.bounds)
