"""A run: the steps of every backend in turn, saved after each, so that nothing measured is lost.

Backends take turns at each step, so that the machine's drift hits all alike. A step that fails ends its
backend (it is reported as failed, with the reason) and nobody else. A run that was interrupted goes on where
it was: the workload is the same by its seed, and what was half stored is absorbed by id.
"""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from logweir.benchmarks.suite import freshness, ingest, queries, recovery
from logweir.benchmarks.suite.growth.filling import Position, fill
from logweir.benchmarks.suite.growth.stages import Growth, Stage, Work
from logweir.benchmarks.suite.limits import LimitReached
from logweir.benchmarks.suite.natives import Native, Spec, native_of
from logweir.benchmarks.suite.profiles import PROFILES, Profile
from logweir.benchmarks.suite.results import Backend, Limits, Measure, NotRun, Results
from logweir.benchmarks.suite.store import opened
from logweir.benchmarks.suite.truth import Truth
from logweir.benchmarks.suite.workload import FileWorkload, SeededWorkload, Workload, describe, workload_of

__all__ = ["Run", "begin", "resume"]

#: The growing store of each backend.
_STORE = "growing"
#: The workload's events end this long before the run began, and are spread over this long.
_END_NS, _SPAN_NS = 3600 * 10**9, 20 * 3600 * 10**9
_TOGETHER_NS = 1800 * 10**9

