"""A run as one self-contained HTML page: no script, no request, light and dark, fit for print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from logweir.benchmarks.suite import curves, wording
from logweir.benchmarks.suite.command_rows import command_rows
from logweir.benchmarks.suite.explanations import differing_rates
from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.standings import standings
from logweir.benchmarks.suite.summary import Row, emptied, headline, largest_volume
from logweir.benchmarks.suite.units import count, figure, span
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
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["drawn"] = Markup  # of our own making, and escaped
    rows = list(headline(results))
    return environment.from_string(source).render(
        results=results,
        words=wording,
        rows=rows,
        in_short=list(_in_short(results, rows)),
        explained=list(differing_rates(results)),
        standings=list(standings(results)),
        figure=figure,
        span=span,
        count=count,
        volume=largest_volume(results),
        emptied=emptied(results),
        growth=list(curves.growth(results)),
        questions=list(curves.questions(results)),
        storage=list(curves.bars(results)),
        matrix=list(_matrix(results)),
        workers=_workers(results) or [1],
        commands=list(command_rows(results)),
        wrong=list(wording.wrong(results)),
    )


def _in_short(results: Results, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Who leads each row, and by how much; those that cannot be distinguished are named together."""
    for row in rows:
        leaders = row.leaders()
        if not leaders or not row.chief:
            continue
        first = row.values[leaders[0]]
        names = [wording.store_name(results, name) for name in leaders]
        if len(leaders) > 1:
            yield (
                _titled(row),
                f"{', '.join(names)}: within each other's ranges, at {figure(first.median, row.unit)}",
            )
            continue
        others = [row.values[name].median for name in row.values if name not in {*leaders, *row.apart}]
        second = max(others) if row.more_is_better else min(others)
        yield (
            _titled(row),
            f"{names[0]}, {figure(first.median, row.unit)}; the next {figure(second, row.unit)}",
        )


def _titled(row: Row) -> str:
    return row.what[0].upper() + row.what[1:]


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of the ingest matrix."""

    backend: str
    batch: int
    bare: Measure | None
    cells: list[Measure | None]
    latency: list[Measure | None]


def _workers(results: Results) -> list[int]:
    return sorted({int(measure.labels["workers"]) for measure in results.select("ingest")})


def _matrix(results: Results) -> Iterator[_Line]:
    batches = sorted({int(measure.labels["batch"]) for measure in results.select("ingest")})
    workers = _workers(results)
    for backend in results.backends:
        for batch in batches:
            cells = [results.one("ingest", backend, batch=batch, workers=number) for number in workers]
            latency = [
                results.one("write_latency", backend, batch=batch, workers=workers[-1], percentile=share)
                for share in (50, 95, 99)
            ]
            if any(cells):
                bare = results.one("ingest_bare", backend, batch=batch)
                yield _Line(backend, batch, bare, cells, latency)
