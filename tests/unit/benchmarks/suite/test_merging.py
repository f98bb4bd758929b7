"""Several runs as one: nothing is lost, nothing counted twice, and what does not go together is refused."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from logweir.benchmarks.suite.merging import merge
from logweir.benchmarks.suite.results import Backend, Measure, NotRun, Results
from logweir.cli.bench import bench
from logweir.errors import LogweirError


def run(backend: str, *rates: float, server: str = "1.0", **more: Any) -> Results:
    settings: dict[str, Any] = {
        "started": "2026-11-26T20:00:00+00:00",
        "profile": "large",
        "workload": {"shape": "seeded", "seed": 7, "first_ns": 1, "step_ns": 1},
        "environment": {"cores": 2, "python": "3.11"},
    }
    labels: dict[str, str | int] = {"volume": 1000}
    growth = Measure(backend=backend, name="growth", labels=labels, unit="events/s", values=list(rates))
    return Results(
        **{**settings, **more},
        backends={backend: Backend(type="sqlite", server=server, minutes=1)},
        measures=[growth] if rates else [],
        done=[f"{backend}/growth to 1000"] if rates else [],
    )


def test_a_single_run_stays_as_it_is() -> None:
    one = run("a", 1.0)
    assert merge([one]) is one


def test_runs_of_several_backends_are_put_side_by_side_and_remember_where_they_come_from() -> None:
    both = merge([run("a", 1.0, command="first", note="quiet"), run("b", 2.0, environment={"cores": 4})])
    assert set(both.backends) == {"a", "b"}
    assert [(part.backends, part.command) for part in both.parts] == [(["a"], "first"), (["b"], "")]
    assert (both.environment["cores"], both.note) == ("2 / 4", "quiet")
    three = merge([both, run("c", 3.0)])
    assert [part.backends for part in three.parts] == [["a"], ["b"], ["c"]]


def test_what_was_measured_twice_keeps_the_values_of_both() -> None:
    one = run("a", 1.0, 2.0)
    both = merge([one, run("a", 3.0)])
    assert [measure.values for measure in both.measures] == [[1.0, 2.0, 3.0]]
    assert both.backends["a"].minutes == 2
    assert one.measures[0].values == [1.0, 2.0]  # the runs themselves are not touched


def test_what_failed_in_one_run_and_was_done_in_another_is_done() -> None:
    failed = run("a")
    failed.not_run = [
        NotRun(backend="a", what="growth to 1000", why="no disk", failed=True),
        NotRun(backend="a", what="growth to 2000", why="time", limit="minutes"),
    ]
    both = merge([failed, run("a", 1.0)])
    assert [entry.what for entry in both.not_run] == ["growth to 2000"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (run("a", 1.0, server="2.0"), "is 1.0 in one and 2.0 in another"),
        (run("b", 1.0, workload={"shape": "seeded", "seed": 8}), "their events differ"),
        (run("b", 1.0, workload={"file": "own.jsonl", "seed": 7}), "their events differ"),
    ],
)
def test_runs_that_do_not_go_together_are_refused(other: Results, why: str) -> None:
    with pytest.raises(LogweirError, match=why):
        merge([run("a", 1.0), other])


def test_the_command_writes_a_file_that_can_be_read_again_and_overwrites_none(tmp_path: Path) -> None:
    run("a", 1.0).save(tmp_path / "a" / "results.json")
    run("b", 2.0).save(tmp_path / "b.json")
    command = ["merge", str(tmp_path / "a"), str(tmp_path / "b.json"), "-o", str(tmp_path / "both.json")]
    assert CliRunner().invoke(bench, command).exit_code == 0
    assert set(Results.load(tmp_path / "both.json").backends) == {"a", "b"}
    again = CliRunner().invoke(bench, command)
    assert (again.exit_code, "--force" in again.output) == (2, True)
    page = ["report", str(tmp_path / "a"), str(tmp_path / "b.json"), "--folder", str(tmp_path / "page")]
    assert CliRunner().invoke(bench, page).exit_code == 0
    assert (tmp_path / "page" / "report.html").exists()
