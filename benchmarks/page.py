"""``python -m logweir.benchmarks.page FOLDER``: the results in a folder as one page of Markdown.

So that the documentation says what was measured, and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from logweir.benchmarks.measure import Bar, Report, Series, figure, figures_between

__all__ = ["bars", "render"]

_ORDER = (
    "producer", "app", "app-elsewhere", "router", "run", "jobs", "durable", "elsewhere", "audit-chain",
    "starting", "hostile-calls", "dead-sink", "mysql", "elasticsearch", "mongodb", "loki", "broker", "kafka",
    "sinks-cpu",
)  # fmt: skip
#: The bars on the page of benchmarks: in words, of which benchmark, how the name of the series begins.
_BARS = (
    (
        "a log call, to a bare structlog call that appends to a deque, unbound",
        "producer",
        "logweir, unbound / structlog",
    ),
    ("the same, bound", "producer", "logweir, bound / structlog"),
    ("a log call to `QueueHandler`'s, unbound", "producer", "logweir, unbound / stdlib"),
    ("fan-out to three sinks, to one", "router", "to 3"),
    ("`logweir run`, events/s of a core", "run", "logweir run"),
    ("`logweir run --jobs 2`, to one process: null", "jobs", "null"),
    ("one caller of `audit_sync()`, to a commit each", "durable", "1: logweir.audit_sync()"),
    ("one caller of `await logweir.audit()`", "durable", "1: await"),
    ("64 callers of `await logweir.audit()`", "durable", "64: await"),
    ("the disk queue with 64 callers", "durable", "64: disk queue"),
    ("p99 of a durable call beside a worker, one caller", "elsewhere", "1 callers"),
    ("the same, eight callers", "elsewhere", "8 callers"),
    ("a chained row, to one without a chain", "audit-chain", "chain with a key"),
    ("`import logweir`, to `import structlog`", "starting", "import logweir"),
    ("`logweir --help`, to `import structlog`", "starting", "logweir --help"),
    ("the dearest of 368 hostile calls, ms", "hostile-calls", "the dearest hostile"),
    ("the dearest ordinary call, ms", "hostile-calls", "the dearest ordinary"),
    ("memory while a sink is dead", "dead-sink", "memory"),
    ("MySQL, one worker, to bare `executemany`", "mysql", "the sink, 1 worker"),
    ("Elasticsearch, one worker, to bare `bulk()`, gzip", "elasticsearch", "sink, gzip, 1 worker"),
    (
        "MongoDB's protocol (FerretDB), one worker of motor, to bare `insert_many`",
        "mongodb",
        "sink, motor, 1 worker",
    ),
    (
        "Loki's protocol (VictoriaLogs), one worker, protobuf, to bare `httpx`",
        "loki",
        "sink, protobuf, 1 worker",
    ),
    ("the same by JSON", "loki", "sink, json, 1 worker"),
    ("a forwarder to Redis, to pipelined `XADD`s", "broker", "forwarder"),
    ("a worker behind Redis, to a bare loop", "broker", "worker"),
    ("a forwarder to Kafka, to `send()`", "kafka", "forwarder"),
    ("a worker behind Kafka, to a bare loop", "kafka", "worker"),
)
#: Between a case and what was measured of it, in the name of a series.
_OF = " | "
_MISSED = "**missed**"
_HEAD = """\
# What logweir costs: the results

Rendered from the files in `docs/reference/{source}/`, each the result of one benchmark that had the machine
to itself, with the servers that it needs. [Benchmarks](benchmarks.md) says what is measured, and what the
figures mean. To repeat it, in a checkout: `make bench-engine`, then
`python -m logweir.benchmarks.page bench-engine`. Medians of the turns, with their ranges; a bar is a ratio
whose turns followed each other. Absolute figures are those of that machine, which ran client and servers.
"""


def render(folder: Path, source: str) -> str:
    """Return the page.

    Args:
        folder: Holds the results, as ``NAME.json``.
        source: What the page calls the folder.
    """
    files = sorted(folder.glob("*.json"), key=lambda file: _ORDER.index(file.stem))
    return "\n".join([_HEAD.format(source=source), *(line for file in files for line in _section(file))])


def bars(folder: Path) -> str:
    """Return the most important bars as a table.

    Args:
        folder: Holds the results, as ``NAME.json``.
    """
    reports = {name: Report.load(folder / f"{name}.json") for name in {name for _, name, _ in _BARS}}
    rows = ["| | median of the run | bar | |", "|---|---|---|---|"]
    for what, name, start in _BARS:
        bar = next(each for each in reports[name].bars if each.series.name.startswith(start))
        between = f" ({figures_between(bar.series)})" if len(bar.series.values) > 1 else ""
        median, verdict = figure(bar.series.median, bar.series.unit), "holds" if bar.holds else _MISSED
        rows.append(f"| {what} | {median}{between} | {_limit(bar)} | {verdict} |")
    return "\n".join(rows)


def _section(file: Path) -> Iterator[str]:
    content, report = json.loads(file.read_text()), Report.load(file)
    where = content["environment"]
    yield f"## {report.title}\n"
    yield (
        f"`{file.stem}`, {content['measured']}: Python {where['python']}, structlog {where['structlog']}, "
        f"{where['system']}, {where['cores']} cores, a load average of {where['load']} at its end.\n"
    )
    wide = [series for series in report.series if _OF in series.name]
    if wide:
        yield from _cases(wide)
        yield ""
    yield "| | median | range | bar |\n|---|---|---|---|"
    narrow = [series for series in report.series if _OF not in series.name]
    for series in [*narrow, *(Series(**ratio) for ratio in content.get("ratios", ()))]:
        yield f"| {series.name} | {figure(series.median, series.unit)} | {figures_between(series)} | |"
    yield from map(_row, report.bars)
    yield ""
    yield from (f"- {note}" for note in report.notes)
    if report.notes:
        yield ""


def _cases(series: Sequence[Series]) -> Iterator[str]:
    """A row for each case, with the medians of all that was measured of it."""
    rows: dict[str, dict[str, Series]] = {}
    for each in series:
        case, _, column = each.name.partition(_OF)
        rows.setdefault(case, {})[column] = each
    columns = {column: each.unit for row in rows.values() for column, each in row.items()}
    yield "| | " + " | ".join(f"{column}, {unit}" for column, unit in columns.items()) + " |"
    yield "|---" * (1 + len(columns)) + "|"
    for case, row in rows.items():
        yield f"| {case} | " + " | ".join(f"{each.median:,.2f}" for each in row.values()) + " |"


def _row(bar: Bar) -> str:
    verdict = _limit(bar) if bar.holds else f"{_limit(bar)}, {_MISSED}"
    median = f"**{figure(bar.series.median, bar.series.unit)}**"
    return f"| {bar.series.name} | {median} | {figures_between(bar.series)} | {verdict} |"


def _limit(bar: Bar) -> str:
    return f"at {'most' if bar.at_most else 'least'} {bar.limit:,g}"


def main(
    folder: Annotated[Path, typer.Argument(help="With the results of --json.")],
    source: Annotated[str, typer.Option(help="What the page calls the folder.")] = "engine",
) -> None:
    """Print the page."""
    sys.stdout.write(render(folder, source))


if __name__ == "__main__":
    typer.run(main)
