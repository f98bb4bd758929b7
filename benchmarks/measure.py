"""Measuring on a noisy machine: contenders take turns, medians are quoted with their ranges, bars are ratios.

A ratio is made pair by pair, of runs that followed each other, so that the drift of the machine cancels.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["Bar", "Report", "Series", "environment", "figure", "figures_between", "take_turns"]


@dataclass(frozen=True, slots=True)
class Series:
    """What one contender measured, run by run.

    Attributes:
        name: Who.
        unit: Of each value, such as ``µs/call``.
        values: One for each run.
    """

    name: str
    unit: str
    values: list[float]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def ratio(self, other: Series) -> Series:
        """The ratios to another contender's runs, pair by pair."""
        values = [mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)]
        return Series(f"{self.name} / {other.name}", "×", values)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar that was set: the median of a series must not be above (or below) a limit."""

    series: Series
    limit: float
    at_most: bool = True

    @property
    def holds(self) -> bool:
        """Whether it was reached."""
        return self.series.median <= self.limit if self.at_most else self.series.median >= self.limit


@dataclass(slots=True)
class Report:
    """One benchmark's results.

    Attributes:
        title: What was measured.
        series: What the contenders measured.
        bars: What had to be reached.
        notes: What a reader must know.
    """

    title: str
    series: list[Series] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def show(self, console: Console) -> None:
        """Print the report."""
        table = Table(title=self.title, title_justify="left")
        for heading, justify in (("what", "left"), ("median", "right"), ("range", "right"), ("bar", "left")):
            table.add_column(heading, justify=justify)  # type: ignore[arg-type]
        for series in self.series:
            table.add_row(series.name, figure(series.median, series.unit), figures_between(series), "")
        for bar in self.bars:
            sign = "≤" if bar.at_most else "≥"
            verdict = f"{sign} {bar.limit:g}: {'holds' if bar.holds else 'MISSED'}"
            table.add_row(
                bar.series.name,
                figure(bar.series.median, bar.series.unit),
                figures_between(bar.series),
                verdict,
            )
        console.print(table)
        for note in self.notes:
            console.print(f"  {note}", highlight=False)

    def save(self, folder: Path, name: str) -> None:
        """Write the report as JSON, with when and where it was measured."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {"measured": f"{datetime.now(UTC):%Y-%m-%d}", "environment": environment(), **asdict(self)}
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, file: Path) -> Report:
        """A report that was saved, without when and where."""
        content = json.loads(file.read_text())
        bars = [Bar(Series(**bar.pop("series")), **bar) for bar in content["bars"]]
        return cls(content["title"], [Series(**each) for each in content["series"]], bars, content["notes"])


def take_turns(contenders: Sequence[tuple[str, Callable[[], float]]], runs: int, unit: str) -> list[Series]:
    """Run the contenders in turn, after one turn that does not count.

    Args:
        contenders: Names, and functions that run once and return their figure.
        runs: How many turns count.
        unit: Of the figures.
    """
    values: dict[str, list[float]] = {name: [] for name, _ in contenders}
    for turn in range(runs + 1):
        for name, run in contenders:
            figure = run()
            if turn:
                values[name].append(figure)
    return [Series(name, unit, values[name]) for name, _ in contenders]


def environment() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[1], 1),
        "logweir": version("logweir"),
        "structlog": version("structlog"),
    }


def figure(value: float, unit: str) -> str:
    """A value with its unit, as a person reads it."""
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.2f} {unit}"


def figures_between(series: Series) -> str:
    """The least and the greatest value."""
    low, high = min(series.values), max(series.values)
    return f"{low:,.0f} to {high:,.0f}" if high >= 1000 else f"{low:.2f} to {high:.2f}"
