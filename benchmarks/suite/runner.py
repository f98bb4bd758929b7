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
from importlib.metadata import version
from pathlib import Path
from typing import Any

from logweir.benchmarks.suite import freshness, ingest, queries, recovery
from logweir.benchmarks.suite.natives import Native, Spec, native_of
from logweir.benchmarks.suite.profiles import PROFILES, Profile
from logweir.benchmarks.suite.results import Backend, Measure, NotRun, Results
from logweir.benchmarks.suite.truth import Question, questions
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
    """

    folder: Path
    results: Results
    specs: list[Spec]
    profile: Profile
    workload: Workload
    _failed: set[str] = field(default_factory=set)
    _questions: dict[int, list[Question]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file of the results."""
        return self.folder / "results.json"

    async def go(self, progress: Progress = lambda _done, _all, _what: None) -> Results:
        """Run every step that is not done."""
        self.results.not_run = [entry for entry in self.results.not_run if not entry.failed]
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
            self.results.backends[spec.name] = Backend(
                type=spec.type, server=server, settings=native.production_settings()
            )
        self.results.save(self.path)
        return natives

    def _steps(self, natives: Sequence[Native]) -> Iterator[Step]:
        """All steps, the backends in turn at each."""
        for name, work in self._stages():
            for native in natives:
                yield Step(native.spec.name, name, lambda native=native, work=work: work(native))  # type: ignore[misc]

    def _stages(self) -> Iterator[tuple[str, Callable[[Native], Awaitable[Sequence[Measure]]]]]:
        workload, profile = self.workload, self.profile
        yield "matrix", lambda native: ingest.matrix(native, workload, profile)
        before = 0
        for volume in profile.volumes:
            yield f"growth to {volume}", self._growth(before, volume)
            yield f"storage at {volume}", self._storage(volume)
            yield f"queries at {volume}", self._queries(volume)
            before = volume
        yield "freshness", lambda native: freshness.freshness(native, _STORE, before, profile.repeats * 3)
        yield "recovery", lambda native: recovery.recovery(native, workload, profile.repeats)

    def _growth(self, before: int, volume: int) -> Callable[[Native], Awaitable[Sequence[Measure]]]:
        async def work(native: Native) -> Sequence[Measure]:
            if not before and not self.results.one("growth", native.spec.name):
                await native.wipe(_STORE)
            return [await ingest.grow(native, self.workload, _STORE, before, volume)]

        return work

    def _storage(self, volume: int) -> Callable[[Native], Awaitable[Sequence[Measure]]]:
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

    def _queries(self, volume: int) -> Callable[[Native], Awaitable[Sequence[Measure]]]:
        async def work(native: Native) -> Sequence[Measure]:
            if why := await native.unanswered():
                name = native.spec.name
                self.results.not_run.append(NotRun(backend=name, what=f"queries at {volume}", why=why))
                return []
            if volume not in self._questions:
                seed = self.results.workload["seed"]
                self._questions[volume] = questions(self.workload, volume, self.profile.each, seed)
            return await queries.ask_all(native, _STORE, volume, self._questions[volume])

        return work

    async def _attempt(self, step: Step) -> None:
        if step.backend in self._failed:
            why = "an earlier step of this backend failed"
            self.results.not_run.append(NotRun(backend=step.backend, what=step.name, why=why))
            return
        try:
            async with asyncio.timeout(self.profile.step_seconds):
                measures = await step.work()
        except TimeoutError:
            self._fail(step.backend, step.name, f"not done within {self.profile.step_seconds:g} s")
        except Exception as error:  # noqa: BLE001 - one backend's trouble must not stop the others
            self._fail(step.backend, step.name, error)
        else:
            self.results.measures += measures
            self.results.done.append(step.key)
        self.results.save(self.path)

    def _fail(self, backend: str, what: str, error: Exception | str) -> None:
        self._failed.add(backend)
        why = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        self.results.not_run.append(NotRun(backend=backend, what=what, why=why[:500], failed=True))


def begin(
    folder: Path, specs: Sequence[Spec], profile: Profile, *, events: Path | None = None, seed: int = 7
) -> Run:
    """A new run.

    Args:
        folder: Where its files go.
        specs: The backends.
        profile: The sizes.
        events: The user's own JSON lines; by default the seeded shapes.
        seed: Of everything that is drawn.
    """
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
    )
    return _made(folder, results, specs, profile)


def resume(folder: Path, specs: Sequence[Spec]) -> Run:
    """Go on with the run of a folder.

    Raises:
        LogweirError: There is none.
    """
    results = Results.load(folder / "results.json")
    return _made(folder, results, specs, PROFILES[results.profile])


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
