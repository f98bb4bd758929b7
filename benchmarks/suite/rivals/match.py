"""The match: every contender of every backend in turn, and what came of it as measures.

The first round does not count. A contender that fails is reported and plays no more; the others go on.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

from logweir.benchmarks.suite import runner
from logweir.benchmarks.suite.natives import Native, Spec
from logweir.benchmarks.suite.profiles import Profile
from logweir.benchmarks.suite.results import Backend, Measure, NotRun, Results
from logweir.benchmarks.suite.rivals import Rival, contenders, native_for
from logweir.benchmarks.suite.rivals.logstash import Loopback
from logweir.benchmarks.suite.rivals.turn import Outcome
from logweir.errors import LogweirError, MissingDependency
from logweir.process.own_modules import command_of

__all__ = ["play_all"]

#: Called before each turn: which comes.
Progress = Callable[[str], None]


@dataclass(slots=True)
class _Side:
    """One contender and its turns that counted."""

    rival: type[Rival]
    outcomes: list[Outcome] = field(default_factory=list)


async def play_all(
    folder: Path,
    specs: Sequence[Spec],
    profile: Profile,
    *,
    events: int | None = None,
    seed: int = 7,
    progress: Progress = lambda _what: None,
) -> Results:
    """Play for every backend; results.json is saved after each.

    Args:
        folder: Where it is saved.
        specs: The backends.
        profile: How many turns count, and how many events a turn has.
        events: Instead of the profile's.
        seed: Of the events.
        progress: Called before each turn.

    Raises:
        MissingDependency: The CPU of processes cannot be read here.
    """
    if find_spec("psutil") is None:
        raise MissingDependency("a match with the rivals", "bench")
    run = runner.begin(folder, specs, profile, seed=seed)
    results = run.results
    for spec in run.specs:
        match = _Match(results, spec, profile, events or profile.matrix_events, progress)
        try:
            await match.play()
        except Exception as error:  # noqa: BLE001 - one backend's trouble must not stop the others
            why = f"{type(error).__name__}: {error}"[:500]
            results.not_run.append(NotRun(backend=spec.name, what="rivals", why=why, failed=True))
        results.save(run.path)
    return results


@dataclass(slots=True)
class _Match:
    """The match for one backend."""

    results: Results
    spec: Spec
    profile: Profile
    events: int
    progress: Progress

    async def play(self) -> None:
        native = native_for(self.spec)
        await native.open()
        try:
            self.results.backends[self.spec.name] = Backend(type=self.spec.type, server=await native.server())
            sides = list(self._sides())
            for turn in range(self.profile.repeats + 1):
                for number, side in enumerate(list(sides)):
                    self.progress(f"{self.spec.name}, turn {turn}: {side.rival.name}")
                    try:
                        outcome = await self._turn(native, side.rival, f"rival_{turn}_{number}")
                    except (LogweirError, TimeoutError) as error:
                        self._leave_out(side.rival, str(error) or "it took too long", failed=True)
                        sides.remove(side)
                        continue
                    if turn or not self.profile.repeats:
                        side.outcomes.append(outcome)
            for side in sides:
                self.results.measures += self._measures(side)
        finally:
            await native.close()

    def _sides(self) -> Iterator[_Side]:
        for rival in contenders(self.spec.type):
            reason = rival.missing()
            if reason is None:
                yield _Side(rival)
            else:
                self._leave_out(rival, reason)

    def _leave_out(self, rival: type[Rival], why: str, *, failed: bool = False) -> None:
        self.results.not_run.append(
            NotRun(backend=self.spec.name, what=rival.name, why=why[:500], failed=failed)
        )

    async def _turn(self, native: Native | Loopback, rival: type[Rival], store: str) -> Outcome:
        await native.wipe(store)
        try:
            return await self._played(rival, store)
        finally:
            await native.wipe(store)
            await asyncio.to_thread(shutil.rmtree, self.spec.folder / store, ignore_errors=True)

    async def _played(self, rival: type[Rival], store: str) -> Outcome:
        turn = {
            "spec": {**asdict(self.spec), "folder": str(self.spec.folder)},
            "rival": rival.name,
            "store": store,
            "workload": self.results.workload,
            "events": self.events,
        }
        process = await asyncio.create_subprocess_exec(
            *command_of("logweir.benchmarks.suite.rivals.turn"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(self.profile.step_seconds):
                said, complained = await process.communicate(json.dumps(turn).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            last = complained.decode(errors="replace").strip().splitlines()
            raise LogweirError(last[-1] if last else f"it ended with status {process.returncode}")
        return Outcome(**json.loads(said.splitlines()[-1]))

    def _measures(self, side: _Side) -> Iterator[Measure]:
        rival = side.rival
        figures = {
            ("rate", "events/s"): [item.arrived / item.seconds for item in side.outcomes],
            ("cpu", "µs/event"): [item.cpu / max(item.arrived, 1) * 1e6 for item in side.outcomes],
            ("lost", "events"): [float(self.events - item.arrived) for item in side.outcomes],
        }
        for (of, unit), values in figures.items():
            yield Measure(
                backend=self.spec.name,
                name="rival",
                labels={
                    "rival": rival.name,
                    "backend": self.spec.type,
                    "of": of,
                    "events": self.events,
                    "durability": rival.durability_in(self.spec.type),
                },
                unit=unit,
                values=values,
            )
