"""The world around a process: stores that outlive it, the disk, and what was said to callers."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Query, Sink, SinkConfig
from logweir.sinks.results import Health, HealthStatus, WriteResult

if TYPE_CHECKING:
    from simulation.process import Process

__all__ = ["SimulatedConfig", "SimulatedSink", "Store", "World"]

#: What a store does with a batch. ``cut`` stores it and loses the answer; ``forever`` never answers.
Mood = Literal[
    "well", "slow", "down", "cut", "half", "forever", "later", "refuses", "odd", "cancels", "dies", "lies"
]
MOODS: tuple[Mood, ...] = (
    "slow", "down", "cut", "half", "forever", "later", "refuses", "odd", "cancels", "dies", "lies",
)  # fmt: skip


@dataclass
class Store:
    """What one backend holds, by the name of its sink.

    Attributes:
        mood: What it does at present.
        order: Ids as they were first stored.
        again: Ids that may be sent once more, because their first answer was lost on the way.
        doubled: Ids that were sent once more without a reason.
        troubled: Whether anything ever went wrong here, so that no order is promised.
        closed: The ids of events that this store puts off for as long as it is so (a closed index).
        events: What is there, by id.
        unsure: Ids of which whoever wrote them last does not know whether they are there.
    """

    mood: Mood = "well"
    order: list[str] = field(default_factory=list)
    there: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    doubled: list[str] = field(default_factory=list)
    troubled: bool = False
    closed: set[str] = field(default_factory=set)
    events: dict[str, Event] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)

    def take(self, events: Sequence[Event]) -> frozenset[int]:
        """Store events; returns the indexes of those that were there."""
        known = set[int]()
        for index, event in enumerate(events):
            if event.id in self.there:
                known.add(index)
                if event.id not in self.again:
                    self.doubled.append(event.id)
            else:
                self.there.add(event.id)
                self.events[event.id] = event
                self.order.append(event.id)
        return frozenset(known)


@dataclass
class World:
    """Everything outside of a process.

    Attributes:
        chance: Decides everything that is not decided otherwise.
        stores: By the name of the sink.
        process: The one that lives.
        disk_changes: How often the disk became full, and had room again: while it is odd, it is full.
        crash_at_commit: Whether the process dies with its next commit, after the disk has it.
        acknowledged: The sinks by id and level of what callers were promised.
        violations: What broke a law as it happened.
    """

    chance: Random
    stores: dict[str, Store] = field(default_factory=dict)
    process: Process | None = None
    disk_changes: int = 0
    crash_at_commit: bool = False
    acknowledged: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def store(self, name: str) -> Store:
        """The store of a sink."""
        return self.stores.setdefault(name, Store())

    @property
    def disk_full(self) -> bool:
        """Whether the disk takes nothing more."""
        return self.disk_changes % 2 == 1

    @disk_full.setter
    def disk_full(self, full: bool) -> None:
        self.disk_changes += full != self.disk_full

    def write_to_disk(self, write: Any, file: Any, *arguments: Any) -> Any:
        """Stand in for the spool's write: a disk that is full, and a process that dies in the middle."""
        if self.disk_full:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        result = write(file, *arguments)
        if self.crash_at_commit and self.process is not None and self.process.owns(file):
            self.crash_at_commit = False
            self.process.die()
        return result


class SimulatedConfig(SinkConfig):
    """Options of a simulated sink; the number makes two configurations differ."""

    type: str = "simulated"
    number: int = 0


class SimulatedSink(Sink[SimulatedConfig]):
    """A sink in front of a store of the world."""

    Config = SimulatedConfig
    world: World
    process: Process

    async def open(self) -> None:
        self.process = self.world.process  # type: ignore[assignment]
        if self._store.mood == "down":
            raise SinkUnavailable("it is down")

    @property
    def _store(self) -> Store:
        return self.world.store(self.context.name)

    async def check(self) -> Health:
        """Say that it is down, if that is all that is wrong: other moods show in a write."""
        down = self._store.mood == "down"
        return Health(HealthStatus.DOWN, "it is down") if down else Health(HealthStatus.OK)

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events of these ids; what serves a fallback."""
        await self._reached()
        for event_id in sorted(query.ids or ()):
            if event_id in self._store.there:
                yield self._store.events[event_id]

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete the events of these ids, and maybe lose the answer."""
        await self._reached()
        store = self._store
        gone = store.there & {*ids}
        store.there -= gone
        if store.mood == "cut":
            raise SinkUnavailable("the connection broke")
        return len(gone)

    async def _reached(self) -> None:
        await asyncio.sleep(self.world.chance.uniform(0, 0.002))
        if self.process.dead or self._store.mood == "forever":
            await asyncio.Event().wait()
        if self._store.mood == "down":
            raise SinkUnavailable("it is down")

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Do what the mood says; a write of a process that has died meanwhile never gets anywhere."""
        store, chance = self._store, self.world.chance
        mood = store.mood if chance.random() < 0.8 else "well"
        store.troubled = store.troubled or mood not in {"well", "slow"}
        try:
            await asyncio.sleep(chance.uniform(0, 0.3 if mood == "slow" else 0.002))
            if self.process.dead:
                await asyncio.Event().wait()
            return await self._answer(mood, store, batch)
        except asyncio.CancelledError:
            # Whoever cancels a write cannot know what was stored of it.
            store.again.update(event.id for event in batch)
            store.unsure.update(event.id for event in batch)
            raise

    async def _answer(  # noqa: C901 - a table of moods
        self, mood: Mood, store: Store, batch: Sequence[Event]
    ) -> WriteResult:
        chance = self.world.chance
        put_off = frozenset(index for index, event in enumerate(batch) if event.id in store.closed)
        match mood:
            case "down":
                raise SinkUnavailable("it is down", retry_after=chance.choice([None, 0.5]))
            case "cut":
                self._store_some(store, batch)
                raise SinkUnavailable("the connection broke")
            case "half":
                self._store_some(store, batch[: len(batch) // 2])
                raise SinkUnavailable("the connection broke half-way")
            case "forever":
                self._store_some(store, batch)
                await asyncio.Event().wait()
            case "refuses":
                if any(event.fields.get("poison") for event in batch):
                    raise SinkRejected("one of them is poison")
            case "odd":
                raise ZeroDivisionError
            case "cancels":
                raise asyncio.CancelledError
            case "dies":
                raise SystemExit
            case "lies":
                self._store_some(store, batch)
                return WriteResult(duplicate=frozenset({len(batch) + 3}))
            case "later":
                put_off |= {index for index in range(len(batch)) if chance.random() < 0.3}
        rejected = {
            index: "poison"
            for index, event in enumerate(batch)
            if event.fields.get("poison") and index not in put_off
        }
        kept = [index for index in range(len(batch)) if index not in put_off and index not in rejected]
        known = store.take([batch[index] for index in kept])
        return WriteResult(frozenset(kept[index] for index in known), put_off, rejected)

    @staticmethod
    def _store_some(store: Store, batch: Sequence[Event]) -> None:
        wanted = [event for event in batch if event.id not in store.closed and not event.fields.get("poison")]
        store.again.update(event.id for event in wanted)
        store.unsure.update(event.id for event in wanted)
        store.take(wanted)
