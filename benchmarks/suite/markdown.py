"""A run as a page of Markdown, for documentation that must not say what the suite did not measure."""

from __future__ import annotations

from collections.abc import Iterator

from logweir.benchmarks.suite import wording
from logweir.benchmarks.suite.command_rows import command_rows
from logweir.benchmarks.suite.explanations import differing_rates
from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.standings import standings
from logweir.benchmarks.suite.summary import Row, emptied, headline, largest_volume, volumes
from logweir.benchmarks.suite.truth import CLASSES
from logweir.benchmarks.suite.units import figure, span

__all__ = ["match", "render"]

_HEAD = """\
# What the backends cost{growing}: a reference run

Rendered from [{source}]({source}), the results of one run of
[`logweir bench`](../how-to/choose-a-backend.md). To repeat it: {command}, then
`logweir bench report --markdown FILE`. Absolute figures are of that machine, which ran client and servers at
once; measure your own.

Profile `{profile}`, begun {started}: {environment}.{note}
"""
_REPEAT = "`logweir bench run --profile {profile}` with `--backend TYPE=URL` for each server"


def render(results: Results, source: str = "backends.json") -> str:
    """Return the page.

    Args:
        results: The run.
        source: The file of the results, as a link from the page.
    """
    head = _HEAD.format(
        source=source,
        growing=" as they grow" if emptied(results) else "",
        command=f"`{results.command}`" if results.command else _REPEAT.format(profile=results.profile),
        profile=results.profile,
        started=wording.moment(results.started),
        environment=wording.environment_of(results.environment),
        note=f" {results.note}" if results.note else "",
    )
    parts = [
        head,
        _servers(results),
        _matrix(results),
        _growth(results),
        _questions(results),
        _commands(results),
        _notes(results),
    ]
    return "\n".join(part for part in parts if part)


def match(results: Results) -> str:
    """The table of a match with the rivals."""
    lines = [
        "| into | way | events/s | processor time, µs/event | logweir's rate / its rate | lost |",
        "|---" * 6 + "|",
    ]
    for row in standings(results):
        cells = " | ".join(_ranged(measure) for measure in (row.rate, row.cpu, row.ratio))
        lines.append(f"| {wording.store_name(results, row.backend)} | {row.rival} | {cells} | {row.lost} |")
    return "\n".join([*lines, ""])


def _ranged(measure: Measure | None) -> str:
    if measure is None:
        return "–"
    return f"{figure(measure.median)} ({span(measure.low, measure.high)})"


def _servers(results: Results) -> str:
    lines = [
        f"| {wording.store_name(results, name)} | {backend.server} |"
        for name, backend in results.backends.items()
    ]
    return "\n".join(["| backend | server, as it reports itself |", "|---|---|", *lines, ""])


def _head(results: Results, first: str) -> list[str]:
    names = [wording.store_name(results, name) for name in results.backends]
    return [f"| {first} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]


def _matrix(results: Results) -> str:
    rows = list(headline(results))
    if not rows:
        return ""
    lines = [
        "## Side by side",
        "",
        "Medians, with the range of the repeats. The best of a row is bold where no other range overlaps its",
        "own; a difference within the ranges is none, nor one of a few percent between single values.",
    ]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines += ["", f"**{group}**", "", *_head(results, "")]
        unit = "" if row.unit == "ms" else f" ({row.unit})"
        cells = " | ".join(_cell(row, name) for name in results.backends)
        lines.append(f"| {row.what}{unit} | {cells} |")
    explained = [f"- {line}" for line in differing_rates(results)]
    if explained:
        lines += [
            "",
            "Why two rates of one store, into an empty one and while it grows, are not the same:",
            "",
            *explained,
        ]
    return "\n".join([*lines, ""])


def _cell(row: Row, backend: str) -> str:
    measure = row.values.get(backend)
    if measure is None:
        return "–"
    unit = "ms" if row.unit == "ms" else ""
    text = figure(measure.median, unit)
    text = f"**{text}**" if row.best() == backend else text
    beside = [span(measure.low, measure.high, unit)] if measure.low != measure.high else []
    beside += [row.remarks[backend]] if backend in row.remarks else []
    return f"{text} ({'; '.join(beside)})" if beside else text


def _growth(results: Results) -> str:
    if not volumes(results):
        return ""
    compacted = "" if emptied(results) else " after compaction"
    lines = [
        "## As the store grows",
        "",
        f"Events/s into the store, and bytes for each event in it{compacted}.",
        "",
        *_head(results, "events"),
    ]
    for volume in volumes(results):
        cells = []
        for name in results.backends:
            rate = results.one("growth", name, volume=volume)
            size = results.one("storage", name, volume=volume, part="total")
            cells.append(f"{_median(rate)}; {_median(size)}" if rate or size else "–")
        lines.append(f"| {volume:,} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _questions(results: Results) -> str:
    """The time of each class of question at each volume, warm and cold, where caches were emptied."""
    if not emptied(results):
        return ""
    lines = ["## How long questions take", "", "Warm; cold, where caches were emptied before.", ""]
    for kind, words in CLASSES.items():
        lines += [f"**{words.capitalize()}**", "", *_head(results, "events")]
        for volume in volumes(results):
            cells = []
            for name in results.backends:
                found = [
                    results.one("query", name, volume=volume, phase=phase, **{"class": kind})
                    for phase in ("warm", "cold")
                ]
                cells.append("; ".join(_median(measure, "ms") for measure in found) if any(found) else "–")
            lines.append(f"| {volume:,} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _commands(results: Results) -> str:
    rows = list(command_rows(results))
    if not rows:
        return ""
    lines = [
        "## What the commands take",
        "",
        f"Each a process of its own, its start included, over {largest_volume(results):,} events;",
        "`query` reads all of them, or what it can in a minute.",
        "",
        *_head(results, ""),
    ]
    for row in rows:
        cells = " | ".join(
            figure(row.values[name].median, row.unit) if name in row.values else "–"
            for name in results.backends
        )
        lines.append(f"| `{row.command}`: {row.what} | {cells} |")
    return "\n".join([*lines, ""])


def _median(measure: Measure | None, unit: str = "") -> str:
    return figure(measure.median, unit) if measure else "–"


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
    killed = list(results.select("lost"))
    if killed:
        lost = sum(sum(measure.values) for measure in killed)
        yield f"Confirmed events that were missing after a writer was killed: {figure(lost)}."
    yield from (f"{line}." for line in wording.missing(results))
    yield f"Stored were {wording.workload_of(results)}."
    for key, backend in results.backends.items():
        if backend.cold:
            name = wording.store_name(results, key)
            yield f"Before a cold question of {name}: {backend.cold.rstrip('.')}."
    yield from (f"{line}." for line in wording.not_cold(results))
    yield (
        "Sizes of Loki are chunks without its index, those of VictoriaLogs its columns and filters; "
        "sizes of FerretDB are not those of MongoDB."
    )
    if not emptied(results):
        yield "The caches of servers and operating system were not emptied; answers are warm."
