"""The steps of a growth run: at each volume fill, weigh and ask; at the largest, the commands and compaction.

Between the steps a store is left as it is: it is compacted once, at the end, for a server is not rebuilt at
each doubling in life either.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from logweir.benchmarks.suite.growth.asking import ask_cold_and_warm
from logweir.benchmarks.suite.growth.commands import measure_commands
from logweir.benchmarks.suite.growth.emptying import Emptying
from logweir.benchmarks.suite.growth.filling import Filled, Position, fill
from logweir.benchmarks.suite.growth.process import watched
from logweir.benchmarks.suite.ingest import GROWTH_BATCH, GROWTH_WORKERS
from logweir.benchmarks.suite.limits import LimitReached
from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.profiles import Profile
from logweir.benchmarks.suite.results import Label, Measure, NotRun, Results
from logweir.benchmarks.suite.store import opened
from logweir.benchmarks.suite.truth import Truth
from logweir.benchmarks.suite.workload import Workload

__all__ = ["Growth", "Stage", "Work"]

Work = Callable[[Native], Awaitable[Sequence[Measure]]]


class Stage(NamedTuple):
    """A step that every backend is taken through.

    Attributes:
        name: Its name.
        work: What it does with a backend.
        prepare: What comes before, in nobody's time.
    """

    name: str
    work: Work
    prepare: Callable[[], object] = lambda: None


#: The growing store of each backend.
_STORE = "growing"
_MIB, _GB = 2**20, 1e9
#: Bytes that a run leaves free on the disk, whatever its limits.
_SPARE = 2 * _GB


@dataclass(slots=True)
class Growth:
    """The steps of one run.

    Attributes:
        folder: Where the run keeps its files.
        results: What is known so far; what could not be measured is added to it.
        profile: The sizes.
        workload: The events.
        truth: The questions of each volume, shared by the backends.
        on_progress: Called while a store is filled, with a line for whoever watches.
    """

    folder: Path
    results: Results
    profile: Profile
    workload: Workload
    truth: Truth
    on_progress: Callable[[str], None]

    def stages(self) -> Iterator[Stage]:
        """Each step."""
        before = 0
        for volume in self.profile.volumes:
            yield Stage(f"growth to {volume}", self._grow(before, volume))
            yield Stage(f"storage at {volume}", self._weigh(volume))
            yield Stage(f"queries at {volume}", self._ask(volume), partial(self.truth.at, volume))
            before = volume
        yield Stage(f"commands at {before}", self._commands(before))
        yield Stage(f"compaction at {before}", self._compact(before))

    def _grow(self, before: int, volume: int) -> Work:
        async def work(native: Native) -> Sequence[Measure]:
            await self._check_disk(native, before, volume)
            position = Position.load(self.folder / "positions" / f"{native.spec.name}.json")
            if not position.handed:
                await self._create(native)
            process = watched(native.spec.url)
            self.results.backends[native.spec.name].counted = process.words
            begun = await process.counters_at_rest()
            async with opened(native, _STORE, workers=GROWTH_WORKERS) as store:
                filled = await fill(store, self.workload, position, volume, self._teller(native, volume))
            await native.settle(_STORE)
            if not filled.events:
                why = "it was filled just before the run was interrupted, so its rate is not known"
                self.results.not_run.append(
                    NotRun(backend=native.spec.name, what=f"growth to {volume}", why=why)
                )
                return []
            ended = await process.counters_at_rest()
            written = None if begun is None or ended is None else ended.written - begun.written
            return [*_measures(native.spec.name, volume, filled, written, process.memory())]

        return work

    def _teller(self, native: Native, volume: int) -> Callable[[int, float], None]:
        def report(at: int, rate: float) -> None:
            self.on_progress(f"{native.spec.name}: {at:,} of {volume:,} events, {rate:,.0f} events/s")

        return report

    async def _create(self, native: Native) -> None:
        """An empty store, divided where that is asked for."""
        await native.wipe(_STORE)
        if native.spec.partitions:
            async with opened(native, _STORE):
                pass  # the sink creates the table
            last = self.workload.first_ns + self.profile.volumes[-1] * self.workload.step_ns
            await native.divide(_STORE, self.workload.first_ns, last)

    async def _check_disk(self, native: Native, before: int, volume: int) -> None:
        """Stop before a store becomes larger than it may, rather than when it is."""
        size = self.results.one("storage", native.spec.name, volume=before, part="total")
        expected = 0.0 if size is None else size.median * volume
        limit = self.results.limits.gigabytes
        if limit and expected > limit * _GB:
            raise LimitReached(
                "disk",
                f"it would take about {expected / _GB:.1f} GB, and --max-gb allows {limit:g} for each store",
            )
        free = shutil.disk_usage(native.spec.data or self.folder).free
        if free - expected < _SPARE:
            raise LimitReached(
                "disk", f"it would take about {expected / _GB:.1f} GB, and {free / _GB:.1f} GB are free"
            )

    def _weigh(self, volume: int) -> Work:
        async def work(native: Native) -> Sequence[Measure]:
            return [*_storage("storage", native.spec.name, volume, await native.storage(_STORE))]

        return work

    def _ask(self, volume: int) -> Work:
        async def work(native: Native) -> Sequence[Measure]:
            emptying = Emptying(native.spec)
            self.results.backends[native.spec.name].cold = emptying.words
            if why := await native.unanswered():
                self.results.not_run.append(
                    NotRun(backend=native.spec.name, what=f"queries at {volume}", why=why)
                )
                return []
            return await ask_cold_and_warm(native, _STORE, volume, self.truth.at(volume), emptying)

        return work

    def _commands(self, volume: int) -> Work:
        async def work(native: Native) -> Sequence[Measure]:
            if why := await native.unanswered():
                self.results.not_run.append(
                    NotRun(backend=native.spec.name, what=f"commands at {volume}", why=why)
                )
                return []
            (event,) = self.workload.events(volume // 2, volume // 2 + 1)
            folder = self.folder / "commands"
            return await measure_commands(native, _STORE, volume, str(event.trace_id), folder)

        return work

    def _compact(self, volume: int) -> Work:
        async def work(native: Native) -> Sequence[Measure]:
            await native.compact(_STORE)
            sizes = await native.storage(_STORE)
            return [*_storage("storage_compacted", native.spec.name, volume, sizes)]

        return work


def _measures(
    backend: str, volume: int, filled: Filled, written: int | None, memory: float | None
) -> Iterator[Measure]:
    labels: dict[str, Label] = {"volume": volume, "workers": GROWTH_WORKERS, "batch": GROWTH_BATCH}
    yield Measure(backend=backend, name="growth", labels=labels, unit="events/s", values=filled.rates)
    size = filled.size / filled.events
    figures = [("event_bytes", "bytes/event", size)]
    if written is not None:
        figures.append(("bytes_written", "bytes/event", written / filled.events))
        figures.append(("write_amplification", "×", written / filled.size))
    if filled.again:
        figures.append(("sent_again", "batches", float(filled.again)))
    if memory is not None:
        figures.append(("memory", "MiB", memory / _MIB))
    for name, unit, value in figures:
        yield Measure(backend=backend, name=name, labels={"volume": volume}, unit=unit, values=[value])


def _storage(name: str, backend: str, volume: int, sizes: dict[str, float]) -> Iterator[Measure]:
    for part, size in sizes.items():
        labels: dict[str, Label] = {"volume": volume, "part": part}
        yield Measure(backend=backend, name=name, labels=labels, unit="bytes/event", values=[size / volume])
