"""A run as a page of Markdown, for documentation that must not say what the suite did not measure."""

from __future__ import annotations

from collections.abc import Iterator

from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.summary import Row, headline, volumes
from logweir.benchmarks.suite.units import figure

__all__ = ["render"]

_HEAD = """\
# What the backends cost: a reference run

Rendered from [backends.json](backends.json), the results of one run of
[`logweir bench`](../how-to/choose-a-backend.md). To repeat it: `logweir bench run --profile {profile}` with
`--backend TYPE=URL` for each server, then `logweir bench report --markdown FILE`. Absolute figures are of
that machine, which ran client and servers at once; measure your own.

Profile `{profile}`, begun {started}; {environment}.
"""


def render(results: Results) -> str:
    """Return the page."""
    parts = [
        _HEAD.format(profile=results.profile, started=results.started, environment=_environment(results)),
        _servers(results),
        _matrix(results),
        _growth(results),
        _notes(results),
    ]
    return "\n".join(part for part in parts if part)


def _environment(results: Results) -> str:
    return ", ".join(f"{key} {value}" for key, value in results.environment.items())


def _servers(results: Results) -> str:
    lines = [f"| {name} | {backend.server} |" for name, backend in results.backends.items()]
    return "\n".join(["| backend | server, as it reports itself |", "|---|---|", *lines, ""])


def _matrix(results: Results) -> str:
    names = list(results.backends)
    head = [
        "## Side by side",
        "",
        "Medians, with the range of the repeats; the best of each row is bold. A difference that is smaller",
        "than the ranges is none.",
        "",
        f"| | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    rows = [
        f"| {row.what} ({row.unit}) | {' | '.join(_cell(row, name) for name in names)} |"
        for row in headline(results)
        if row.values
    ]
    return "\n".join([*head, *rows, ""])


def _cell(row: Row, backend: str) -> str:
    measure = row.values.get(backend)
    if measure is None:
        return "–"
    median = figure(measure.median)
    text = f"**{median}**" if row.best() == backend else median
    return (
        text if measure.low == measure.high else f"{text} ({figure(measure.low)} to {figure(measure.high)})"
    )


def _growth(results: Results) -> str:
    names = list(results.backends)
    head = [
        "## As the store grows",
        "",
        "Events/s into the store, and bytes for each event in it after compaction.",
        "",
        f"| events | {' | '.join(names)} |",
        "|---:" + "|---" * len(names) + "|",
    ]
    rows = []
    for volume in volumes(results):
        cells = []
        for name in names:
            rate = results.one("growth", name, volume=volume)
            size = results.one("storage", name, volume=volume, part="total")
            cells.append(f"{_median(rate)}; {_median(size)}")
        rows.append(f"| {volume:,} | {' | '.join(cells)} |")
    return "\n".join([*head, *rows, ""])


def _median(measure: Measure | None) -> str:
    return figure(measure.median) if measure else "–"


def _notes(results: Results) -> str:
    return (
        "\n".join(["## What must be known beside the figures", "", *(f"- {note}" for note in _said(results))])
        + "\n"
    )


def _said(results: Results) -> Iterator[str]:
    asked = list(results.select("query_right"))
    wrong = [measure for measure in asked if measure.median < 1]
    yield (
        f"{len(asked)} sets of answers were compared with the workload's own truth; "
        f"{len(wrong)} had a wrong one."
    )
    lost = sum(sum(measure.values) for measure in results.select("lost"))
    yield f"Confirmed events that were missing after a writer was killed: {figure(lost)}."
    for entry in results.not_run:
        yield f"{'Failed' if entry.failed else 'Not run'}: {entry.backend}, {entry.what}: {entry.why}"
    yield (
        "Sizes of Loki are chunks without its index, those of VictoriaLogs its columns and filters; "
        "sizes of FerretDB are not those of MongoDB."
    )
    yield "The caches of servers and operating system were not emptied; answers are warm."
