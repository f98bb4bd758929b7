"""A run as one self-contained HTML page: no script, no request, fit for print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from logweir.benchmarks.suite import charts
from logweir.benchmarks.suite.charts import Point
from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.standings import standings
from logweir.benchmarks.suite.summary import headline, largest_volume, volumes
from logweir.benchmarks.suite.truth import CLASSES
from logweir.benchmarks.suite.units import figure
from logweir.errors import MissingDependency

__all__ = ["render"]


def render(results: Results) -> str:
    """Return the page.

    Raises:
        MissingDependency: Jinja is not installed.
    """
    try:
        from jinja2 import Environment  # noqa: PLC0415 - an extra
        from markupsafe import Markup  # noqa: PLC0415 - idem
    except ModuleNotFoundError:
        raise MissingDependency("the report's page", "bench") from None
    source = (files(__package__) / "page.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    matrix = list(_matrix(results))
    return template.render(
        results=results,
        rows=[row for row in headline(results) if row.values],
        standings=list(standings(results)),
        figure=figure,
        growth=[Markup(chart) for chart in _growth(results)],  # noqa: S704 - of our own making, and escaped
        storage=Markup(_storage(results)),  # noqa: S704 - idem
        matrix=matrix,
        workers=_workers(results) or [1],
        wrong=list(_wrong(results)),
    )


def _growth(results: Results) -> Iterator[str]:
    def drawn(title: str, y_label: str, name: str, **labels: str) -> str:
        series = {
            backend: [
                _point(volume, measure, whole=name != "query")
                for volume in volumes(results)
                if (measure := results.one(name, backend, volume=volume, **labels))
            ]
            for backend in results.backends
        }
        return charts.lines(title, "events in the store", y_label, series)

    yield drawn("Ingest", "events/s", "growth")
    for kind, words in CLASSES.items():
        yield drawn(words.capitalize(), "ms", "query", phase="warm", **{"class": kind})


def _point(volume: int, measure: Measure, *, whole: bool) -> Point:
    low, high = (measure.low, measure.high) if whole else (measure.at(0.05), measure.at(0.95))
    return Point(volume, measure.median, low, high)


def _storage(results: Results) -> str:
    volume = largest_volume(results)
    bars: dict[str, dict[str, float]] = {}
    for backend in results.backends:
        parts = {str(m.labels["part"]): m.median for m in results.select("storage", backend, volume=volume)}
        if "total" in parts:
            total = parts.pop("total")
            bars[backend] = {**parts, "data": max(0.0, total - sum(parts.values()))}
    grouped = {name: _grouped(parts) for name, parts in bars.items()}
    return charts.stacked_bars(f"Bytes for each event at {volume:,} events", "bytes/event", grouped)


def _grouped(parts: dict[str, float]) -> dict[str, float]:
    indexes = sum(size for part, size in parts.items() if part.startswith("index "))
    return {"data": parts["data"], **({"indexes": indexes} if indexes else {})}


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of the ingest matrix."""

    backend: str
    batch: int
    bare: str
    cells: list[str]
    latency: str


def _workers(results: Results) -> list[int]:
    return sorted({int(measure.labels["workers"]) for measure in results.select("ingest")})


def _matrix(results: Results) -> Iterator[_Line]:
    batches = sorted({int(measure.labels["batch"]) for measure in results.select("ingest")})
    workers = _workers(results)
    for backend in results.backends:
        for batch in batches:
            bare = results.one("ingest_bare", backend, batch=batch)
            cells = [results.one("ingest", backend, batch=batch, workers=count) for count in workers]
            latencies = [
                results.one("write_latency", backend, batch=batch, workers=workers[-1], percentile=share)
                for share in (50, 95, 99)
            ]
            yield _Line(
                backend,
                batch,
                _median(bare),
                [_median(cell) for cell in cells],
                " / ".join(_median(latency) for latency in latencies) + " ms",
            )


def _median(measure: Measure | None) -> str:
    return figure(measure.median) if measure else "–"


def _wrong(results: Results) -> Iterator[str]:
    for measure in results.select("query_right"):
        if measure.median < 1:
            yield (
                f"Wrong answers: {measure.backend}, {CLASSES[measure.labels['class']]}: "  # type: ignore[index]
                f"{measure.median:.0%} were right at {int(measure.labels['volume']):,} events"
            )
    for measure in results.select("lost"):
        if measure.high > 0:
            yield f"Lost: {measure.backend} did not have {measure.high:.0f} confirmed events after a kill"
