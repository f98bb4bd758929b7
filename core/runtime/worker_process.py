"""The worker process: delivers what applications of this host put into their spools for sinks elsewhere.

The counterpart of :mod:`logweir.runtime.runtime` without callers: for each sink a host spool instead of the
process's own, and behind it the same channel with the same queue, workers, back-off and dead letters.
Several may run: each sink has one worker at a time, and the others stand by.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.config.queue_plan import plan_queue, with_retention_of
from logweir.config.sinks import context_of
from logweir.delivery.brokers.dead_letters import BrokerLetters
from logweir.delivery.brokers.making import require_client
from logweir.delivery.channel import Channel
from logweir.delivery.dead_letters import DeadLetterPruner, DeadLetters
from logweir.delivery.elsewhere.host_spool import HostSpool
from logweir.delivery.queues.broker import BrokerQueue
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.worker import Clock
from logweir.diagnostics import mask_with
from logweir.process.lasting import LastingTask
from logweir.process.loop_thread import LoopThread
from logweir.redaction.reasons import masked
from logweir.runtime.fallbacks import fallback_of, with_fallback
from logweir.runtime.from_broker import channel_from_broker, letters_of_broker, refuse_others_streams
from logweir.runtime.lost_rows import refuse_lost_rows
from logweir.runtime.pipeline import Surroundings, end_of, files_of_sinks, queues_of
from logweir.runtime.secret_watch import SecretWatch
from logweir.runtime.worker_sinks import Share, sinks_to_deliver
from logweir.settings.operations import MetricsConfig
from logweir.sinks import registry
from logweir.stores.archive.schedule import RetentionSchedule
from logweir.telemetry.loss_reports import LossReporter
from logweir.telemetry.model import BrokerMetrics, DeadLetterMetrics, Metrics, SinkMetrics
from logweir.telemetry.server import MetricsServer

__all__ = ["WorkerProcess", "refuse_what_cannot_work"]

#: How much longer than to deliver it takes to end what works beside it, and to report to applications.
_BESIDE = 5.0


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One sink.

    Attributes:
        source: The spools of this host that its events come from; for one behind a broker, its dead letters.
        beside: What reads the spools, or looks after the letters.
        channel: What delivers.
    """

    source: HostSpool | BrokerLetters
    beside: LastingTask
    channel: Channel


