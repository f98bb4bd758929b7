"""From needs and measurements to a ranking of backends for audit and for tracing, with the reasons. Pure.

A backend is out when it cannot do what is needed (joins, the rate, right answers, the operations budget). Of
the rest, each is compared with the best in what it costs to ask (the weighted times of the questions), to
keep (storage) and to operate; the sum of the logarithms of these ratios is its score, and the lowest wins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from logweir.benchmarks.suite.needs import KindNeeds, Needs
from logweir.benchmarks.suite.predictions import (
    Answer,
    Rate,
    bytes_at,
    outgrows_memory,
    predict_answer,
    predict_rate,
)
from logweir.benchmarks.suite.results import Results
from logweir.benchmarks.suite.truth import CLASSES, QueryClass
from logweir.benchmarks.suite.units import figure, size

__all__ = ["Candidate", "Recommendation", "recommend", "rule_of_thumb"]

_RELATIONAL = frozenset({"sqlite", "mysql", "postgresql"})
_EMBEDDED = frozenset({"sqlite", "file"})
#: What operating a backend takes: 0 nothing, 1 one server, 2 a server and its tuning, 3 a cluster.
_BURDEN = {
    "sqlite": 0,
    "file": 0,
    "mysql": 1,
    "postgresql": 1,
    "loki": 2,
    "victorialogs": 2,
    "mongodb": 2,
    "elasticsearch": 3,
    "opensearch": 3,
}
_BUDGET = {"none": 0, "low": 1, "medium": 2, "high": 3}
#: What a rule says of the one holds for the other.
_SEARCH_ENGINES = {"elasticsearch", "opensearch"}
_BURDEN_WEIGHT = 0.35
_GB = 1e9


@dataclass(slots=True)
class Candidate:
    """A backend under consideration for one kind of event.

    Attributes:
        backend: Its name.
        type: Its type.
        out: Why it is out of the question, each as what it does; empty if it is not.
        answers: What is expected of each class of question that is needed, at the needed volume.
        query_ms: The expected time of the average question there.
        storage_gb: The expected size there.
        rate: Events a second that it is expected to take there.
        peak: Events a second that it must take.
        cost: What its size costs in a month.
        score: Lower is better.
        reach: How many times larger the needed volume is than the largest that was measured; 1 for none.
        cautions: What must be known beside the figures, as sentences.
    """

    backend: str
    type: str
    out: list[str] = field(default_factory=list)
    answers: dict[QueryClass, Answer] = field(default_factory=dict)
    query_ms: float | None = None
    storage_gb: float | None = None
    rate: Rate | None = None
    peak: float = 0.0
    cost: float = 0.0
    score: float = math.inf
    reach: float = 1.0
    cautions: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The ranking for one kind of event.

    Attributes:
        kind: ``audit`` or ``tracing``.
        volume: How many events will be kept.
        candidates: Those in question, the best first, then those that are out.
        thumb: What the rule of thumb says.
        verdict: Whether the measurements agree with it, in words.
    """

    kind: Literal["audit", "tracing"]
    volume: float
    candidates: list[Candidate]
    thumb: str
    verdict: str

    @property
    def winner(self) -> Candidate | None:
        """The best of those in question."""
        return next((candidate for candidate in self.candidates if not candidate.out), None)


def recommend(needs: Needs, results: Results) -> list[Recommendation]:
    """Rank the measured backends for audit and for tracing."""
    return [
        _for_kind("audit", needs.audit, needs, results),
        _for_kind("tracing", needs.tracing, needs, results),
    ]


def _for_kind(
    kind: Literal["audit", "tracing"], wanted: KindNeeds, needs: Needs, results: Results
) -> Recommendation:
    volume = wanted.events_per_day * wanted.retention_days
    peak = wanted.events_per_day / 86_400 * needs.peak
    candidates = [_consider(name, kind, wanted, needs, results, volume, peak) for name in results.backends]
    able = [candidate for candidate in candidates if not candidate.out]
    _score(able, needs)
    ranked = sorted(candidates, key=lambda candidate: (bool(candidate.out), candidate.score))
    thumb = rule_of_thumb(kind, volume, wanted)
    return Recommendation(kind, volume, ranked, thumb, _verdict(thumb, ranked))


def _consider(
    name: str, kind: str, wanted: KindNeeds, needs: Needs, results: Results, volume: float, peak: float
) -> Candidate:
    candidate = Candidate(name, results.backends[name].type, peak=peak)
    _check_abilities(candidate, kind, wanted, needs, results)
    _predict_rate(candidate, results, volume)
    _predict_storage(candidate, needs, results, volume)
    _predict_answers(candidate, wanted, results, volume)
    return candidate


