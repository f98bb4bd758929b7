"""The runtime: what stands between a log call and the sinks.

``emit`` costs the caller microseconds, never raises, never waits for a backend and never blocks an
event loop. ``stop`` drains. :mod:`logweir.runtime.fan_out` hands events to the queues,
:mod:`logweir.runtime.reload` replaces the pipeline, and :mod:`logweir.runtime.explicit_rows` writes past the
queues. A fork's child gets queues of its own and starts delivering at its first event; what the parent had
queued stays the parent's.

At a stop, what could not be delivered is kept on disk for the next start: what waits in queues on disk
stays there, and what waits in memory is saved beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any

from logweir.capture.ordinary import NOTHING_BOUND, Bound
from logweir.config.loading import ConfigSource, load_config
from logweir.config.models import RoutingConfig
from logweir.config.queue_plan import delivered_here, with_retention_of
from logweir.delivery.dead_letters import DeadLetterPruner
from logweir.delivery.outbox import OutboxRelay
from logweir.delivery.queues.bounded import interrupts_delivery
from logweir.delivery.receipts import AckLevel, OpenReceipts, Receipt
from logweir.delivery.spool.housekeeping import Housekeeping
from logweir.delivery.worker import Clock
from logweir.diagnostics import report
from logweir.errors import LogweirError
from logweir.event import Event, Kind
from logweir.process import hooks, standstill
from logweir.process.delivering import is_delivering
from logweir.process.lasting import LastingTask
from logweir.process.loop_thread import LoopThread
from logweir.process.patience import waitable
from logweir.routing.classifier import take_explicit
from logweir.runtime.drain import GRACE, Drain
from logweir.runtime.explicit_rows import ExplicitRows
from logweir.runtime.fan_out import FanOut
from logweir.runtime.feedback import Feedback
from logweir.runtime.late_lines import LateLines
from logweir.runtime.permit import Permit
from logweir.runtime.pipeline import Pipeline, Surroundings, assemble, files_of_sinks
from logweir.runtime.reload import Reload
from logweir.runtime.secret_watch import SecretWatch
from logweir.sinks.contract import Transactional
from logweir.stores.archive.schedule import RetentionSchedule
from logweir.telemetry.loss_reports import LossReporter
from logweir.telemetry.model import DeadLetterMetrics, Metrics

if TYPE_CHECKING:
    from logweir.telemetry.server import MetricsServer

__all__ = ["Runtime"]

#: How long serving metrics waits for a look at the dead letters.
_LOOKING = 1.0
#: How long a reload waits for the loop, and for sinks that are made, both of which a sink may hold up.
_RELOADING = 10.0


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
        self._stopped: bool | None = None
        self._loop_thread = LoopThread(self._on_loop_thread_start)
        self._receipts = OpenReceipts()
        around = Surroundings(self._loop_thread.call_soon, self._receipts, self._clock)
        self._late = LateLines(
            lambda: (self.config.data_dir, self._pipeline.dead_letters), lambda: self._stopped is not None
        )
        self._fan_out = FanOut(assemble(config, around), self._receipts, self._late.save)
        self._housekeeping = Housekeeping(lambda: self._reload.on_disk())  # noqa: PLW0108 - made below
        self._reload = Reload(
            self._fan_out, around, self._housekeeping.hurry, lambda: self._stopped is not None
        )
        self._reloading: Permit | None = None
        self._feedback = Feedback(self._reload.metrics)
        self._explicit = ExplicitRows(self._fan_out, self._loop_thread, self._clock)
        self._reporter = LossReporter(self.metrics)
        self._relay = OutboxRelay(self._explicit.outboxes, self._explicit.forward)
        self._pruner = DeadLetterPruner(
            lambda: (self._pipeline.dead_letters, self._pipeline.config.dead_letters)
        )
        self._metrics_server: MetricsServer | None = None
        self._import_metrics_server(config)
        # Where a worker process delivers to a sink, it keeps the sink's retention too.
        self._retention = RetentionSchedule(
            lambda: with_retention_of(self.config, delivered_here(self.config))
        )
        renew = partial(self._reload.replace_if_idle, self._lock)
        secrets = SecretWatch(lambda: (self.config, self._pipeline.files), renew)
        parts = (self._reporter, self._relay, self._housekeeping, self._pruner, self._retention, secrets)
        self._background = [LastingTask(f"the task of {type(part).__name__}", part.run) for part in parts]
        # What channels gave back at a stop; kept here, for a drain may be interrupted at any point.
        self._drain = Drain(
            self._loop_thread,
            self._reload,
            self._receipts,
            lambda: asyncio.gather(self._relay.stop(), self._retention.stop()),
        )

    @property
    def _pipeline(self) -> Pipeline:
        return self._fan_out.pipeline

    @property
    def config(self) -> RoutingConfig:
        """The configuration in force."""
        return self._pipeline.config

    # -- life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the loop thread; sinks are opened in the background."""
        self._serve_metrics()
        self._loop_thread.start()

    def wait_for_sinks(self, timeout: float) -> None:
        """Wait until each sink was opened or could not be, at most ``timeout`` seconds."""
        with contextlib.suppress(TimeoutError):
            self._loop_thread.run(self._sinks_tried(), timeout)

    async def await_sinks(self, timeout: float) -> None:
        """As :meth:`wait_for_sinks`, on any event loop."""
        with contextlib.suppress(TimeoutError):
            await self._loop_thread.run_from_loop(self._sinks_tried(), timeout)

    async def _sinks_tried(self) -> None:
        channels = self._pipeline.channels.values()
        await asyncio.gather(
            *(channel.opened_or_not() for channel in channels), self._housekeeping.ran_once()
        )

    def _on_loop_thread_start(self) -> None:
        for channel in self._pipeline.channels.values():
            channel.start()
        for task in self._background:
            task.start()
        self._serve_metrics()  # in a fork's child, nobody else does

    def before_fork(self) -> None:
        """Bring delivery to a standstill, for a moment, in which the process can be copied."""
        if self._loop_thread.is_running() and not self._loop_thread.is_current_thread():
            with contextlib.suppress(TimeoutError):  # the loop has just ended: nothing is half done
                standstill.hold(self._loop_thread.submit)

    def after_fork(self) -> None:
        """Begin anew in a fork's child; a runtime that had stopped stays so.

        The inherited parts are kept alive and untouched: closing them would disturb the parent.
        """
        if self._stopped is not None:
            self._lock = threading.RLock()
            self._late.begin()
            return
        # A chain, for a child may fork too: were one of them collected, its finalizers would close files and
        # connections under the parent.
        self._inherited = (self._reload, self._loop_thread, getattr(self, "_inherited", None))
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
        if (reloading := self._reloading) is not None:
            reloading.give_up()  # or it would hold the lock for as long as a sink holds it up
        # A second caller, such as the exit behind a SIGTERM, waits for the answer of the first.
        with self._lock:
            if self._stopped is None:
                timeout = waitable(self.config.drain_timeout if timeout is None else timeout)
                deadline = time.monotonic() + timeout + GRACE
                for task in self._background:
                    task.expect_end()
                delivered = self._drain.run(timeout)
                # A signal handler's own stop, in the middle of this one, has done all of it and knows better.
                if self._stopped is None:
                    self._stopped = delivered
                # A sink that blocks the loop keeps its thread from ending, but nobody from stopping.
                self._loop_thread.stop(max(0.1, deadline - time.monotonic()))
                self._reporter.report()
                if self._metrics_server is not None:
                    self._metrics_server.stop()
            return self._stopped

    @property
    def stopped(self) -> bool:
        """Whether it has been stopped, to the end."""
        return self._stopped is not None

    def listen_for_signals(self) -> None:
        """Let no SIGTERM be slept through while the main thread, at its end, waits for others."""
        if self._loop_thread.is_running():
            hooks.listen_for_signals(self._loop_thread.call_soon)

    def end_late_lines(self) -> int:
        """Let go of the lines that came after the stop; returns how many wait on disk, and reports losses."""
        self._late.close()
        self._reporter.report()
        return self._late.saved

    def _refuse_from_inside(self, call: str) -> None:
        if self._loop_thread.is_current_thread():
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
        from_library: bool = False,
        bound: Bound = NOTHING_BOUND,
    ) -> Event | None:
        """Make an event and hand it to the queues of its sinks.

        Args:
            name: What happened.
            fields: Everything else; taken over by the runtime.
            level: Its level.
            kind: Its kind, when it is known; otherwise it is classified.
            time_ns: When it happened, nanoseconds since 1970-01-01 UTC; now by default.
            event_id: Its UUIDv7, when it has one already; a new one by default.
            from_library: Whether a library may have logged it, such as the client of a sink.
            bound: What the logger carries.

        Returns:
            The event; None if it could not be made (which is reported, and never raised), or if it was logged
            by the delivery itself and left out (which is counted).
        """
        try:
            event = self._fan_out.pipeline.capture(name, fields, level, kind, time_ns, event_id, bound)
            if is_delivering() and self._feedback.leaves_out(event, from_library=from_library):
                return None
            self._fan_out.dispatch(event)
        except Exception as error:  # noqa: BLE001 - a log call must never break its caller
            report("emit", "an event could not be captured: %r", error)
            return None
        return event

    def log(self, name: str, fields: dict[str, Any], level: str, bound: Bound) -> None:
        """Do for a logger what :meth:`emit` does; without names for its arguments, which would show."""
        fan_out = self._fan_out
        try:
            event = fan_out.pipeline.capture(name, fields, level, None, None, None, bound)
            if is_delivering() and self._feedback.leaves_out(event, from_library=False):
                return
            fan_out.dispatch(event)
        except Exception as error:  # noqa: BLE001 - a log call must never break its caller
            report("emit", "an event could not be captured: %r", error)

    def emit_audit(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        level: str = "info",
        acknowledge: AckLevel = "stored",
        save_late: bool = False,
    ) -> Receipt:
        """Emit an audit event whose acknowledgement can be waited for.

        Args:
            name: The action.
            fields: Everything else; taken over by the runtime.
            level: The event's level.
            acknowledge: The highest level that the receipt will be asked for. When the disk cannot take it,
                an event is refused; one that nobody waits for beyond ``accepted`` is kept and tried again.
            save_late: Whether an event that meets the stop is saved for the next start, as a line is.
        """
        event = self._pipeline.capture(name, fields, level, Kind.AUDIT)
        return self._fan_out.audit(event, acknowledge, save_late=save_late)

    def leave_out(self, source: str) -> None:
        """Count an event of this logger that is not made, because it would make the next one."""
        self._feedback.count(source)

    def dispatch(self, event: Event) -> None:
        """Hand a ready event to the queues of its sinks."""
        self._fan_out.dispatch(event)

    # -- explicit rows ------------------------------------------------------------------------------

    def capture(self, name: str, fields: dict[str, Any], *, level: str, kind: Kind) -> Event:
        """Make an event and send it nowhere; takes ownership of ``fields``."""
        return self._pipeline.capture(name, fields, level, kind)

    def transactional_sink(self, event: Event, name: str | None = None) -> Transactional:
        """The sink whose table an explicit row goes into; see :func:`find_transactional`.

        Raises:
            LogweirError: There is none, or the one wanted cannot take it.
        """
        return self._explicit.transactional_sink(event, name)

    async def record(self, event: Event, sink: str | None = None, timeout: float | None = None) -> None:
        """Write a row at once in a transaction of the sink's own; awaited on any event loop.

        Raises:
            AuditError: It was not written in time, or never will be.
            LogweirError: No sink can take it.
        """
        await self._explicit.write(event, sink, timeout)

    def record_sync(self, event: Event, sink: str | None = None, timeout: float | None = None) -> None:
        """Do what :meth:`record` does, waiting in this thread.

        Raises:
            AuditError: It was not written in time, or never will be; or it would block an event loop.
            LogweirError: No sink can take it.
        """
        self._refuse_from_inside("record_sync")
        self._explicit.write_sync(event, sink, timeout)

    # -- the capture's parts ------------------------------------------------------------------------

    def snapshot(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Redact and copy fields as an event would; never raises."""
        return self._pipeline.capture.snapshot(fields)[0]

    def redact(self, text: str) -> str:
        """Mask the secrets in text that never became an event, such as a line that cannot be read."""
        return self._pipeline.capture.snapshot.redactor.redact_text(text)

    def classify(self, level: str, name: str, fields: dict[str, Any]) -> Kind:
        """Decide the kind as an event would; removes ``persist_db`` and ``kind`` from ``fields``."""
        return take_explicit(fields) or self._pipeline.classifier.classify(level, name, fields)

    # -- waiting ------------------------------------------------------------------------------------

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait in this thread until everything accepted so far is settled; False if time ran out.

        False at once in a signal handler or a finaliser that interrupted the delivery inside a lock of its
        own thread, where nothing would move while it waited.

        Raises:
            LogweirError: When called on the runtime's own thread, which would wait for itself.
        """
        self._refuse_from_inside("flush")
        if interrupts_delivery():
            return False
        timeout = waitable(timeout)
        try:
            return self._loop_thread.run(self._settled(timeout), timeout + GRACE)
        except TimeoutError:
            return False

    def flush_if_busy(self, timeout: float) -> bool:
        """Do what :meth:`flush` does, but start nothing if nothing waits; for the way out of a process."""
        if self._loop_thread.is_current_thread() or not self._is_busy():
            return True
        return self.flush(timeout)

    def _is_busy(self) -> bool:
        statistics = [channel.statistics() for channel in self._reload.all_channels()]
        return any(each.depth or each.in_flight for each in statistics)

    async def aflush(self, timeout: float = 10.0) -> bool:
        """Wait, on any event loop, until everything accepted so far is settled."""
        try:
            return await self._loop_thread.run_from_loop(self._settled(timeout), timeout + GRACE)
        except TimeoutError:
            return False

    async def _settled(self, timeout: float) -> bool:
        channels = self._reload.all_channels()
        try:
            async with asyncio.timeout(timeout):
                await self._housekeeping.ran_once()
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
            ConfigError: The new configuration is wrong, or its new data_dir cannot be written; the old one
                stays in force.
            LogweirError: The runtime has stopped, or this is its own thread; or a sink held the reload up for
                ten seconds, or a stop came first: the old one stays in force.
        """
        self._refuse_from_inside("reload")
        new_config = load_config(config)  # before the lock: a wrong or slow file holds up nobody
        with self._lock:
            if self._stopped is not None:
                raise LogweirError("the runtime has stopped; call logweir.start(...) instead of reload")
            # Durable before anything changes: from then on a crash may leave events in both directories.
            self._reload.note_former(new_config)
            self._go_over(new_config, files_of_sinks(new_config))
            self._import_metrics_server(new_config)
            self._serve_metrics()

    def _go_over(self, config: RoutingConfig, files: Mapping[str, tuple[str, ...]]) -> None:
        """Replace the pipeline: on the loop, to which the channels belong."""
        permit = Permit()
        permit.outcome = self._loop_thread.submit(self._reload.replace(config, files, permit.take))
        self._reloading = permit
        try:
            done = permit.outcome.result(_RELOADING)
        except CancelledError:  # by a stop
            done = False
        except TimeoutError:
            done = not permit.give_up()
        except BaseException:
            permit.give_up()
            raise
        finally:
            self._reloading = None
        if not done:
            raise LogweirError(
                f"the reload was given up, because a sink has held it up for {_RELOADING:g} s or a stop came "
                "first; the old configuration stays in force"
            )

    # -- observation --------------------------------------------------------------------------------

    def metrics(self) -> Metrics:
        """The counts up to now, from any thread."""
        return Metrics(
            sinks=self._reload.metrics(),
            unrouted=self._fan_out.unrouted,
            sampled=self._fan_out.sampled,
            truncated=self._pipeline.capture.snapshot.truncated,
            dropped_at_stop=self._fan_out.dropped_at_stop + self._late.lost,
            left_out=self._feedback.left_out,
            enrich_errors=self._pipeline.capture.enrich_errors,
            dead_letters=DeadLetterMetrics.of(self._pipeline.dead_letters.totals, self._pruner.expired),
        )

    def service_metrics(self) -> Metrics:
        """The counts of all processes that share a metrics port with this one; may wait for the disk."""
        return self.metrics() if self._metrics_server is None else self._metrics_server.everything()

    @property
    def metrics_url(self) -> str | None:
        """Where Prometheus finds the metrics of this process, if they are served."""
        return self._metrics_server.url if self._metrics_server is not None else None

    def _import_metrics_server(self, config: RoutingConfig) -> None:
        if config.metrics is not None and self._metrics_server is None:
            from logweir.telemetry.server import MetricsServer  # noqa: PLC0415 - only who serves pays for it

            self._metrics_server = MetricsServer(self._fresh_metrics, self.metrics)

    def _serve_metrics(self) -> None:
        if self._metrics_server is not None:
            config = self._pipeline.config
            self._metrics_server.follow(config.metrics, config.data_dir / "metrics")

    def _fresh_metrics(self) -> Metrics:
        """The counts after a look at the dead letters, which other processes write too; blocks."""
        with contextlib.suppress(TimeoutError):
            self._loop_thread.run(self._pruner.prune(), _LOOKING)
        return self.metrics()