class WorkerProcess:
    """Delivers to some sinks of a configuration, until it is stopped.

    Args:
        config: The configuration.
        wanted: The sinks, if not all that are delivered elsewhere.
        share: This process's part of them, if several divide them.
        forward: Whether it forwards to brokers what applications of this host put on its disk, and delivers
            nothing.
        metrics: Where it serves its metrics, if it does; what routing.yaml says is the application's.
        clock: Time for back-off.
    """

    def __init__(
        self,
        config: RoutingConfig,
        wanted: Collection[str] = (),
        share: Share | None = None,
        *,
        forward: bool = False,
        metrics: MetricsConfig | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config
        self._wanted = wanted
        self._share = share
        self._forward = forward
        _require_clients(config, self._names(config), forward=forward)
        self._clock = clock or Clock()
        self._deliveries: dict[str, _Delivery] = {}
        self._counted: dict[str, SinkMetrics] = {}
        self._books = threading.RLock()
        self._loop_thread = LoopThread(self._on_loop_thread_start)
        self._dead_letters = DeadLetters(config.data_dir)
        self._pruner = DeadLetterPruner(lambda: (self._dead_letters, self.config.dead_letters))
        self._reporter = LossReporter(self.metrics)
        self._served = metrics
        self._server = MetricsServer(self.metrics)
        self._retention = RetentionSchedule(lambda: with_retention_of(self.config, self._names(self.config)))
        self._replacing, self._ending = asyncio.Lock(), False
        self._files: Mapping[str, tuple[str, ...]] = files_of_sinks(config)
        secrets = SecretWatch(lambda: (self.config, self._files), self._take_secrets)
        self._background = [
            LastingTask(f"the task of {type(part).__name__}", part.run)
            for part in (self._pruner, self._reporter, self._retention, secrets)
        ]

    def _names(self, config: RoutingConfig) -> list[str]:
        return sinks_to_deliver(config, self._wanted, self._share, forward=self._forward)

    def start(self) -> None:
        """Begin to deliver, on a thread of its own.

        Raises:
            ConfigError: Audit rows are gone that this machine knows, or a broker refuses this configuration.
        """
        mask_with(masked)
        refuse_what_cannot_work(self.config, self._names(self.config), forward=self._forward)
        self._loop_thread.start()
        self._server.follow(self._served, self.config.data_dir / "metrics-of-workers")

    def _on_loop_thread_start(self) -> None:
        for task in self._background:
            task.start()
        self._begin(self._made(self.config, self._dead_letters))

    def _made(self, config: RoutingConfig, dead_letters: DeadLetters) -> dict[str, _Delivery]:
        """Make what a configuration asks for; nothing is opened or claimed yet."""
        return {name: self._delivery(name, config, dead_letters) for name in self._names(config)}

    def _begin(self, made: dict[str, _Delivery]) -> None:
        """Start to deliver; on the loop."""
        with self._books:
            self._deliveries = made
        for delivery in made.values():
            delivery.channel.start()
            delivery.beside.start()

    def _delivery(self, name: str, config: RoutingConfig, dead_letters: DeadLetters) -> _Delivery:
        sink, wake = config.sinks[name], self._loop_thread.call_soon
        if sink.queue.goes_over_a_broker and not self._forward:
            around = Surroundings(wake, OpenReceipts(), self._clock)
            letters = letters_of_broker(name, config, dead_letters, self._run_on_loop, self._pruner.expired)
            moving = LastingTask(f"the dead letters of sink {name!r}", letters.run)
            return _Delivery(letters, moving, channel_from_broker(name, config, around, letters))
        spool = HostSpool(queues_of(config), name, dead_letters, wake)
        plan = plan_queue(name, config)
        queue = DiskQueue(spool, name, plan.config, "block", wake, clock=self._clock.monotonic)
        end = end_of(sink, plan, context_of(name, config, workers=sink.workers))
        channel = Channel(
            name,
            sink,
            end if self._forward else with_fallback(name, config, end, self._clock),
            queue,
            None,
            plan.bounds,
            dead_letters,
            OpenReceipts(),
            self._clock,
        )
        pump = LastingTask(f"the reader of the spools for sink {name!r}", spool.run)
        return _Delivery(spool, pump, channel)

    def _run_on_loop(self, work: Coroutine[Any, Any, None], seconds: float) -> None:
        if self._loop_thread.is_current_thread():  # the interpreter is on its way out, and gives no threads
            work.close()
            raise TimeoutError
        self._loop_thread.run(work, seconds)

    def reload(self, config: RoutingConfig) -> None:
        """Go on with another configuration; what is in hand is delivered as before.

        Raises:
            ConfigError: It leaves this worker nothing to do; the old one stays in force.
            MissingDependency: A driver is not installed; likewise.
            Exception: What a sink of somebody else's raises when it is made; likewise.
        """
        _require_clients(config, self._names(config), forward=self._forward)
        files = files_of_sinks(config)
        self._loop_thread.run(self._replace(config, files), None)

    async def _replace(self, config: RoutingConfig, files: Mapping[str, tuple[str, ...]]) -> None:
        async with self._replacing:
            # Made before the old ones end: what cannot be made leaves those at work.
            dead_letters = DeadLetters(config.data_dir)
            made = self._made(config, dead_letters)
            # One after the other: a sink has one worker at a time, and only its end lets go of what it has
            # read.
            await self._end(self.config.drain_timeout)
            self.config, self._files, self._dead_letters = config, files, dead_letters
            if not self._ending:
                self._begin(made)

    async def _take_secrets(
        self, before: RoutingConfig, config: RoutingConfig, files: Mapping[str, tuple[str, ...]]
    ) -> bool:
        if self.config is not before or self._replacing.locked():
            return False
        await self._replace(config, files)
        return True

    def stop(self, timeout: float | None = None) -> bool:
        """Read no more, deliver what was read, report it and end; whether all that was read is delivered.

        Args:
            timeout: Seconds; by default the configuration's ``drain_timeout``. What is left stays in the
                spools.
        """
        seconds = self.config.drain_timeout if timeout is None else timeout
        for task in self._background:
            task.expect_end()
        try:
            return self._loop_thread.run(self._end_all(seconds), 2 * seconds + _BESIDE)
        except TimeoutError:
            return False
        finally:
            self._loop_thread.stop()
            self._server.stop()
            self._reporter.report()

    async def _end_all(self, timeout: float) -> bool:
        self._ending = True
        await self._retention.stop()
        async with self._replacing:
            return await self._end(timeout)

    async def _end(self, timeout: float) -> bool:
        ended = await asyncio.gather(*(_end_one(each, timeout) for each in self._deliveries.values()))
        with self._books:
            self._counted = self._sinks()
            self._deliveries = {}
        return all(ended)

    def metrics(self) -> Metrics:
        """The counts up to now, from any thread."""
        return Metrics(
            sinks=self._sinks(),
            dead_letters=DeadLetterMetrics.of(self._dead_letters.totals, self._pruner.expired),
            brokers=self._brokers(),
        )

    def _brokers(self) -> dict[str, BrokerMetrics]:
        with self._books:
            return {
                name: BrokerMetrics.of(queue.states, each.source.totals, queue.states_age)
                for name, each in self._deliveries.items()
                if isinstance(queue := each.channel.queue, BrokerQueue)
                and isinstance(each.source, BrokerLetters)
            }

    def _sinks(self) -> dict[str, SinkMetrics]:
        with self._books:
            sinks = dict(self._counted)
            for name, each in self._deliveries.items():
                now = SinkMetrics.of(each.channel.statistics(), each.channel.counters, each.channel.bounds)
                sinks[name] = now.after(sinks.get(name, SinkMetrics()))
        return sinks


def refuse_what_cannot_work(config: RoutingConfig, names: Collection[str], *, forward: bool = False) -> None:
    """Look, before anything is delivered, for what an operator has to change first; blocks.

    Raises:
        ConfigError: Audit rows are gone that this machine knows, or a broker refuses this configuration.
        MissingDependency: A driver, or the client of a broker, is not installed.
    """
    _require_clients(config, names, forward=forward)
    if not forward:
        refuse_lost_rows(config, names)
    refuse_others_streams(config, names)


def _require_clients(config: RoutingConfig, names: Collection[str], *, forward: bool) -> None:
    """Import what writes to these sinks, which reading their options did not need; or to their brokers.

    Raises:
        MissingDependency: It is not installed.
    """
    for name in names:
        if forward:
            require_client(config.sinks[name].queue)
        else:
            registry.resolve(config.sinks[name].type)
            if (other := fallback_of(name, config)) is not None:
                registry.resolve(other.type)


async def _end_one(delivery: _Delivery, timeout: float) -> bool:
    delivery.beside.expect_end()
    if isinstance(delivery.source, HostSpool):
        delivery.source.close()
        await delivery.beside.wait(timeout)
    await delivery.channel.finish(timeout)
    delivered = not delivery.channel.statistics().depth
    if isinstance(delivery.channel.queue, BrokerQueue):
        await delivery.channel.queue.end()
        delivery.beside.cancel()
    await delivery.source.end()
    return delivered
