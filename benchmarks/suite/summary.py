"""The figures of a run, arranged for people: the same rows for the terminal, the page and the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.truth import CLASSES

__all__ = ["Row", "best_ingest", "headline", "largest_volume", "volumes"]


@dataclass(frozen=True, slots=True)
class Row:
    """One property of every backend.

    Attributes:
        what: The property, in words.
        unit: Of the values.
        more_is_better: How values compare.
        values: By backend; those without a value have none.
    """

    what: str
    unit: str
    more_is_better: bool
    values: dict[str, Measure]

    def best(self) -> str | None:
        """The backend with the best median."""
        if not self.values:
            return None
        choose = max if self.more_is_better else min
        return choose(self.values, key=lambda name: self.values[name].median)


def volumes(results: Results) -> list[int]:
    """The volumes that were measured, rising."""
    return sorted({int(measure.labels["volume"]) for measure in results.select("growth")})


def largest_volume(results: Results) -> int:
    """The largest volume that was measured; 0 if there is none."""
    return max(volumes(results), default=0)


def best_ingest(results: Results, backend: str) -> Measure | None:
    """The fastest cell of the ingest matrix."""
    return max(results.select("ingest", backend), key=lambda measure: measure.median, default=None)


def headline(results: Results) -> Iterator[Row]:
    """The rows of the decision matrix."""
    volume = largest_volume(results)
    names = list(results.backends)

    def row(what: str, unit: str, found: dict[str, Measure | None], *, more: bool = False) -> Row:
        return Row(what, unit, more, {name: measure for name, measure in found.items() if measure})

    yield row(
        "ingest, best of the matrix",
        "events/s",
        {name: best_ingest(results, name) for name in names},
        more=True,
    )
    yield row("CPU here, at that cell", "µs/event", {name: _cpu_at_best(results, name) for name in names})
    yield row(
        "beside the bare driver, 1 worker",
        "×",
        {name: _last(results, "ingest_to_bare", name, workers=1) for name in names},
        more=True,
    )
    yield row(
        "written to searchable", "ms", {name: results.one("freshness", name, by="id") for name in names}
    )
    yield row("tail lag", "ms", {name: results.one("freshness", name, by="tail") for name in names})
    yield row(
        f"storage at {volume:,}",
        "bytes/event",
        {name: results.one("storage", name, volume=volume, part="total") for name in names},
    )
    for kind, words in CLASSES.items():
        yield row(
            f"{words}, warm at {volume:,}",
            "ms",
            {
                name: results.one("query", name, volume=volume, phase="warm", **{"class": kind})
                for name in names
            },
        )
    yield row("serving again after a kill", "ms", {name: results.one("recovery", name) for name in names})


def _cpu_at_best(results: Results, backend: str) -> Measure | None:
    best = best_ingest(results, backend)
    return results.one("cpu", backend, **best.labels) if best else None


def _last(results: Results, name: str, backend: str, **labels: int | str) -> Measure | None:
    found = list(results.select(name, backend, **labels))
    return found[-1] if found else None
