"""A process as an object: the real parts of delivery, on a loop whose time passes by itself."""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.delivery.receipts import Ack, AckLevel, OpenReceipts, Receipt
from logweir.delivery.spool import former_directories
from logweir.delivery.spool.housekeeping import Housekeeping
from logweir.delivery.spool.leading import leading
from logweir.delivery.spool.notifications import Answers
from logweir.delivery.spool.ownership import FileLock
from logweir.delivery.spool.spool import Spool
from logweir.delivery.worker import Clock
from logweir.errors import AuditError
from logweir.event import Event
from logweir.runtime import pipeline as pipelines
from logweir.runtime.drain import Drain
from logweir.runtime.fan_out import FanOut
from logweir.runtime.pipeline import Surroundings
from logweir.runtime.reload import Reload
from simulation.clock import VirtualLoop
from simulation.fallbacks import fallback_of
from simulation.world import World

__all__ = ["Process", "SimulatedSpool"]


class SimulatedSpool(Spool):
    """A spool whose commits may fail in ways that break a law."""

    world: World

    def __init__(self, directory: Path, dead_letters: Any) -> None:
        super().__init__(directory, dead_letters, window=self.world.chance.choice([0, 3, 50]))

    def _commit(self, *, quickly: bool = False) -> Answers:
        """Commit; what it raises, whatever it is, breaks a law."""
        try:
            return super()._commit(quickly=quickly)
        except Exception as error:
            self.world.violations.append(f"a commit raised {error!r}")
            raise

    def _at_disk_until(self, deadline: float, work: Callable[[], None]) -> None:
        """Do it: a disk is full here, or gone with its process, and none hangs."""
        work()

    def close(self, deadline: float = math.inf) -> bool:
        """Close; what was stored and a full disk does not let it delete is taken over, and sent, once more."""
        complete = super().close(deadline)
        if self.has_removals:
            for store in self.world.stores.values():
                store.again |= store.there
        return complete


