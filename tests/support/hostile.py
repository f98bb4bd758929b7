"""Sinks that disturb the loop of delivery, to be named by dotted path; each does so once, then behaves."""

import asyncio
import select
import threading
from collections.abc import Sequence
from typing import Any

from logweir.event import Event
from logweir.sinks.memory import MemorySink
from logweir.sinks.results import WriteResult

#: Set when a sink has begun to disturb; when it may go on.
begun, go_on = threading.Event(), threading.Event()


def begin_anew() -> None:
    """Let what an earlier test blocked go on for good, and block anew.

    An event that is set and cleared again could be missed by a thread that looks at it now and then; it would
    block for ever, and be found by another test.
    """
    global begun, go_on
    go_on.set()
    begun, go_on = threading.Event(), threading.Event()


def block() -> None:
    """Block the calling thread until it may go on, by a call that the tests' guard lets through."""
    until = go_on
    while not until.is_set():
        select.select([], [], [], 0.02)


class Disturbing(MemorySink):
    """Disturbs at its first write."""

    disturbed = False

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        if not self.disturbed:
            self.disturbed = True
            begun.set()
            await self.disturb()
        return await super().write(batch)

    async def disturb(self) -> None:
        """What derived classes do."""


class StopsTheLoop(Disturbing):
    async def disturb(self) -> None:
        asyncio.get_running_loop().stop()


class CancelsEverything(Disturbing):
    async def disturb(self) -> None:
        for task in asyncio.all_tasks():
            task.cancel()


class CancelsItsWorker(Disturbing):
    async def disturb(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


class CancelsItsWorkerLater(Disturbing):
    async def disturb(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()


class RaisesGeneratorExit(Disturbing):
    async def disturb(self) -> None:
        raise GeneratorExit


class ExitsInATask(Disturbing):
    async def disturb(self) -> None:
        async def leave() -> None:
            raise SystemExit(3)

        self.kept = asyncio.ensure_future(leave())  # type: ignore[var-annotated]
        self.kept.add_done_callback(lambda task: task.exception())


class ExitsInACallback(Disturbing):
    async def disturb(self) -> None:
        def leave() -> None:
            raise KeyboardInterrupt

        asyncio.get_running_loop().call_soon(leave)


class BlocksTheLoop(Disturbing):
    async def disturb(self) -> None:
        block()


class Sleeps(Disturbing):
    async def disturb(self) -> None:
        select.select([], [], [], 20.0)


class NeverCloses(MemorySink):
    async def close(self) -> None:
        begun.set()
        await asyncio.Event().wait()


class HangsInThreads(MemorySink):
    """Leaves a thread of asyncio behind at every try."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        await asyncio.to_thread(block)
        return await super().write(batch)


class WorksInThreads(MemorySink):
    """Works by threads of asyncio, and refuses events named ``refused``."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        refused = await asyncio.to_thread(
            lambda: {number: "refused" for number, event in enumerate(batch) if event.name == "refused"}
        )
        await super().write([event for event in batch if event.name != "refused"])
        return WriteResult(rejected=refused)


class BlocksWhileItIsMade(MemorySink):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        begun.set()
        block()


class BlocksInClose(MemorySink):
    async def close(self) -> None:
        begun.set()
        block()


class SwallowsCancellation(Disturbing):
    async def disturb(self) -> None:
        until = go_on
        while not until.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue


class BlocksInATask(Disturbing):
    async def disturb(self) -> None:
        async def work() -> None:
            block()

        await asyncio.ensure_future(work())
