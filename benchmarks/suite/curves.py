"""What of a run is drawn: how each store does as it grows, warm and cold, and what it keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from logweir.benchmarks.suite import charts
from logweir.benchmarks.suite.charts import Point
from logweir.benchmarks.suite.results import Label, Measure, Results
from logweir.benchmarks.suite.summary import emptied
from logweir.benchmarks.suite.truth import CLASSES
from logweir.benchmarks.suite.units import count, figure
from logweir.benchmarks.suite.wording import store_name

__all__ = ["Figure", "bars", "growth", "questions"]

_X = "events in the store"


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with what is written beside it.

    Attributes:
        title: Above it.
        unit: Of its values, for the title; empty where the axis says it.
        svg: The chart.
        legend: A marker, a name and the last value of each line, the highest first.
    """

    title: str
    unit: str
    svg: str
    legend: list[tuple[str, str, str]]


def growth(results: Results) -> Iterator[Figure]:
    """What filling a store costs as it grows."""
    total: dict[str, Label] = {"part": "total"}
    for title, unit, name, labels in (
        ("Rate", "events/s", "growth", {}),
        ("Size", "bytes/event", "storage", total),
        ("Written by the store", "bytes/event", "bytes_written", {}),
        ("Written for each byte of an event", "×", "write_amplification", {}),
        ("Memory of the server", "MiB", "memory", {}),
    ):
        series = _series(results, name, labels)
        yield from _figure(results, title, unit, series)


def questions(results: Results) -> Iterator[Sequence[Figure]]:
    """The time of each class of question: warm, and cold beside it where caches were emptied."""
    phases: Sequence[Literal["warm", "cold"]] = ("warm", "cold") if emptied(results) else ("warm",)
    for kind, words in CLASSES.items():
        series = {phase: _series(results, "query", {"class": kind, "phase": phase}) for phase in phases}
        points = [point for by_number in series.values() for line in by_number.values() for point in line]
        if not points:
            continue
        span = (min(point.low for point in points), max(point.high for point in points))
        title = words.capitalize()
        yield [
            figured
            for phase, by_number in series.items()
            for figured in _figure(
                results, title if len(phases) == 1 else f"{title}, {phase}", "ms", by_number, span
            )
        ]


def _series(results: Results, name: str, labels: dict[str, Label]) -> dict[int, list[Point]]:
    """The points of each backend, by its number."""
    return {
        number: sorted(_point(measure) for measure in results.select(name, backend, **labels))
        for number, backend in enumerate(results.backends)
    }


def _point(measure: Measure) -> Point:
    asked = measure.name == "query"  # its values are those of different questions
    low, high = (measure.at(0.05), measure.at(0.95)) if asked else (measure.low, measure.high)
    return Point(float(measure.labels["volume"]), measure.median, low, high)


def _figure(
    results: Results,
    title: str,
    unit: str,
    series: dict[int, list[Point]],
    span: tuple[float, float] | None = None,
) -> Iterator[Figure]:
    svg = charts.lines(title, _X, unit, series, span=span if span and span[0] > 0 else None)
    if not svg:
        return
    names = list(results.backends)
    last = sorted(
        ((line[-1], number) for number, line in series.items() if line), key=lambda item: -item[0].median
    )
    furthest = max(point.x for point, _ in last)
    legend = [
        (
            charts.marker(number),
            store_name(results, names[number]),
            figure(point.median, unit if unit == "ms" else "")
            + ("" if point.x == furthest else f" at {count(point.x)}"),
        )
        for point, number in last
    ]
    yield Figure(title, "" if unit == "ms" else unit, svg, legend)


def bars(results: Results) -> Iterator[Figure]:
    """What each store keeps at the largest volume that it was measured at, data and indexes."""
    for name, title in (("storage", "As it grew"), ("storage_compacted", "After compaction")):
        parts = {
            store_name(results, backend): found
            for backend in results.backends
            if (found := _parts(results, name, backend))
        }
        svg = charts.stacked_bars(title, parts)
        if svg:
            compacted = name == "storage" and not emptied(results)
            yield Figure(
                "On disk" + (", after compaction" if compacted else f": {title.lower()}"),
                "bytes/event",
                svg,
                [],
            )


def _parts(results: Results, name: str, backend: str) -> dict[str, float]:
    found = list(results.select(name, backend))
    most = max((int(measure.labels["volume"]) for measure in found), default=0)
    sizes = {str(m.labels["part"]): m.median for m in found if m.labels["volume"] == most}
    total = sizes.pop("total", 0.0)
    indexes = sum(size for part, size in sizes.items() if part.startswith("index "))
    data = max(0.0, total - indexes)
    return {"data": data, **({"indexes": indexes} if indexes else {})} if total else {}