def _check_abilities(
    candidate: Candidate, kind: str, wanted: KindNeeds, needs: Needs, results: Results
) -> None:
    burden = _BURDEN.get(candidate.type, 2)
    if wanted.joins and candidate.type not in _RELATIONAL:
        candidate.out.append("cannot be joined with business data")
    if needs.machines > 1 and candidate.type in _EMBEDDED:
        candidate.out.append(f"serves one machine, and there are {needs.machines}")
    if burden > _BUDGET[needs.operations]:
        candidate.out.append(f"takes more operating than the budget {needs.operations!r} allows")
    for measure in results.select("lost", candidate.backend):
        if kind == "audit" and measure.high > 0:
            candidate.out.append(f"lost {measure.high:.0f} confirmed events when its writer was killed")
    for entry in results.not_run:
        if entry.backend == candidate.backend and entry.failed:
            candidate.out.append(f"failed in the run ({entry.what}: {entry.why})")
    for question in wanted.queries:
        marked: dict[str, str | int] = {"class": question}
        if any(right.median < 1 for right in results.select("query_right", candidate.backend, **marked)):
            candidate.out.append(f"answered {CLASSES[question]} wrongly")


def _predict_rate(candidate: Candidate, results: Results, volume: float) -> None:
    found = candidate.rate = predict_rate(results, candidate.backend, volume)
    if found is None:
        candidate.out.append("has no measured ingest rate")
        return
    most = found.high if found.basis == "bounds" else found.value
    if most < candidate.peak:
        needed = f"{figure(candidate.peak)} are needed"
        candidate.out.append(f"takes {figure(most)} events/s at that volume, {needed}")
    elif found.low < candidate.peak:
        candidate.cautions.append(
            f"It may take as few as {figure(found.low)} events/s at that volume: measure a larger one."
        )


def _predict_storage(candidate: Candidate, needs: Needs, results: Results, volume: float) -> None:
    found = bytes_at(results, candidate.backend, volume)
    if found is None:
        return
    candidate.storage_gb = found / _GB
    candidate.cost = candidate.storage_gb * needs.cost_per_gb
    largest = max(float(m.labels["volume"]) for m in results.select("storage", candidate.backend))
    if outgrows_memory(results, candidate.backend, volume) and not outgrows_memory(
        results, candidate.backend, largest
    ):
        candidate.cautions.append(
            f"{size(found)} are more than the memory of the machine that was measured "
            f"({results.environment['memory_gib']} GiB), and no measured store was: "
            "answers may have to wait for the disk."
        )


def _predict_answers(candidate: Candidate, wanted: KindNeeds, results: Results, volume: float) -> None:
    total = weights = 0.0
    for question, weight in wanted.queries.items():
        found = predict_answer(results, candidate.backend, question, volume)
        if found is None:
            candidate.out.append(f"was not asked for {CLASSES[question]}")
            continue
        candidate.answers[question], reach = found
        candidate.reach = max(candidate.reach, reach)
        total += weight * candidate.answers[question].value
        weights += weight
    if weights:
        candidate.query_ms = total / weights


def _score(able: Sequence[Candidate], needs: Needs) -> None:
    """Score the able ones against the best of them in each respect."""
    for candidate in able:
        candidate.score = _BURDEN_WEIGHT * _BURDEN.get(candidate.type, 2)
    _add_ratios(able, lambda candidate: candidate.query_ms, 1.0)
    if needs.cost_per_gb:
        _add_ratios(able, lambda candidate: candidate.storage_gb, 0.5)


def _add_ratios(able: Sequence[Candidate], value: Callable[[Candidate], float | None], weight: float) -> None:
    known = [found for candidate in able if (found := value(candidate))]
    best = min(known, default=1.0)
    for candidate in able:
        candidate.score += weight * math.log((value(candidate) or best) / best)


def rule_of_thumb(kind: str, volume: float, wanted: KindNeeds) -> str:
    """The backend's type that experience suggests without measuring."""
    if kind == "audit" or wanted.joins:
        return "mysql" if volume < 50e6 else "mongodb"
    if any(wanted.queries.get(question) for question in ("full_text", "aggregation")):
        return "elasticsearch"
    return "loki" if volume >= 1e9 or wanted.queries.get("label_time") else "mongodb"


def _verdict(thumb: str, ranked: Sequence[Candidate]) -> str:
    able = [candidate for candidate in ranked if not candidate.out]
    if not able:
        return f"the rule of thumb says {thumb}; of what was measured nothing will do"
    if able[0].type == thumb or {able[0].type, thumb} == _SEARCH_ENGINES:
        return f"the rule of thumb says {thumb}, and so do the measurements"
    measured = [candidate for candidate in ranked if candidate.type == thumb]
    if not measured:
        return f"the rule of thumb says {thumb}, which was not measured"
    why = "; ".join(_why_not(measured[0], able[0]))
    return f"the rule of thumb says {thumb}; the measurements contradict it: {why}"


def _why_not(thumb: Candidate, winner: Candidate) -> Iterator[str]:
    if thumb.out:
        yield f"{thumb.backend} is out, it {thumb.out[0]}"
        return
    if thumb.query_ms and winner.query_ms and thumb.query_ms > winner.query_ms:
        yield f"{winner.backend} answers {thumb.query_ms / winner.query_ms:.1f} × as fast"
    if thumb.storage_gb and winner.storage_gb and thumb.storage_gb > winner.storage_gb:
        yield f"{winner.backend} keeps the same in {winner.storage_gb / thumb.storage_gb:.0%} of the space"
    if _BURDEN.get(thumb.type, 2) > _BURDEN.get(winner.type, 2):
        yield f"{winner.backend} is less to operate"
