"""Several runs as one: of other backends, of other volumes, or of the same again. Pure.

What was measured twice keeps the values of both, as repeats of one figure. What its labels do not
distinguish, though it is not the same, is refused: another server under the same name, or other events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logweir.benchmarks.suite.results import Backend, Limits, Measure, NotRun, Part, Results
from logweir.errors import LogweirError

__all__ = ["merge"]


def merge(runs: Sequence[Results]) -> Results:
    """Make one of several; a single one stays as it is.

    Raises:
        LogweirError: They do not go together.
    """
    if len(runs) == 1:
        return runs[0]
    parts = [part for run in runs for part in run.parts or [_part(run)]]
    ordered = sorted(runs, key=lambda run: run.started)
    first = ordered[0]
    for run in ordered[1:]:
        _check_workload(first, run)
    return Results(
        started=first.started,
        profile=" + ".join(dict.fromkeys(part.profile for part in parts)),
        workload=first.workload,
        environment=_environment(ordered),
        command="",
        note=" ".join(dict.fromkeys(run.note for run in ordered if run.note)),
        limits=first.limits if all(run.limits == first.limits for run in ordered) else Limits(),
        resumed=[moment for run in ordered for moment in run.resumed],
        parts=parts,
        backends=_backends(ordered),
        measures=_measures(ordered),
        not_run=_not_run(ordered),
    )


def _part(run: Results) -> Part:
    return Part(
        started=run.started,
        profile=run.profile,
        command=run.command,
        note=run.note,
        environment=run.environment,
        backends=list(run.backends),
        limits=run.limits,
    )


def _check_workload(one: Results, other: Results) -> None:
    """The same events, at other times: a run's begin an hour before it."""
    for key in ("shape", "file", "seed"):
        mine, theirs = one.workload.get(key), other.workload.get(key)
        if mine != theirs:
            raise LogweirError(
                f"the runs of {one.started} and {other.started} cannot be merged: "
                f"their events differ ({key} {mine!r} and {theirs!r})"
            )


def _environment(runs: Sequence[Results]) -> dict[str, Any]:
    """What the runs have in common; what differs is joined, so that it is seen."""
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for run in runs for key in run.environment):
        values = list(dict.fromkeys(run.environment[key] for run in runs if key in run.environment))
        found[key] = values[0] if len(values) == 1 else " / ".join(map(str, values))
    return found


def _backends(runs: Sequence[Results]) -> dict[str, Backend]:
    found: dict[str, Backend] = {}
    for run in runs:
        for name, backend in run.backends.items():
            known = found.get(name)
            if known is None:
                found[name] = backend.model_copy()
                continue
            if (known.type, known.server) != (backend.type, backend.server):
                raise LogweirError(
                    f"the runs cannot be merged: {name!r} is {known.server} in one and {backend.server} in "
                    "another; measure one of them under another name (--backend NAME:TYPE=URL)"
                )
            known.minutes += backend.minutes
            known.cold = known.cold or backend.cold
            known.counted = known.counted or backend.counted
    return found


def _measures(runs: Sequence[Results]) -> list[Measure]:
    found: dict[tuple[object, ...], Measure] = {}
    for run in runs:
        for measure in run.measures:
            key = (measure.backend, measure.name, measure.unit, *sorted(measure.labels.items()))
            if key in found:
                found[key].values.extend(measure.values)
            else:
                found[key] = measure.model_copy(deep=True)
    return list(found.values())


def _not_run(runs: Sequence[Results]) -> list[NotRun]:
    """What no run has: a step that failed in one and was done in another is done."""
    done = {step for run in runs for step in run.done}
    found = [entry for run in runs for entry in run.not_run]
    entries = {(entry.backend, entry.what, entry.why): entry for entry in found}
    return [
        entry
        for entry in entries.values()
        if f"{entry.backend}/{entry.what}" not in done or not (entry.failed or entry.limit)
    ]
