"""The report of the application benchmark: a row for each case, and bars between cases of one turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from logweir.benchmarks.app.cases import BASELINE, REFERENCE, Case
from logweir.benchmarks.app.load import Latencies
from logweir.benchmarks.measure import Bar, Report, Series

__all__ = ["AppReport", "Figures", "make_report"]

#: Processor time above no logging, as a multiple of structlog's: only where it is a target.
_PROCESSOR_BARS = {"file": 1.0, "mysql": 1.6, "loki": 1.6, "redis": 2.0}
_P99_BAR, _P99_BAR_ELSEWHERE = 1.25, 1.1


@dataclass(frozen=True, slots=True)
class Figures:
    """What one case did in one turn.

    Attributes:
        saturation: Requests a second when the next is always there.
        fifth: At a fifth of what a service without a log can do.
        half: At half of what the case itself can do.
        processor: Microseconds of processor time a request, at a fifth.
    """

    saturation: float
    fifth: Latencies | None = None
    half: Latencies | None = None
    processor: float = 0.0


_COLUMNS: dict[str, tuple[str, Callable[[Figures], float]]] = {
    "saturation": ("requests/s", lambda it: it.saturation),
    **{
        f"{name} at {load}": ("ms", lambda it, load=load, at=at: float(getattr(getattr(it, load), at)))  # type: ignore[misc]
        for load in ("fifth", "half")
        for name, at in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"), ("max", "max"))
    },
    "processor": ("µs/request", lambda it: it.processor),
    "the load was late by": ("ms", lambda it: float(it.fifth.late) if it.fifth else 0.0),
}


@dataclass(slots=True)
class AppReport(Report):
    """A report that is too wide for one figure a row.

    Attributes:
        ratios: Of those that have no target.
    """

    ratios: list[Series] = field(default_factory=list)

    def show(self, console: Console) -> None:
        """Print a row for each case (medians), then the bars."""
        table = Table(title=self.title, title_justify="left")
        for heading in ("case", *_COLUMNS):
            table.add_column(heading, justify="left" if heading == "case" else "right")
        rows: dict[str, list[str]] = {}
        for series in self.series:
            rows.setdefault(series.name.partition(" | ")[0], []).append(f"{series.median:,.2f}")
        for name, row in rows.items():
            table.add_row(name, *row)
        console.print(table)
        Report("In the same turns", self.ratios, self.bars, self.notes).show(console)


def make_report(
    figures: Mapping[str, Sequence[Figures]], todo: Sequence[Case], capacity: float, notes: Sequence[str]
) -> AppReport:
    """Make the report of all turns.

    Args:
        figures: By case, turn by turn.
        todo: The cases.
        capacity: Requests a second that the service without a log answers.
        notes: What a reader must know.
    """
    report = AppReport(
        f"An application that logs eight lines a request: an open loop at a fifth of {capacity:,.0f} "
        "requests/s, and at half of its own capacity",
        notes=list(notes),
    )
    for case in todo:
        for column in _COLUMNS:
            report.series.append(_series(figures, case.name, column))
    for case in todo:
        if case.contender != BASELINE:
            _compare(report, figures, case)
    return report


def _compare(report: AppReport, figures: Mapping[str, Sequence[Figures]], case: Case) -> None:
    """Add how a case stands to those of the same turns; only logweir has targets to reach."""
    base = BASELINE if case.pinned else f"{BASELINE}, unpinned"
    most = _P99_BAR_ELSEWHERE if case.is_elsewhere else _P99_BAR
    ratios: list[tuple[Series, float | None]] = []
    for load in ("fifth", "half"):
        column = f"p99 at {load}"
        ratio = _series(figures, case.name, column).ratio(_series(figures, base, column))
        ratios.append((Series(f"{case.name} / none, {column}", "×", ratio.values), most))
    if case.pinned and case.state == "alive":
        mine, theirs, none = (figures[name] for name in (case.name, REFERENCE, BASELINE))
        values = [
            (own.processor - nothing.processor) / max(1.0, their.processor - nothing.processor)
            for own, their, nothing in zip(mine, theirs, none, strict=True)
        ]
        kind = case.broker or str(case.options.get("type"))
        limit = 1.0 if case.is_elsewhere else _PROCESSOR_BARS.get(kind)
        ratios.append((Series(f"{case.name} / structlog, processor above none", "×", values), limit))
    for series, bar in ratios:
        if bar is not None and case.contender == "logweir":
            report.bars.append(Bar(series, bar))
        else:
            report.ratios.append(series)


def _series(figures: Mapping[str, Sequence[Figures]], name: str, column: str) -> Series:
    unit, value = _COLUMNS[column]
    return Series(f"{name} | {column}", unit, [value(each) for each in figures[name]])