#: Called before each step: how many are done, how many there are, and which comes.
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to measure."""

    backend: str
    name: str
    work: Callable[[], Awaitable[Sequence[Measure]]]
    prepare: Callable[[], object]

    @property
    def key(self) -> str:
        """What marks it as done."""
        return f"{self.backend}/{self.name}"


@dataclass(slots=True)
class Run:
    """A run that can be started, or resumed.

    Attributes:
        folder: Where its files are.
        results: What is known so far.
        on_progress: Called while a step is under way, with a line for whoever watches.
    """

    folder: Path
    results: Results
    specs: list[Spec]
    profile: Profile
    workload: Workload
    on_progress: Callable[[str], None] = lambda _line: None
    _ended: dict[str, str] = field(default_factory=dict)
    _truth: Truth = field(init=False)

    def __post_init__(self) -> None:
        seed = self.results.workload["seed"]
        self._truth = Truth(self.workload, self.profile.each, seed, self.folder / "counts.json")

    @property
    def path(self) -> Path:
        """The file of the results."""
        return self.folder / "results.json"

    async def go(self, progress: Progress = lambda _done, _all, _what: None) -> Results:
        """Run every step that is not done."""
        done = set(self.results.done)
        tried_now = {spec.name for spec in self.specs}
        self.results.not_run = [
            entry
            for entry in self.results.not_run
            if f"{entry.backend}/{entry.what}" in done or entry.backend not in tried_now
        ]
        natives = await self._open_all()
        try:
            steps = [step for step in self._steps(natives) if step.key not in self.results.done]
            for number, step in enumerate(steps):
                progress(number, len(steps), step.key)
                await self._attempt(step)
            progress(len(steps), len(steps), "done")
        finally:
            for native in natives:
                await native.close()
        return self.results

    async def _open_all(self) -> list[Native]:
        natives: list[Native] = []
        for spec in self.specs:
            native: Native | None = None
            try:
                native = native_of(spec)
                await native.open()
                server = await native.server()
            except Exception as error:  # noqa: BLE001 - one backend's trouble must not stop the others
                if native is not None:
                    with suppress(Exception):  # what was half opened may not close either
                        await native.close()
                self._fail(spec.name, "opening", error)
                continue
            natives.append(native)
            known = self.results.backends.get(spec.name)
            settings = native.production_settings()
            self.results.backends[spec.name] = Backend(
                type=spec.type, server=server, settings=settings, minutes=known.minutes if known else 0.0
            )
        self.results.save(self.path)
        return natives

    def _steps(self, natives: Sequence[Native]) -> Iterator[Step]:
        """All steps, the backends in turn at each."""
        for stage in self._stages():
            for native in natives:
                yield Step(native.spec.name, stage.name, partial(stage.work, native), stage.prepare)

    def _stages(self) -> Iterator[Stage]:
        workload, profile = self.workload, self.profile
        if profile.growth:
            yield from Growth(
                self.folder, self.results, profile, workload, self._truth, self.on_progress
            ).stages()
            return
        yield Stage("matrix", lambda native: ingest.matrix(native, workload, profile))
        before = 0
        for volume in profile.volumes:
            yield Stage(f"growth to {volume}", self._growth(volume))
            yield Stage(f"storage at {volume}", self._storage(volume))
            yield Stage(f"queries at {volume}", self._queries(volume), partial(self._truth.at, volume))
            before = volume
        often = profile.repeats * 3
        yield Stage("freshness", lambda native: freshness.freshness(native, _STORE, before, often))
        yield Stage("recovery", lambda native: recovery.recovery(native, workload, profile.repeats))

    def _growth(self, volume: int) -> Work:
        async def work(native: Native) -> Sequence[Measure]:
            position = Position.load(self.folder / "positions" / f"{native.spec.name}.json")
            if not position.handed:
                await native.wipe(_STORE)
            async with opened(native, _STORE, workers=ingest.GROWTH_WORKERS) as store:
                filled = await fill(store, self.workload, position, volume)
            if not filled.rates:  # it was full when the run was interrupted
                return []
            labels = {"volume": volume, "workers": ingest.GROWTH_WORKERS, "batch": ingest.GROWTH_BATCH}
            name = native.spec.name
            return [Measure(backend=name, name="growth", labels=labels, unit="events/s", values=filled.rates)]

        return work

    def _storage(self, volume: int) -> Work:
        async def work(native: Native) -> Sequence[Measure]:
            await native.compact(_STORE)
            return [
                Measure(
                    backend=native.spec.name,
                    name="storage",
                    labels={"volume": volume, "part": part},
                    unit="bytes/event",
                    values=[size / volume],
                )
                for part, size in (await native.storage(_STORE)).items()
            ]

        return work

    def _queries(self, volume: int) -> Work:
        async def work(native: Native) -> Sequence[Measure]:
            if why := await native.unanswered():
                name = native.spec.name
                self.results.not_run.append(NotRun(backend=name, what=f"queries at {volume}", why=why))
                return []
            return await queries.ask_all(native, _STORE, volume, self._truth.at(volume))

        return work

    async def _attempt(self, step: Step) -> None:
        name = step.backend
        if name in self._ended:
            self.results.not_run.append(NotRun(backend=name, what=step.name, why=self._ended[name]))
            return
        began = time.monotonic()
        allowed: asyncio.Timeout | None = None
        try:
            step.prepare()
            began = time.monotonic()  # what comes before is no time of the store's
            async with asyncio.timeout(self._seconds_for(name)) as allowed:
                measures = await step.work()
        except LimitReached as reached:
            self._end(name, step.name, str(reached), limit=reached.limit)
        except Exception as error:  # noqa: BLE001 - one backend's trouble must not stop the others
            if allowed is not None and allowed.expired():
                self._time_is_up(step)
            else:
                self._fail(name, step.name, error)
        else:
            self.results.measures += measures
            self.results.done.append(step.key)
        self.results.backends[name].minutes += (time.monotonic() - began) / 60
        self.results.save(self.path)

    def _seconds_for(self, backend: str) -> float:
        """How long the next step of a backend may take."""
        limit = self.results.limits.minutes
        if not limit:
            return self.profile.step_seconds
        left = (limit - self.results.backends[backend].minutes) * 60
        return min(self.profile.step_seconds, max(left, 0.0))

    def _time_is_up(self, step: Step) -> None:
        allowed = self._seconds_for(step.backend)
        if allowed < self.profile.step_seconds:
            why = f"--max-minutes allows {self.results.limits.minutes:g} minutes for each store"
            self._end(step.backend, step.name, why, limit="minutes")
        else:
            self._fail(step.backend, step.name, f"not done within {allowed:g} s")

    def _fail(self, backend: str, what: str, error: Exception | str) -> None:
        why = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        self._ended[backend] = "an earlier step of this backend failed"
        self.results.not_run.append(NotRun(backend=backend, what=what, why=why[:500], failed=True))

    def _end(self, backend: str, what: str, why: str, limit: str) -> None:
        self._ended[backend] = "a limit was reached at an earlier step of this backend"
        self.results.not_run.append(NotRun(backend=backend, what=what, why=why, limit=limit))


def begin(
    folder: Path,
    specs: Sequence[Spec],
    profile: Profile,
    *,
    events: Path | None = None,
    seed: int = 7,
    command: str = "",
    note: str = "",
    limits: Limits | None = None,
) -> Run:
    """A new run; what an earlier one left in the folder is forgotten.

    Args:
        folder: Where its files go.
        specs: The backends.
        profile: The sizes.
        events: The user's own JSON lines; by default the seeded shapes.
        seed: Of everything that is drawn.
        command: What made it, to be kept with the results.
        note: What is to be said about it there.
        limits: What each store may take; by default as much as it takes.
    """
    for position in folder.glob("positions/*.json"):
        position.unlink()
    # Events that are written at once lie within half an hour: Loki refuses what comes an hour late.
    at_once = max(profile.workers) * max(profile.batches) + ingest.GROWTH_WORKERS * ingest.GROWTH_BATCH
    step_ns = min(_SPAN_NS // max(profile.volumes[-1], profile.matrix_events), _TOGETHER_NS // at_once)
    times = {"first_ns": time.time_ns() - _END_NS - _SPAN_NS, "step_ns": step_ns, "seed": seed}
    workload: Workload = (
        SeededWorkload(**times) if events is None else FileWorkload(**times, path=events.absolute())
    )
    results = Results(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        profile=profile.name,
        workload=describe(workload),
        environment=_environment(),
        command=command,
        note=note,
        limits=limits or Limits(),
    )
    return _made(folder, results, specs, profile)


def resume(
    folder: Path, specs: Sequence[Spec], *, limits: Limits | None = None, up_to: int | None = None
) -> Run:
    """Go on with the run of a folder, within other limits if there are any, and no further than ``up_to``.

    Raises:
        LogweirError: There is none.
    """
    results = Results.load(folder / "results.json")
    results.resumed.append(datetime.now(UTC).isoformat(timespec="seconds"))
    results.limits = limits or results.limits
    profile = PROFILES[results.profile]
    return _made(folder, results, specs, profile if up_to is None else profile.up_to(up_to))


def _made(folder: Path, results: Results, specs: Sequence[Spec], profile: Profile) -> Run:
    run = f"{results.workload['first_ns'] // 10**9:x}"
    named = [replace(spec, run=run) for spec in specs]
    return Run(folder, results, named, profile, workload_of(results.workload))


def _environment() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "logweir": version("logweir"),
    }
