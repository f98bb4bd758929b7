"""Checking the cases of a file of route tests: what became of their events, beside what was expected."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.config.route_tests import Expected, Given, TestFile
from logweir.config.sinks import context_of
from logweir.runtime.trial import Outcome, Trial, id_of_seed
from logweir.sinks import registry
from logweir.sinks.contract import Labelled

__all__ = ["CaseResult", "Failure", "check_cases", "has_labels"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met.

    Attributes:
        line: Where it stands in the file.
        what: Of which event, and what.
        diff: Lines that begin with ``-`` where something expected is missing, with ``+`` where something is
            there that was not expected, and with blanks where both agree.
        why: How the event was decided on.
    """

    line: int
    what: str
    diff: tuple[str, ...]
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case ended.

    Attributes:
        name: Its name.
        line: Where it stands in the file.
        seconds: How long it took.
        failures: What was not as expected.
    """

    name: str
    line: int
    seconds: float
    failures: tuple[Failure, ...]


def check_cases(file: TestFile, config: RoutingConfig) -> Iterator[CaseResult]:
    """Yield how each case ends, in their order."""
    trials: dict[Any, Trial] = {}
    for index, case in enumerate(file.tests.cases):
        begun = time.perf_counter()
        sampling = file.tests.sampling if case.sampling is None else case.sampling
        seed = sampling if isinstance(sampling, int) else 0
        way = sampling if isinstance(sampling, str) else "by id"
        trial = trials.get(way) or trials.setdefault(way, Trial(config, way))
        failures: list[Failure] = []
        for number, given in enumerate(case.given):
            outcome = _outcome(trial, given, id_of_seed(seed, f"{case.name}/{number}"))
            of = f"{given.event} (event {number + 1}): " if len(case.given) > 1 else ""
            said: set[tuple[str, ...]] = set()
            for key, diff, why in _differences(case.expect, outcome, config):
                line = file.line("cases", index, "expect", key)
                failures.append(Failure(line, f"{of}{key}", diff, () if why in said else why))
                said.add(why)
        seconds = time.perf_counter() - begun
        yield CaseResult(case.name, file.line("cases", index), seconds, tuple(failures))


def has_labels(sink: str, config: RoutingConfig) -> bool:
    """Whether events have labels in a sink."""
    return issubclass(registry.resolve(config.sinks[sink].type), Labelled)


def _outcome(trial: Trial, given: Given, event_id: str) -> Outcome:
    return trial(given.event, given.to_fields(), given.level, given.kind, event_id)


def _differences(
    expected: Expected, outcome: Outcome, config: RoutingConfig
) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield each key that is not as expected, with the difference and the reasons."""
    kind = outcome.decision.kind.value
    of_kind = (f"{kind}: {outcome.decision.reason}",)
    of_routes = tuple(f"route {step.route}: {step.verdict}: {step.reason}" for step in outcome.routing.steps)
    masked = list(dict.fromkeys(place.path for place in outcome.masked))
    of_masks = tuple(f"{place.path}: {place.rule}" for place in outcome.masked)
    compared: list[tuple[str, Any, Sequence[str], tuple[str, ...]]] = [
        ("kind", expected.kind and [expected.kind.value], [kind], of_kind),
        ("outcome", expected.outcome and [expected.outcome], [outcome.verdict], of_routes),
        ("routes", expected.routes, outcome.routes, of_routes),
        ("sinks", expected.sinks, outcome.routing.sinks, of_routes),
        ("redacted", expected.redacted, masked, of_masks),
    ]
    for key, wanted, found, why in compared:
        if wanted is not None and set(wanted) != set(found):
            yield key, _diff(wanted, found), why
    for name, labels in (expected.labels or {}).items():
        found = [f"{label}={value}" for label, value in _labels(name, outcome, config).items()]
        wanted = [f"{label}={value}" for label, value in labels.items()]
        if set(wanted) != set(found):
            yield "labels", _diff(wanted, found), (f"labels of sink {name}",)


def _labels(name: str, outcome: Outcome, config: RoutingConfig) -> dict[str, str]:
    """The labels of an event in a sink; none where it does not get there."""
    if name not in outcome.routing.sinks:
        return {}
    sink_class: Any = registry.resolve(config.sinks[name].type)
    labels: dict[str, str] = sink_class(config.sinks[name], context_of(name, config)).labels_of(outcome.event)
    return labels


def _diff(wanted: Sequence[str], found: Sequence[str]) -> tuple[str, ...]:
    """The difference of two sets of words, in the order in which they were written."""
    lines = [f"  {word}" if word in found else f"- {word}" for word in dict.fromkeys(wanted)]
    lines += [f"+ {word}" for word in found if word not in wanted]
    return tuple(lines)
