"""A process as an object: the real parts of delivery, on a loop whose time passes by itself."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy.util import await_only, greenlet_spawn

from logweir.config.models import RoutingConfig
from logweir.delivery.receipts import AckLevel, OpenReceipts, Receipt
from logweir.delivery.spool import former_directories
from logweir.delivery.spool.backlog import Backlog
from logweir.delivery.spool.housekeeping import Housekeeping
from logweir.delivery.spool.spool import REMOVAL_LINGER, Spool
from logweir.delivery.worker import Clock
from logweir.errors import AuditError
from logweir.event import Event
from logweir.runtime import pipeline as pipelines
from logweir.runtime.drain import Drain
from logweir.runtime.fan_out import FanOut
from logweir.runtime.pipeline import Surroundings
from logweir.runtime.reload import Reload
from simulation.world import World

__all__ = ["Process", "SimulatedSpool"]


class SimulatedSpool(Spool):
    """A spool whose committer is a callback of the loop."""

    world: World

    def __init__(self, directory: Path, dead_letters: Any) -> None:
        self._due: asyncio.TimerHandle | None = None
        super().__init__(directory, dead_letters, window=self.world.chance.choice([0, 3, 50]), threaded=False)

    def nudge(self) -> None:
        self._commit_in(self.world.chance.uniform(0, 0.004))

    def remove(self, backlog: Backlog, positions: Iterable[int]) -> None:
        super().remove(backlog, positions)
        if self.has_removals:
            self._commit_in(REMOVAL_LINGER)

    def close(self) -> bool:
        """Close; what was stored and a full disk does not let it delete is taken over, and sent, once more."""
        complete = super().close()
        if self.has_removals:
            for store in self.world.stores.values():
                store.again |= store.there
        return complete

    def _commit_in(self, seconds: float) -> None:
        if self._due is None and not self.closed:
            self._due = asyncio.get_event_loop().call_later(seconds, self._commit)

    def _commit(self) -> None:
        self._due = None
        if self.closed or not (self.has_staged or self.has_removals):
            return
        try:
            failed = self.commit() is not None
        except Exception as error:  # noqa: BLE001 - whatever it is breaks a law
            self.world.violations.append(f"a commit raised {error!r}")
            failed = True
        if self.has_staged or self.has_removals:
            self._commit_in(0.3 if failed else 0)


class _OwnLoop:
    """The loop thread as the drain sees it, which waits in a greenlet for what runs on this very loop."""

    def start(self) -> None:
        """It runs."""

    def is_running(self) -> bool:
        """It always does."""
        return True

    def run(self, work: Any, timeout: float) -> Any:
        """Run a coroutine, and wait for it."""
        return await_only(asyncio.wait_for(work, timeout))


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
        self.stopped = False
        self.left: Path | None = None
        self._loop = asyncio.get_running_loop()
        self.receipts = OpenReceipts()
        around = Surroundings(self._wake, self.receipts, Clock(self._loop.time, asyncio.sleep))
        self.fan_out = FanOut(pipelines.assemble(config, around), self.receipts)
        self._housekeeping = Housekeeping(lambda: self.reload.on_disk())  # noqa: PLW0108 - made below
        self.reload = Reload(self.fan_out, around, self._housekeeping.hurry, lambda: self.stopped)
        self._tasks: set[asyncio.Task[Any]] = set()
        for channel in self.fan_out.pipeline.channels.values():
            channel.start()
        self._run(self._housekeeping.run())

    # -- what the runtime does --------------------------------------------------------------------

    def _wake(self, callback: Callable[[], None]) -> None:
        if not self.dead:
            self._loop.call_later(self.world.chance.uniform(0, 0.002), callback)

    def _run(self, work: Any) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def change(self, config: RoutingConfig) -> None:
        """Reload."""
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
        drain = Drain(_OwnLoop(), self.reload, self.receipts, lambda: asyncio.sleep(0))  # type: ignore[arg-type]
        await greenlet_spawn(drain.run, seconds)
        self.stopped = True
        self._cancel()

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

    async def release(self) -> None:
        """Free what the dead one holds."""
        self._cancel()
        for channel in self.reload.all_channels():
            if channel._task is not None:
                channel._task.cancel()
        await asyncio.sleep(0.05)
        self.world.disk_full = False
        for spool in self.reload.spools:
            with contextlib.suppress(Exception):
                spool.close()

    def _cancel(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    # -- callers ----------------------------------------------------------------------------------

    def log(self, event: Event) -> None:
        """A log call."""
        self.fan_out.dispatch(event)

    def audit(self, event: Event, level: AckLevel, seconds: float) -> None:
        """An audited call; its caller waits in a task of its own."""
        receipt = self.fan_out.audit(event, level)
        self._run(self._await(receipt, level, seconds))

    async def _await(self, receipt: Receipt, level: AckLevel, seconds: float) -> None:
        try:
            ack = await receipt.acknowledged(level, seconds)
        except AuditError:
            return
        if not self.dead:
            self.world.acknowledged[receipt.event.id, level] = ack.sinks
            missing = [name for name in ack.sinks if receipt.event.id not in self.world.store(name).there]
            if level == "stored" and missing:
                self.world.violations.append(f"stored was said of what {missing} have not")
