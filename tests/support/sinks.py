"""Sinks that misbehave, to be named by dotted path in a configuration."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Sink, SinkConfig, SyncSink
from logweir.sinks.memory import MemorySink
from logweir.sinks.results import WriteResult

#: Set to let misbehaving sinks behave.
healed = threading.Event()


class Dead(MemorySink):
    """Is unavailable until it is healed."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        if not healed.is_set():
            raise SinkUnavailable("connection refused")
        return await super().write(batch)


class PutsOff(MemorySink):
    """Puts off events named ``waits`` until it is healed."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        waits = frozenset(
            index for index, event in enumerate(batch) if event.name == "waits" and not healed.is_set()
        )
        await super().write([event for index, event in enumerate(batch) if index not in waits])
        return WriteResult(retry=waits, retry_reason="it waits" if waits else "")


class Hung(MemorySink):
    """Accepts and never answers until it is healed."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        if not healed.is_set():
            await asyncio.Event().wait()
        return await super().write(batch)


class Slow(MemorySink):
    """Stores one batch and is unavailable from then on, until it is healed; its store outlives it."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        while not healed.is_set():
            await asyncio.sleep(0.001)
        return await super().write(batch)


class Steady(MemorySink):
    """Stores one event after the other, and takes its time."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        for event in batch:
            await asyncio.sleep(0.02)
            await super().write([event])
        return WriteResult.all_stored()


class HungInAThread(SyncSink[SinkConfig]):
    """Blocks its thread until it is healed."""

    stored: list[Event] = []

    def write(self, batch: Sequence[Event]) -> WriteResult:
        healed.wait()
        self.stored.extend(batch)
        return WriteResult.all_stored()


class Unmade(MemorySink):
    """Cannot be made, which it says with a password."""

    def __init__(self, *args: Any) -> None:
        raise RuntimeError("cannot be made for db://app:zq7KXhunterS3cr@db/app")


class Unopenable(MemorySink):
    """Raises in open until it is healed."""

    async def open(self) -> None:
        if not healed.is_set():
            raise ConnectionRefusedError("nobody listens")


class HungInOpen(MemorySink):
    """Never opens until it is healed."""

    async def open(self) -> None:
        if not healed.is_set():
            await asyncio.Event().wait()


class HungInClose(MemorySink):
    """Never closes."""

    async def close(self) -> None:
        await asyncio.Event().wait()


class Chatty(MemorySink):
    """Logs while it writes."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        import logweir

        if not any(event.name == "from the sink" for event in batch):
            logweir.get_logger().info("from the sink")
        return await super().write(batch)


class Nonsense(Sink[Any]):
    """Answers what no sink may answer."""

    async def write(self, batch: Sequence[Event]) -> Any:
        return None


class RefusesBad(MemorySink):
    """Refuses what is called ``bad``, and appends the names of all else to the file ``stored.txt``."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        good = [event.name for event in batch if event.name != "bad"]
        await asyncio.to_thread(_append, "".join(f"{name}\n" for name in good))
        return WriteResult(rejected={i: "too long" for i, event in enumerate(batch) if event.name == "bad"})


def _append(text: str) -> None:
    with Path("stored.txt").open("a") as file:
        file.write(text)
