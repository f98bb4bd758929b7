"""The documented figures are those of the committed run, and nothing else."""

import json
from pathlib import Path

import pytest

from logweir.benchmarks import page as engine
from logweir.benchmarks.suite.markdown import match, render
from logweir.benchmarks.suite.page import render as render_page
from logweir.benchmarks.suite.results import Results

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"


def test_the_page_of_the_reference_run_is_rendered_from_its_results() -> None:
    results = Results.load(REFERENCE / "backends.json")
    assert (REFERENCE / "backends.md").read_text() == render(results)


def test_the_page_of_the_rivals_has_the_table_of_its_results_and_their_command() -> None:
    results = Results.load(REFERENCE / "rivals-file.json")
    page = (REFERENCE / "rivals.md").read_text()
    assert match(results) in page
    assert f"`{results.command}`" in page
    assert results.note in page


def test_the_bars_of_the_engine_are_those_of_the_committed_results() -> None:
    assert engine.bars(REFERENCE / "engine") in (REFERENCE / "benchmarks.md").read_text()


def test_the_figures_of_what_is_moved_are_those_of_the_committed_runs() -> None:
    page = (REFERENCE / "benchmarks.md").read_text()
    content = json.loads((REFERENCE / "moving.json").read_text())
    assert content["note"] in page
    for each in content["results"]:
        processor = 1e6 * each["processor"] / each["of"]
        row = (
            f"| `{each['name']}` | {each['backend']} | {each['of']:,} | {processor:.1f} | {each['seconds']:.0f} s"
            f" | {each['first']:.0f} s | {each['memory']:.0f} MB |"
        )
        assert row in page
        is_missed = (each["name"], each["of"]) == (
            "archive",
            10_000_000,
        )  # and said as missed; nothing else may
        assert (each["memory"] <= 150) is not is_missed
    assert "`archive` of 10,000,000 rows misses the bar of memory" in page


@pytest.mark.parametrize("name", ["growth-run", "growth-huge"])
def test_the_page_of_a_growth_run_is_rendered_from_its_results(name: str) -> None:
    results = Results.load(REFERENCE / f"{name}.json")
    assert (REFERENCE / f"{name}.md").read_text() == render(results, f"{name}.json")
    assert all(measure.median == 1 for measure in results.select("query_right"))


def test_the_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    results = Results.load(REFERENCE / "backends.json")
    results.save(tmp_path / "again.json")
    assert Results.load(tmp_path / "again.json") == results
    assert "<svg" in render_page(results)
