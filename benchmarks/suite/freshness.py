"""How long after a write an event can be found: by its id, and by whoever follows the newest events."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.results import Measure
from logweir.benchmarks.suite.store import Store, opened
from logweir.errors import LogweirError
from logweir.event import Event, Kind, new_event_id
from logweir.sinks.contract import Query

__all__ = ["freshness", "new_event"]

_POLL = 0.005
_DEADLINE = 60.0


async def freshness(native: Native, store: str, volume: int, repeats: int) -> list[Measure]:
    """Write single events and wait until they are found."""
    by_id: list[float] = []
    tail: list[float] = []
    async with opened(native, store) as writer, opened(native, store) as reader:
        for _ in range(repeats):
            event = new_event()
            by_id.append(await _until_found(writer, reader, event, Query(ids=frozenset({event.id}))))
            event = new_event()
            newest = Query(start=event.datetime - timedelta(seconds=1), newest_first=True, limit=100)
            tail.append(await _until_found(writer, reader, event, newest))
    return [
        Measure(
            backend=native.spec.name,
            name="freshness",
            labels={"volume": volume, "by": by},
            unit="ms",
            values=values,
        )
        for by, values in (("id", by_id), ("tail", tail))
    ]


def new_event() -> Event:
    """An event of this moment."""
    fields = {"message": "is it there yet"}
    now = time.time_ns()
    return Event(
        new_event_id(), now, Kind.TRACING, "info", "freshness", "bench", "bench", None, None, fields, 200
    )


async def _until_found(writer: Store, reader: Store, event: Event, query: Query) -> float:
    started = time.perf_counter()
    await writer.sink.write([event])
    while time.perf_counter() - started < _DEADLINE:
        if event.id in await reader.ids(query):
            return (time.perf_counter() - started) * 1000
        await asyncio.sleep(_POLL)
    raise LogweirError(f"an event was not found within {_DEADLINE:g} s after it was written")