class _LoopThread:
    """The loop's thread as the drain sees it, which runs in another one."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def start(self) -> None:
        """It runs."""

    def is_running(self) -> bool:
        """It always does."""
        return True

    def run(self, work: Coroutine[Any, Any, Any], timeout: float) -> Any:
        """Run a coroutine, and wait for it."""
        task = self._loop.create_task(work)
        if not self._loop.threads.wait(task.done, timeout):
            task.cancel()
            raise TimeoutError
        return task.result()


class Process:
    """One life of an application that logs.

    Args:
        world: What is around it.
        directory: Its data directory.
        config: Its first configuration.
    """

    def __init__(self, world: World, directory: Path, config: RoutingConfig) -> None:
        world.process = self
        self.world = world
        self.directory = directory
        self.dead = False
        self.stopping = self.stopped = False
        self.left: Path | None = None
        self._is_looking = False
        self._ended: dict[str, int] = {}
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self._loop = loop
        self.threads = loop.threads
        self.threads.group = self
        loop.before_time_passes(self._look_for_the_forgotten)
        self.receipts = OpenReceipts()
        around = Surroundings(self._wake, self.receipts, Clock(self._loop.time, asyncio.sleep))
        self.fan_out = FanOut(pipelines.assemble(config, around), self.receipts)
        self._housekeeping = Housekeeping(
            lambda: self.reload.on_disk(),  # noqa: PLW0108 - made below
            lambda: 1e9 + loop.time(),
        )
        self.reload = Reload(self.fan_out, around, self._housekeeping.hurry, lambda: self.stopped)
        self._tasks: set[asyncio.Task[Any]] = set()
        # The locks of whoever brings back from fallbacks, by what they stand for.
        self.turns: dict[Path, FileLock] = {}
        for channel in self.fan_out.pipeline.channels.values():
            channel.start()
        self._run(self._housekeeping.run())

    # -- what the runtime does --------------------------------------------------------------------

    def _wake(self, callback: Callable[[], None]) -> None:
        # Queues of an earlier history are asked until the collector has found them.
        if not (self.dead or self._loop.is_closed()):
            self._loop.call_later(self.world.chance.uniform(0, 0.002), callback)

    def _run(self, work: Any) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def change(self, config: RoutingConfig) -> None:
        """Reload, unless it is too late for it."""
        if not (self.dead or self.stopping):
            self.reload.note_former(config)
            await self.reload.replace(config)

    async def flush(self, seconds: float) -> bool:
        """Wait for everything that was accepted."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(channel.settled() for channel in self.reload.all_channels()))
        except TimeoutError:
            return False
        return True

    async def stop(self, seconds: float) -> None:
        """Drain and stop."""
        self.stopping = True
        loop_thread: Any = _LoopThread(self._loop)
        drain = Drain(loop_thread, self.reload, self.receipts, lambda: asyncio.sleep(0))
        await self._loop.run_in_executor(None, drain.run, seconds)
        self.stopped = True
        self._cancel()

    def look(self) -> None:
        """Look at the metrics: what has ended does not come back, whatever a reload moves meanwhile."""
        if self._is_looking or self.stopping or self.dead:
            return
        self._is_looking = True
        for name, sink in self.reload.metrics().items():
            ended = sink.stored + sink.duplicate + sink.dead
            if ended < self._ended.get(name, 0):
                self.world.violations.append(f"{name} had ended {self._ended[name]} and has now {ended}")
            self._ended[name] = ended
        self._is_looking = False

    def _look_for_the_forgotten(self) -> None:
        """What is staged when nobody can do anything has a committer that will try again."""
        if self.threads.suspended:  # perhaps between the staging and the wake-up
            return
        for spool in self.reload.spools:
            wakeups: Any = spool._committer._wakeups
            if wakeups.waits_for_ever and spool.has_staged and not (self.dead or spool.closed):
                self.world.violations.append("what is staged waits, and nobody has woken the committer")
                spool.nudge()
                spool._committer._wake()

    # -- the end ----------------------------------------------------------------------------------

    def owns(self, file: Any) -> bool:
        """Whether a file of a spool is one of this process's."""
        return any(spool._current.file is file for spool in self.reload.spools)

    def die(self) -> None:
        """Be killed: the files stay as they are now, and nothing that happens from here on counts."""
        if self.dead:
            return
        self.dead = True
        self.left = self.directory.with_name(f"{self.directory.name}+")
        if self.directory.exists():
            shutil.copytree(self.directory, self.left, ignore=shutil.ignore_patterns("*-shm"))
            for place in self.left.glob("*/queues"):
                for former in former_directories.noted(place):  # which are copied with the rest
                    former_directories.forget(place, former)
                    former_directories.note(place, self.left / former.relative_to(self.directory))

    def exit(self) -> None:
        """End its threads, and free what the system frees."""
        self.threads.end(self)
        for lock in self.turns.values():
            lock.release()

    async def release(self) -> None:
        """Free what the dead one holds."""
        self._cancel()
        for channel in self.reload.all_channels():
            if channel._task is not None:
                channel._task.cancel()
        await asyncio.sleep(0.05)
        self.exit()
        self.world.disk_full = False
        for spool in self.reload.spools:
            with contextlib.suppress(Exception):
                spool.close()

    def _cancel(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    # -- callers: any thread ----------------------------------------------------------------------

    def log(self, event: Event) -> None:
        """A log call."""
        self.fan_out.dispatch(event)

    def audit(self, event: Event, level: AckLevel, seconds: float) -> None:
        """An audited call; on the loop its caller waits in a task of its own."""
        before = self._circumstances()
        if self.threads.on_loop:
            self._run(self._await(self.fan_out.audit(event, level), level, seconds, before))
            return
        with leading(waits=level != "accepted"):
            receipt = self.fan_out.audit(event, level)
            try:
                ack = receipt.acknowledged_sync(level, seconds)
            except AuditError as error:
                self._refused(receipt, level, error, before)
            else:
                self._acknowledged(receipt, level, ack)

    async def _await(self, receipt: Receipt, level: AckLevel, seconds: float, before: object) -> None:
        try:
            ack = await receipt.acknowledged(level, seconds)
        except AuditError as error:
            self._refused(receipt, level, error, before)
        else:
            self._acknowledged(receipt, level, ack)

    def _acknowledged(self, receipt: Receipt, level: AckLevel, ack: Ack) -> None:
        if not self.dead:
            self.world.acknowledged[receipt.event.id, level] = ack.sinks
            # Where a sink has a fallback, that may have stored it.
            there = {name: self.world.store(name).there for name in ack.sinks}
            there = {name: ids | self.world.store(fallback_of(name)).there for name, ids in there.items()}
            missing = [name for name, ids in there.items() if receipt.event.id not in ids]
            if level == "stored" and missing:
                self.world.violations.append(f"stored was said of what {missing} have not")

    def _refused(self, receipt: Receipt, level: AckLevel, error: AuditError, before: object) -> None:
        """Look whether there was a reason."""
        if self.dead or self.stopping:
            return
        answer = str(error)
        if receipt.sinks and answer.count("its queue answered closed") == len(receipt.sinks):
            self.world.violations.append(f"refused because of a reload: {answer}")
        # A commit takes no time here, unless the disk is full.
        too_late = level == "durable" and "was not durable within 5 s" in answer
        if too_late and before == self._circumstances() and not self.world.disk_full:
            channels = self.fan_out.pipeline.channels
            if all(name in channels and channels[name].queue.durable for name in receipt.sinks):
                self.world.violations.append(f"nobody committed: {answer}")

    def _circumstances(self) -> tuple[object, int]:
        return self.fan_out.pipeline, self.world.disk_changes
