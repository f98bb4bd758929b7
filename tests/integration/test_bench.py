"""``logweir bench`` end to end: a tiny run of the embedded backends, its reports, and what goes wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from logweir.benchmarks.suite import runner
from logweir.benchmarks.suite.natives import Spec
from logweir.benchmarks.suite.natives.sqlite import SqliteNative
from logweir.benchmarks.suite.page import render
from logweir.benchmarks.suite.profiles import PROFILES
from logweir.benchmarks.suite.results import Results
from logweir.benchmarks.suite.truth import CLASSES
from logweir.cli.app import app

LOGWEIR = str(Path(sys.executable).parent / "logweir")


def logweir(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [LOGWEIR, "bench", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def begin(folder: Path) -> runner.Run:
    return runner.begin(
        folder, [Spec("sqlite", "sqlite", "", folder), Spec("file", "file", "", folder)], PROFILES["tiny"]
    )


@pytest.mark.slow
def test_a_run_is_reported_compared_and_followed_by_a_recommendation(tmp_path: Path) -> None:
    done = logweir(tmp_path, "run", "--profile", "tiny")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\[\d+:\d\d\] \d+ of \d+ steps done; ", done.stderr, re.MULTILINE), (
        "it says where it is"
    )
    results = Results.load(tmp_path / "bench-results" / "results.json")
    assert set(results.backends) == {"sqlite", "file"}
    assert results.not_run == []
    for backend in results.backends:
        for kind in CLASSES:
            right: dict[str, Any] = {"class": kind, "volume": 400}
            assert results.one("query_right", backend, **right).median == 1  # type: ignore[union-attr]
        assert results.one("lost", backend).high == 0  # type: ignore[union-attr]
    page = (tmp_path / "bench-results" / "report.html").read_text()
    assert "<svg" in page
    assert not re.search(r"<script|<link|src=|url\(|https?://", page)
    # What follows is no matter of processes; the working directory is that of the run.
    invoke = CliRunner().invoke
    compared = invoke(app, ["bench", "compare", "bench-results", "bench-results/results.json"])
    assert (compared.exit_code, "1.00" in compared.stdout) == (0, True)
    (tmp_path / "needs.yaml").write_text("tracing: {events_per_day: 1000}\n")
    chosen = invoke(app, ["bench", "recommend", "--needs", "needs.yaml", "-o", "routing.yaml"])
    assert chosen.exit_code == 0, chosen.stderr
    assert "the most that were measured" in " ".join(chosen.stdout.split())
    again = invoke(app, ["bench", "recommend", "-o", "routing.yaml"])
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    checked = invoke(app, ["check"])
    assert checked.exit_code == 0, checked.stdout + checked.stderr


@pytest.mark.slow
async def test_a_backend_that_fails_in_mid_run_is_reported_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: SqliteNative, store: str) -> dict[str, float]:
        raise OSError("the disk is gone")

    monkeypatch.setattr(SqliteNative, "storage", broken)
    results = await begin(tmp_path).go()
    failed = [entry for entry in results.not_run if entry.failed]
    assert [(entry.backend, entry.what, entry.why) for entry in failed] == [
        ("sqlite", "storage at 200", "OSError: the disk is gone")
    ]
    assert {entry.what for entry in results.not_run if not entry.failed} >= {"recovery", "queries at 400"}
    assert results.one("recovery", "file")
    assert "the disk is gone" in render(results)


@pytest.mark.slow
async def test_an_interrupted_run_is_resumed_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(BaseException):
        pass

    def interrupt(done: int, total: int, what: str) -> None:
        if what == "file/queries at 200":
            raise Enough

    with pytest.raises(Enough):
        await begin(tmp_path).go(interrupt)
    before = Results.load(tmp_path / "results.json")
    steps: list[str] = []
    resumed = runner.resume(tmp_path, begin(tmp_path).specs)
    results = await resumed.go(lambda _done, _total, what: steps.append(what))
    assert steps[0] == "file/queries at 200"
    assert results.measures[: len(before.measures)] == before.measures
    assert all(measure.median == 1 for measure in results.select("query_right"))
    assert results.not_run == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--profile", "enormous"], "there is no profile 'enormous'"),
        (["run", "--backend", "mysql"], "is no backend"),
        (["run", "--backend", "oracle=x"], "cannot be measured"),
        (["run", "--no-embedded"], "nothing to measure"),
        (["report"], "cannot be read"),
        (["compare", "a", "b"], "cannot be read"),
        (["recommend", "--needs", "absent.yaml"], "cannot be read"),
    ],
)
def test_wrong_input_gets_a_message_and_never_a_traceback(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["bench", *arguments])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", "").split())
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"format": 1}))
    done = logweir(tmp_path, "report", "--folder", ".")
    assert done.returncode == 2
    assert "is no result of logweir bench" in " ".join(done.stderr.replace("│", "").split())
    assert "Traceback" not in done.stderr
