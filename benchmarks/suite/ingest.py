"""How fast a store takes events: by workers and batch size, beside the bare driver, and as it grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.profiles import Profile
from logweir.benchmarks.suite.results import Measure, percentile
from logweir.benchmarks.suite.store import opened
from logweir.benchmarks.suite.workload import Workload
from logweir.errors import LogweirError
from logweir.event import Event
from logweir.sinks.contract import Sink

__all__ = ["GROWTH_BATCH", "GROWTH_SLICES", "GROWTH_WORKERS", "matrix", "write_batch"]

#: How the growing store is filled.
GROWTH_WORKERS, GROWTH_BATCH = 2, 1000
#: In so many parts, so that the rate has a range.
GROWTH_SLICES = 5


class _Timed(NamedTuple):
    """One timed ingest.

    Attributes:
        rate: Events a second.
        cpu: Microseconds of this process's CPU for each event.
        latencies: Milliseconds of each write.
    """

    rate: float
    cpu: float
    latencies: list[float]


async def matrix(native: Native, workload: Workload, profile: Profile) -> list[Measure]:
    """Measure every cell, each beside the bare driver where one writer is asked for."""
    measures: list[Measure] = []
    for batch in profile.batches:
        events = list(workload.events(0, profile.matrix_events))
        bare: list[_Timed] = []
        cells: dict[int, list[_Timed]] = {workers: [] for workers in profile.workers}
        for repeat in range(profile.repeats + 1):  # the first round does not count
            timed = await _bare(native, events, batch, repeat)
            by_workers = {
                workers: await _through_sink(native, events, batch, workers, repeat) for workers in cells
            }
            if repeat or not profile.repeats:
                bare.append(timed)
                for workers, of_sink in by_workers.items():
                    cells[workers].append(of_sink)
        measures += _measures(native.spec.name, batch, bare, cells)
    return measures


def _measures(
    backend: str, batch: int, bare: Sequence[_Timed], cells: dict[int, list[_Timed]]
) -> Iterator[Measure]:
    rates = [timed.rate for timed in bare]
    yield Measure(backend=backend, name="ingest_bare", labels={"batch": batch}, unit="events/s", values=rates)
    for workers, runs in cells.items():
        labels = {"workers": workers, "batch": batch}
        own = [timed.rate for timed in runs]
        yield Measure(backend=backend, name="ingest", labels=labels, unit="events/s", values=own)
        cpu = [timed.cpu for timed in runs]
        yield Measure(backend=backend, name="cpu", labels=labels, unit="µs/event", values=cpu)
        for share in (50, 95, 99):
            values = [percentile(timed.latencies, share / 100) for timed in runs]
            marked = {**labels, "percentile": share}
            yield Measure(backend=backend, name="write_latency", labels=marked, unit="ms", values=values)
        ratios = [mine / theirs for mine, theirs in zip(own, rates, strict=True)]
        yield Measure(backend=backend, name="ingest_to_bare", labels=labels, unit="×", values=ratios)


async def _bare(native: Native, events: Sequence[Event], batch: int, repeat: int) -> _Timed:
    store = f"scratch_bare_{batch}_{repeat}"
    await native.wipe(store)
    async with opened(native, store):
        pass  # the sink has created it
    try:
        return await _timed(_batches(events, batch), 1, lambda part: native.bare_write(store, part))
    finally:
        await native.wipe(store)


async def _through_sink(
    native: Native, events: Sequence[Event], batch: int, workers: int, repeat: int
) -> _Timed:
    store = f"scratch_{workers}_{batch}_{repeat}"
    await native.wipe(store)
    try:
        async with opened(native, store, workers=workers) as opened_store:
            return await _timed(
                _batches(events, batch), workers, lambda part: write_batch(opened_store.sink, part)
            )
    finally:
        await native.wipe(store)


def _batches(events: Sequence[Event], size: int) -> Iterator[list[Event]]:
    iterator = iter(events)
    while batch := list(islice(iterator, size)):
        yield batch


async def write_batch(sink: Sink[Any], batch: Sequence[Event]) -> None:
    """Write as a worker does, but give up where a worker would try again: a benchmark must not flatter."""
    answer = await sink.write(batch)
    if answer.retry or answer.rejected:
        reason = next(iter(answer.rejected.values()), "to be sent again")
        raise LogweirError(f"{len(answer.retry) + len(answer.rejected)} events were not stored: {reason}")


async def _timed(batches: Iterator[list[Event]], workers: int, write: Any) -> _Timed:
    """Write batches by several workers; making the events is not counted."""
    latencies: list[float] = []
    count = 0
    waiting = 0.0  # seconds in which a batch was made, which is not the store's time

    async def work() -> None:
        nonlocal count, waiting
        while True:
            before = time.perf_counter()
            batch = next(batches, None)
            waiting += time.perf_counter() - before
            if batch is None:
                return
            started = time.perf_counter()
            await write(batch)
            latencies.append((time.perf_counter() - started) * 1000)
            count += len(batch)

    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    seconds = time.perf_counter() - started - waiting
    used = time.process_time() - cpu - waiting
    return _Timed(count / max(seconds, 1e-9), max(used, 0.0) / max(count, 1) * 1e6, latencies)
