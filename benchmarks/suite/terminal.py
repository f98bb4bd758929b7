"""A run as tables: medians with their ranges, what is best beyond them marked, what is missing said."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from logweir.benchmarks.suite import wording
from logweir.benchmarks.suite.explanations import differing_rates
from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.standings import Standing, standings
from logweir.benchmarks.suite.summary import Row, headline, volumes
from logweir.benchmarks.suite.units import figure, span

__all__ = ["show", "show_comparison"]

#: What a table of so many columns needs of the terminal's width.
_LABEL, _COLUMN = 30, 20


def show(results: Results, console: Console) -> None:
    """Print a run."""
    head = f"{results.profile} run of {wording.moment(results.started)}"
    console.print(Text(f"{head}: {wording.environment_of(results.environment)}"), soft_wrap=True)
    for name, backend in results.backends.items():
        console.print(Text(f"  {wording.store_name(results, name)}: {backend.server}"), soft_wrap=True)
    rows = list(headline(results))
    if rows:
        console.print(_headline(results, rows, console.width))
        for line in differing_rates(results):
            console.print(Text(line))
    if volumes(results):
        console.print(_growth(results))
    match = list(standings(results))
    if match:
        console.print(_standings(match))
        for row in match:
            console.print(Text(f"  {row.backend}, {row.rival}: {row.durability}"), soft_wrap=True)
    for line in wording.wrong(results):
        console.print(Text(line, style="red"), soft_wrap=True)
    for line in wording.missing(results):
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _headline(results: Results, rows: Sequence[Row], width: int) -> Table:
    title = "Medians, with their ranges; bold where no other range overlaps the best one"
    table = Table(title=title, title_justify="left")
    wide = width >= _LABEL + _COLUMN * len(results.backends)
    table.add_column("", ratio=None if wide else 2)
    if wide:
        for name in results.backends:
            table.add_column(wording.store_name(results, name), justify="right")
    else:
        table.add_column("best first", ratio=3)
    group = ""
    for row in rows:
        if row.group != group:
            table.add_section()
            table.add_row(Text(row.group, style="bold"))
            group = row.group
        cells = [_cell(row, name) for name in results.backends] if wide else [_ranked(results, row)]
        unit = "" if wide or row.unit == "ms" else f" ({row.unit})"
        table.add_row(f"{row.what}{unit}", *cells)
    return table


def _ranked(results: Results, row: Row) -> Text:
    """All stores in one cell, where the terminal is too narrow for a column each."""
    ranked = sorted(row.values, key=lambda name: row.values[name].median, reverse=row.more_is_better)
    unit = "ms" if row.unit == "ms" else ""
    cell = Text()
    for name in ranked:
        said = f"{wording.store_name(results, name)} {figure(row.values[name].median, unit)}"
        aside = f" ({row.remarks[name]})" if name in row.apart else ""
        cell.append(said + aside, style="bold" if row.best() == name else "")
        cell.append("" if name == ranked[-1] else ", ")
    return cell


def _standings(match: Sequence[Standing]) -> Table:
    title = f"Beside the rivals: {match[0].events:,} events in each turn, all counted in the store"
    table = Table(title=title, title_justify="left")
    for column in ("into", "way", "events/s", "CPU µs/event", "logweir / it", "lost"):
        table.add_column(column, justify="left" if column in {"into", "way"} else "right")
    for row in match:
        lost = Text(str(row.lost), style="red" if row.lost else "")
        figures = (_with_range(row.rate), _with_range(row.cpu), _with_range(row.ratio))
        table.add_row(row.backend, row.rival, *figures, lost)
    return table


def _with_range(measure: Measure | None) -> str:
    if measure is None:
        return "-"
    if measure.low == measure.high:
        return figure(measure.median)
    return f"{figure(measure.median)}\n{span(measure.low, measure.high)}"


def _cell(row: Row, backend: str) -> Text:
    measure = row.values.get(backend)
    if measure is None:
        return Text("-", style="dim")
    text = Text(figure(measure.median, row.unit), style="bold" if row.best() == backend else "")
    if measure.low != measure.high:
        text.append(f"\n{span(measure.low, measure.high, row.unit if row.unit == 'ms' else '')}")
    if backend in row.apart:
        text.append(f"\n{row.remarks[backend]}", style="dim")
    return text


def _growth(results: Results) -> Table:
    table = Table(title="As the store grows: events/s into it, bytes/event in it", title_justify="left")
    table.add_column("events", justify="right")
    for name in results.backends:
        table.add_column(wording.store_name(results, name), justify="right")
    for volume in volumes(results):
        cells = []
        for name in results.backends:
            rate = results.one("growth", name, volume=volume)
            size = results.one("storage", name, volume=volume, part="total")
            cells.append(f"{_median(rate)}, {_median(size)}")
        table.add_row(f"{volume:,}", *cells)
    return table


def _median(measure: Measure | None) -> str:
    return figure(measure.median) if measure else "-"


def show_comparison(before: Results, after: Results, console: Console) -> None:
    """Print how the medians of two runs differ; a difference within both ranges is no difference."""
    earlier = {(row.group, row.what): row for row in headline(before)}
    table = Table(
        title=f"{wording.moment(before.started)} → {wording.moment(after.started)}", title_justify="left"
    )
    for column in ("backend", "what", "before", "after", "change"):
        table.add_column(column, justify="left" if column in {"backend", "what"} else "right")
    for row in headline(after):
        for name, measure in row.values.items():
            alike = earlier.get((row.group, row.what))
            old = alike.values.get(name) if alike else None
            if old is not None:
                table.add_row(
                    wording.store_name(after, name),
                    row.what,
                    figure(old.median, row.unit),
                    figure(measure.median, row.unit),
                    _change(row, old, measure),
                )
    console.print(table)


def _change(row: Row, old: Measure, new: Measure) -> Text:
    if not old.median:
        return Text("-")
    ratio = new.median / old.median
    overlap = old.low <= new.high and new.low <= old.high
    if overlap and len(old.values) > 1:
        return Text(f"{ratio:.2f} × (within the ranges)", style="dim")
    better = (ratio > 1) == row.more_is_better
    return Text(f"{ratio:.2f} ×", style="green" if better else "red")
