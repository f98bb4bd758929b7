"""A run as tables: medians with their ranges, the best of each row marked, what is missing said."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.standings import Standing, standings
from logweir.benchmarks.suite.summary import Row, headline, volumes
from logweir.benchmarks.suite.units import figure

__all__ = ["show", "show_comparison"]


def show(results: Results, console: Console) -> None:
    """Print a run."""
    console.print(
        Text(f"{results.profile} run of {results.started}: {_environment(results)}"), soft_wrap=True
    )
    for name, backend in results.backends.items():
        console.print(Text(f"  {name}: {backend.server}"), soft_wrap=True)
    rows = [row for row in headline(results) if row.values]
    if rows:
        console.print(_headline(results, rows))
        console.print(_growth(results))
    match = list(standings(results))
    if match:
        console.print(_standings(match))
        for row in match:
            console.print(Text(f"  {row.backend}, {row.rival}: {row.durability}"), soft_wrap=True)
    _show_wrong(results, console)
    _show_not_run(results, console)


def _headline(results: Results, rows: Sequence[Row]) -> Table:
    table = Table(title="Medians, with their ranges; the best of each row is bold", title_justify="left")
    table.add_column("what")
    for name in results.backends:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row.what, *(_cell(row, name) for name in results.backends))
    return table


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
    return f"{figure(measure.median)}\n{figure(measure.low)} to {figure(measure.high)}"


def _environment(results: Results) -> str:
    return ", ".join(f"{key} {value}" for key, value in results.environment.items())


def _cell(row: Row, backend: str) -> Text:
    measure = row.values.get(backend)
    if measure is None:
        return Text("-", style="dim")
    text = figure(measure.median, row.unit)
    if measure.low != measure.high:
        text += f"\n{figure(measure.low)} to {figure(measure.high)}"
    return Text(text, style="bold" if row.best() == backend else "")


def _growth(results: Results) -> Table:
    table = Table(title="As the store grows: events/s into it, bytes/event in it", title_justify="left")
    table.add_column("events", justify="right")
    for name in results.backends:
        table.add_column(name, justify="right")
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


def _show_wrong(results: Results, console: Console) -> None:
    for measure in results.select("query_right"):
        if measure.median < 1:
            console.print(
                f"[red]wrong answers[/red]: {measure.backend}, class {measure.labels['class']} at "
                f"{measure.labels['volume']:,} events: {measure.median:.0%} of the answers were right",
                highlight=False,
            )
    for measure in results.select("lost"):
        if max(measure.values) > 0:
            lost = figure(max(measure.values))
            console.print(f"[red]lost[/red]: {measure.backend}, {lost} confirmed events after a kill")


def _show_not_run(results: Results, console: Console) -> None:
    for entry in results.not_run:
        word = "failed" if entry.failed else "not run"
        console.print(
            Text(f"{word}: {entry.backend}, {entry.what}: {entry.why}", style="yellow"), soft_wrap=True
        )


def show_comparison(before: Results, after: Results, console: Console) -> None:
    """Print how the medians of two runs differ; a difference within both ranges is no difference."""
    earlier = {row.what: row for row in headline(before)}
    table = Table(title=f"{before.started} → {after.started}", title_justify="left")
    for column in ("backend", "what", "before", "after", "change"):
        table.add_column(column, justify="left" if column in {"backend", "what"} else "right")
    for row in headline(after):
        for name, measure in row.values.items():
            old = earlier[row.what].values.get(name) if row.what in earlier else None
            if old is not None:
                table.add_row(
                    name,
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
