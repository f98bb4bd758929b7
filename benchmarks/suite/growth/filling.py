"""Filling a store so that it can be gone on with after any end: each batch is noted before it is handed on.

Stores that take an event twice must not be sent one again. So the file of the position says which
batches were handed over and which of them were confirmed; of those in between, the store is asked after a
crash.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from logweir.benchmarks.suite.ingest import GROWTH_BATCH, GROWTH_SLICES, GROWTH_WORKERS, write_batch
from logweir.benchmarks.suite.store import Store
from logweir.benchmarks.suite.whole_file import write_whole
from logweir.benchmarks.suite.workload import Workload
from logweir.encoding.events import encode_event
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Query

__all__ = ["Filled", "Position", "fill"]

#: So many batches are made before the clock starts: making events is not the store's time.
_MADE_AT_ONCE = 20
#: A batch is sent so often, with so many seconds between, before its store has failed.
_ATTEMPTS, _PAUSE = 4, 2.0
_STRETCH = GROWTH_BATCH * _MADE_AT_ONCE


@dataclass(slots=True)
class Position:
    """How far one store is filled.

    Attributes:
        path: The file that keeps it.
        handed: All events before this one were handed to the store.
        confirmed: All events before this one were confirmed by it.
        beyond: The batches after that which were confirmed too: first event → the one after the last.
    """

    path: Path
    handed: int = 0
    confirmed: int = 0
    beyond: dict[int, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Position:
        """The position of a run that ended; the beginning where there is none."""
        if not path.exists():
            return cls(path)
        kept = json.loads(path.read_bytes())
        beyond = {int(low): high for low, high in kept["beyond"].items()}
        return cls(path, kept["handed"], kept["confirmed"], beyond)

    def hand(self, high: int) -> None:
        """Note that the events up to this one are about to be handed over."""
        self.handed = max(self.handed, high)
        self.save()

    def confirm(self, low: int, high: int) -> None:
        """Note that a batch is stored; the file says so with the next one that is handed over."""
        self.beyond[low] = high
        while self.confirmed in self.beyond:
            self.confirmed = self.beyond.pop(self.confirmed)

    def save(self) -> None:
        """Write the file whole or not at all."""
        known = {"handed": self.handed, "confirmed": self.confirmed, "beyond": self.beyond}
        write_whole(self.path, json.dumps(known))


@dataclass(slots=True)
class Filled:
    """What filling took.

    Attributes:
        rates: Events a second, of each part.
        events: How many were written.
        size: Their bytes as JSON lines.
        again: How often a batch was sent again, since the server did not answer.
    """

    rates: list[float] = field(default_factory=list)
    events: int = 0
    size: int = 0
    again: int = 0


async def fill(
    store: Store,
    workload: Workload,
    position: Position,
    end: int,
    on_progress: Callable[[int, float], None] = lambda _at, _rate: None,
) -> Filled:
    """Fill a store up to ``end`` events, from where it is.

    Args:
        store: The store, open.
        workload: The events.
        position: Where it is; kept up to date.
        end: How many events shall be in it.
        on_progress: Called now and then: how many are in it, and at which rate they came.
    """
    await _settle_what_is_uncertain(store, workload, position)
    filled = Filled()
    start = position.confirmed
    part = max(1, -(-(end - start) // GROWTH_SLICES))
    for low in range(start, end, part):
        seconds, count = 0.0, 0
        high = min(low + part, end)
        for first in range(low, high, _STRETCH):
            batches = _batches(workload, first, min(first + _STRETCH, high))
            filled.size += sum(len(encode_event(event)) + 1 for _, batch in batches for event in batch)
            began = time.perf_counter()
            await _write_all(store, batches, position, filled)
            seconds += time.perf_counter() - began
            count += min(first + _STRETCH, high) - first
            on_progress(position.confirmed, count / max(seconds, 1e-9))
        filled.rates.append(count / max(seconds, 1e-9))
        filled.events += count
    position.save()
    return filled


def _batches(workload: Workload, start: int, end: int) -> list[tuple[int, list[Event]]]:
    lows = range(start, end, GROWTH_BATCH)
    return list(zip(lows, workload.batches(start, end, GROWTH_BATCH), strict=True))


async def _write(store: Store, batch: list[Event], filled: Filled) -> None:
    """Write a batch; where the server does not answer, what it did not take is sent again, as a worker does.

    Raises:
        SinkUnavailable: It did not answer several times in a row.
    """
    missing = batch
    for attempt in range(_ATTEMPTS):
        try:
            await write_batch(store.sink, missing)
        except SinkUnavailable:
            if attempt == _ATTEMPTS - 1:
                raise
            filled.again += 1
            await asyncio.sleep(_PAUSE)
            missing = await _missing(store, batch)
            if not missing:
                return
        else:
            return


async def _write_all(
    store: Store, batches: Sequence[tuple[int, list[Event]]], position: Position, filled: Filled
) -> None:
    waiting = iter(batches)

    async def work() -> None:
        for low, batch in waiting:
            position.hand(low + len(batch))
            await _write(store, batch, filled)
            position.confirm(low, low + len(batch))

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(GROWTH_WORKERS):
                workers.create_task(work())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


async def _settle_what_is_uncertain(store: Store, workload: Workload, position: Position) -> None:
    """Write what the store does not have of the batches that were under way when the run ended."""
    low = position.confirmed
    while low < position.handed:
        high = position.beyond.get(low, min(low + GROWTH_BATCH, position.handed))
        if low not in position.beyond:
            batch = list(workload.events(low, high))
            missing = await _missing(store, batch)
            if missing:
                await write_batch(store.sink, missing)
        position.confirm(low, high)
        low = position.confirmed
    position.beyond.clear()
    position.save()


async def _missing(store: Store, batch: list[Event]) -> list[Event]:
    await store.native.settle(store.name)
    ids = frozenset(event.id for event in batch)
    found = set(await store.ids(Query(ids=ids, start=batch[0].datetime, limit=None)))
    return [event for event in batch if event.id not in found]
