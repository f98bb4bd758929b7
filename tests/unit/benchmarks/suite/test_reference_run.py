"""The documented figures are those of the committed run, and nothing else."""

from pathlib import Path

from logweir.benchmarks.suite.markdown import render
from logweir.benchmarks.suite.page import render as render_page
from logweir.benchmarks.suite.results import Results

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"


def test_the_page_of_the_reference_run_is_rendered_from_its_results() -> None:
    results = Results.load(REFERENCE / "backends.json")
    assert (REFERENCE / "backends.md").read_text() == render(results)


def test_the_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    results = Results.load(REFERENCE / "backends.json")
    results.save(tmp_path / "again.json")
    assert Results.load(tmp_path / "again.json") == results
    assert "<svg" in render_page(results)
