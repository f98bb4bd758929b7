"""A reload: the pipeline in force is replaced as a whole, and nothing that waits in it is lost.

The next pipeline is assembled beside the one in force and takes over the channels that did not change. The
others *retire*: their queues are closed, so that :mod:`logweir.runtime.fan_out` sends what comes to their
successors; they deliver what they hold for ``drain_timeout``; what is left goes to the successor over the
disk, or from hand to hand where the disk does not take it. Their counts go on in those of the successor.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from logweir.config.models import RoutingConfig
from logweir.delivery.channel import Channel
from logweir.delivery.spool import former_directories
from logweir.delivery.spool.spool import Spool
from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.errors import ConfigError, ConfigProblem
from logweir.event import Event
from logweir.process.lasting import LastingTask
from logweir.process.reentry import holds_registered, registered
from logweir.process.threads import in_thread
from logweir.runtime.fan_out import FanOut
from logweir.runtime.pipeline import Draft, Pipeline, Surroundings, draft, queues_of
from logweir.telemetry.model import SinkMetrics

__all__ = ["Reload"]


class Reload:
    """The channels in force and those that retire, and how the one becomes the other.

    Args:
        fan_out: Has the pipeline in force.
        around: What the parts of a pipeline need.
        on_spools: Called when a spool may have got files to look after.
        is_stopped: Whether the runtime has stopped.

    Attributes:
        spools: Every spool that this process has used, the one in force last.
    """

    def __init__(
        self,
        fan_out: FanOut,
        around: Surroundings,
        on_spools: Callable[[], object],
        is_stopped: Callable[[], bool],
    ) -> None:
        self._fan_out = fan_out
        self._around = around
        self._on_spools = on_spools
        self._is_stopped = is_stopped
        # Held while channels move between the two lists and their counts between them and the history, so
        # that metrics never see a channel twice, or not at all.
        self._books = registered(threading.RLock())
        self._history: dict[str, SinkMetrics] = {}
        self._counted: dict[str, SinkMetrics] = {}  # what was answered last
        self._retiring: list[Channel] = []
        self._retirements: list[LastingTask] = []
        # Who still uses which spool: two reloads may follow each other before the first has ended.
        self._leaving: dict[object, Spool] = {}
        self.spools = [fan_out.pipeline.spool]

    def all_channels(self) -> list[Channel]:
        """The channels in force, and those that still retire."""
        return [*self._fan_out.pipeline.channels.values(), *self._retiring]

    def on_disk(self) -> tuple[Spool, set[str], list[Spool]]:
        """The spool in force, the sinks whose events may lie in it, and the former spools."""
        with self._books:
            spool = self._fan_out.pipeline.spool
            former = [other for other in self.spools if other is not spool]
            return spool, {channel.name for channel in self.all_channels()}, former

    def metrics(self) -> dict[str, SinkMetrics]:
        """The counts of every sink, those of its predecessors included.

        A call that interrupted its own thread inside a lock of the delivery gets those of the call before:
        the books and the queues have locks too, and who has one may wait for what is held here.
        """
        if holds_registered():
            names = [channel.name for channel in self.all_channels()]
            return {**dict.fromkeys(names, SinkMetrics()), **self._counted}
        with self._books:
            sinks = dict(self._history)
            for channel in [*self._retiring, *self._fan_out.pipeline.channels.values()]:
                sinks[channel.name] = _metrics_of(channel).after(sinks.get(channel.name, SinkMetrics()))
            self._counted = sinks
        return dict(sinks)

    def note_former(self, config: RoutingConfig) -> None:
        """Note, where queues will be kept, where they are kept now: a start after a crash looks there too.

        To be called before :meth:`replace`; blocks. A note of a reload that never comes does no harm.

        Raises:
            ConfigError: It cannot be noted, so that a crash could leave behind what waits.
        """
        now = self._fan_out.pipeline.spool
        try:
            former_directories.note(queues_of(config), now.directory)
        except OSError as error:
            message = (
                f"cannot be written ({error}), and a crash would leave behind what waits in {now.directory}: "
                "make it writable, or keep the data_dir in force"
            )
            raise ConfigError([ConfigProblem(message, "data_dir")]) from None
        letters = now.dead_letters
        if letters.totals.count and queues_of(config) != now.directory:
            report(
                f"{letters.path}.left",
                "%s in %s: replay or drop what is there by a routing.yaml with this data_dir",
                counted(letters.totals.count, "dead letter", "stays", "stay"),
                letters.path,
            )

    async def replace(
        self,
        config: RoutingConfig,
        files: Mapping[str, tuple[str, ...]] | None = None,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Put the pipeline of a configuration in force; what it replaces retires in the background.

        Where its data directory is another one, :meth:`note_former` comes first.

        Args:
            config: The configuration.
            files: What stands in the files of its TLS, which were read outside of the loop.
            may_go_on: Asked when all sinks are made, which is their own code and may take long: whether
                whoever wants this still does. Nothing holds up what follows.

        Returns:
            Whether it is in force.
        """
        made = draft(config, self._around, self._fan_out.pipeline, files)
        if not may_go_on():
            return False
        self._put_in_force(made)
        return True

    def _put_in_force(self, made: Draft) -> None:
        old = self._fan_out.pipeline
        new = made.assemble()
        # Those taken over run already, and starting them again does nothing.
        for channel in new.channels.values():
            channel.start()
        retiring = [
            channel for name, channel in old.channels.items() if new.channels.get(name) is not channel
        ]
        with self._books:
            # A new list each time: other threads go through the old one without the lock.
            self._retiring = [*self._retiring, *retiring]
            self._fan_out.pipeline = new
        if new.spool is not old.spool:
            self.spools.append(new.spool)
            self._on_spools()
        # Only now: whoever meets a closed queue must find the successor in force.
        for channel in retiring:
            channel.close_queues()
        retiree = object()
        self._leaving[retiree] = old.spool
        # Those that are over need no more keeping.
        self._retirements = [task for task in self._retirements if not task.is_over()]
        retirement = LastingTask(
            "the end of what a reload replaced", lambda: self._retire_all(retiree, old, retiring)
        )
        self._retirements.append(retirement)
        retirement.start()

    async def replace_if_idle(
        self,
        lock: threading.RLock,
        before: RoutingConfig,
        config: RoutingConfig,
        files: Mapping[str, tuple[str, ...]],
    ) -> bool:
        """Do what :meth:`replace` does if ``before`` is still in force, and nobody reloads or stops.

        Args:
            lock: Who reloads or stops, in another thread, has it.
            before: What the configuration was made of.
            config: As for :meth:`replace`, in the same data directory.
            files: Likewise.

        Returns:
            Whether it was done.
        """
        if self._fan_out.pipeline.config is not before:
            return False
        # Without the lock: a sink that blocks while it is made would keep everybody from stopping.
        made = draft(config, self._around, self._fan_out.pipeline, files)
        if not lock.acquire(blocking=False):
            return False
        try:
            if self._is_stopped():
                return False
            self._put_in_force(made)
        finally:
            lock.release()
        return True

    async def ended(self, timeout: float) -> None:
        """Wait until nothing retires any more, at most ``timeout`` seconds."""
        await asyncio.gather(*(task.wait(timeout) for task in self._retirements))
        for task in self._retirements:
            task.expect_end()

    async def _retire_all(self, retiree: object, old: Pipeline, channels: Sequence[Channel]) -> None:
        """Finish what a reload replaced; what waits in another data directory comes along."""
        await asyncio.gather(*(self._retire(channel, old) for channel in channels))
        self._leaving.pop(retiree, None)
        # Asked now and not at the reload: another one may have come in between.
        current = self._fan_out.pipeline.spool
        in_use = any(spool is old.spool for spool in self._leaving.values())
        if old.spool is not current and not in_use and not self._is_stopped():
            await in_thread(old.spool.close)
        self._on_spools()

    async def _retire(self, channel: Channel, old: Pipeline) -> None:
        if channel not in self._retiring:  # begun anew after a disturbance: this one has been through
            return
        leftovers = await channel.finish(old.config.drain_timeout)
        # Before it leaves the list: until then a stop counts what it holds as not yet delivered.
        await in_thread(lambda: self._hand_over(channel, leftovers))
        with self._books:
            self._retiring = [other for other in self._retiring if other is not channel]
            # What stays on disk is accepted by whoever takes it over: another spool, or a sink of this name,
            # such as one of an earlier reload, which may still have events of the same backlog in hand.
            left = channel.statistics()
            channel.counters.moved += left.depth + left.in_flight
            earlier = self._history.get(channel.name, SinkMetrics())
            totals = _metrics_of(channel).after(earlier)
            # What it holds now is nothing; only what it has done goes on.
            self._history[channel.name] = replace(
                totals, queue_depth=0, set_aside=0, in_flight=0, queue_bytes=0, oldest_seconds=0.0
            )
            channel.close_books()

    def _hand_over(self, channel: Channel, events: Sequence[Event]) -> None:
        """Bring what waited in memory to the successor: over the disk, or from hand to hand."""
        if self.save(channel, events):
            return
        for number, event in enumerate(events):
            if not self._fan_out.hand_over(channel, event):
                channel.count_lost(events[number:])
                return
            channel.counters.moved += 1

    def save(self, channel: Channel, events: Sequence[Event], deadline: float = math.inf) -> bool:
        """Keep on disk what a channel could not deliver; False if the disk does not take it.

        Args:
            channel: The channel.
            events: What it gave back.
            deadline: See :meth:`Spool.close`.
        """
        if events:
            try:
                self._fan_out.pipeline.spool.save(channel.name, events, deadline)
            except OSError as error:
                report(f"{channel.name}.save", "sink %r: what waits cannot be saved: %s", channel.name, error)
                return False
            channel.count_saved(events)
        return True


def _metrics_of(channel: Channel) -> SinkMetrics:
    return SinkMetrics.of(channel.statistics(), channel.counters, channel.bounds)
