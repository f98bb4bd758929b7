"""The report's page: whole for a small run and for one of growth, without scripts, in words and units."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from logweir.benchmarks.suite import charts, markdown, terminal
from logweir.benchmarks.suite.charts import Point
from logweir.benchmarks.suite.page import render
from logweir.benchmarks.suite.results import Backend, Label, Limits, Measure, NotRun, Part, Results
from logweir.benchmarks.suite.truth import CLASSES

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"


def growth_run() -> Results:
    """Three stores at two volumes, without an ingest matrix; one was stopped by its limit after the first."""
    results = Results(
        started="2026-11-26T21:00:00+00:00",
        profile="large",
        workload={"shape": "seeded", "seed": 7, "first_ns": 0, "step_ns": 10**6},
        environment={"cores": 2},
        command="logweir bench run --profile large",
        note="Others used the machine.",
        limits=Limits(minutes=60),
        resumed=["2026-11-26T22:00:00+00:00"],
        parts=[
            Part(
                started="2026-11-26T21:00:00+00:00",
                profile="large",
                command="logweir bench run --profile large",
                note="",
                environment={},
                backends=["mysql"],
                limits=Limits(),
            )
        ],
    )
    for name, kind in (("mysql", "mysql"), ("mysql-partitioned", "mysql"), ("file", "file")):
        results.backends[name] = Backend(
            type=kind, server="one 1.0", cold="the server was stopped.", counted="the server's process"
        )
        for volume in (100_000, 1_000_000) if kind == "mysql" else (100_000,):
            _add(results, name, volume)
    results.not_run.append(NotRun(backend="file", what="growth to 1000000", why="60 min", limit="minutes"))
    return results


def _add(results: Results, name: str, volume: int) -> None:
    def add(measure: str, values: list[float], **labels: Label) -> None:
        marked: dict[str, Label] = {"volume": volume, **labels}
        results.measures.append(Measure(backend=name, name=measure, labels=marked, unit="", values=values))

    add("growth", [9000.0, 11_000.0], workers=2, batch=1000)
    add("write_amplification", [12.0])
    add("bytes_written", [5700.0])
    add("storage", [600.0], part="total")
    add("storage", [100.0], part="index by_time")
    add("storage_compacted", [500.0], part="total")
    add("memory", [300.0])
    for kind in CLASSES:
        add("query", [1.0, 2.0], phase="warm", **{"class": kind})
        add("query", [65_000.0], phase="cold", **{"class": kind})
        add("bytes_read", [4e8], **{"class": kind})
    add("command", [40.0], command="query", what="first_row")


def test_a_growth_run_without_a_matrix_has_a_whole_page() -> None:
    page = render(growth_run())
    for said in (
        "While the store grows to 1 million",
        "Asking, cold, at 1 million events",
        "400 MB read",
        "at 100,000",
        "One event by its id, cold",
        "Written for each byte of an event",
        "After compaction",
        "logweir query",
        "Made by <code>logweir bench run --profile large</code>",
        "Others used the machine.",
        "Not measured: File, growth to 1000000 (the time that a store may take was up): 60 min",
        "Before a cold question of MySQL: the server was stopped.",
        "merged from 1 run",
        "65 s",
    ):
        assert said.lower() in page.lower(), said
    assert "Into an empty store" not in page


def test_a_growth_run_is_also_whole_as_markdown_and_in_the_terminal() -> None:
    text = markdown.render(growth_run(), "growth.json")
    assert "[growth.json](growth.json)" in text
    assert "**One event by its id**" in text
    assert "1.5 ms; 65 s" in text
    assert "## What the commands take" in text
    assert "| `query`: time to the first row | 40.0 ms |" in text
    for width in (80, 200):
        output = io.StringIO()
        terminal.show(growth_run(), Console(file=output, width=width))
        assert "while the store grows to 1 million" in " ".join(output.getvalue().split())


@pytest.mark.parametrize("results", [growth_run(), Results.load(REFERENCE / "backends.json")])
def test_the_page_needs_nothing_else_and_serves_screens_light_and_dark_and_paper(results: Results) -> None:
    page = render(results)
    assert not re.search(r"<script|<link|src=|url\(|https?://", page)
    for rule in ("prefers-color-scheme: dark", "@media print", 'name="viewport"'):
        assert rule in page
    for key in ("memory_gib", "first_ns", "step_ns", "full_text", "label_time", "user_time"):
        assert key not in page, f"{key} is a key of the file, and no word"


def test_no_text_of_a_chart_is_smaller_than_readable_in_three_columns() -> None:
    style = render(growth_run())
    size, width = re.search(r"svg text \{ font: (\d+)px", style), re.search(r'viewBox="0 0 (\d+) 290"', style)
    assert size is not None
    assert width is not None
    assert int(size[1]) * 375 / int(width[1]) >= 11.5  # a column of three at 1280 px, and all of 390


def test_a_chart_marks_round_values_in_units_that_fit() -> None:
    line = [Point(2_000, 40.0, 30.0, 50.0), Point(1_000_000, 90_000.0, 90_000.0, 90_000.0)]
    drawn = charts.lines("A word", "events", "ms", {0: line})
    for mark in (">10 ms<", ">1 s<", ">100 s<", ">1 k<", ">1 M<"):
        assert mark in drawn
    assert "5 ms" not in drawn  # over many decades, decades alone
    assert charts.lines("Nothing", "events", "ms", {0: []}) == ""
    assert charts.lines("Equal", "events", "", {0: [Point(10, 5, 5, 5)]}).count("<circle") == 1
    assert charts.stacked_bars("Nothing", {}) == ""


def test_a_store_in_memory_is_said_not_to_have_been_cold() -> None:
    results = growth_run()
    for measure in results.measures:
        if measure.name in {"bytes_read", "write_amplification"}:
            measure.values = [0.0]
    for said in (render(results), markdown.render(results)):
        assert "No byte was read from a disk for the cold questions of MySQL" in said
        assert "bytes read" not in said
        assert "bytes written for each byte" not in said.lower()
    assert "No byte was read" not in render(growth_run())


def test_what_a_store_is_called_cannot_break_the_page() -> None:
    results = growth_run()
    results.backends["<b>&"] = Backend(type="sqlite", server="<script>")
    _add(results, "<b>&", 100_000)
    assert "<b>&</" not in render(results)
    assert "<script" not in render(results)
