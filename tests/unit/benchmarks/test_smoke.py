"""Every benchmark runs, at tiny sizes; how fast is no matter of tests."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from logweir.benchmarks import (
    audit_chain,
    dead_sink,
    durable,
    elsewhere,
    moving,
    producer,
    router,
    run,
    sinks_cpu,
)
from logweir.benchmarks.measure import Bar, Report, Series, take_turns


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "size"),
    [
        (producer.measure, {"calls": 50, "runs": 1}),
        (router.measure, {"calls": 50, "runs": 1}),
        (durable.measure, {"seconds": 0.2, "runs": 1}),
        (elsewhere.measure, {"seconds": 0.05, "runs": 1, "callers": (2,)}),
        (audit_chain.measure, {"batches": 1, "batch": 50, "runs": 1}),
        (moving.measure, {"rows": 50, "only": ["verify, 2 jobs"]}),
        (dead_sink.measure, {"seconds": 1.5, "rate": 30_000}),
    ],
)
def test_a_benchmark_yields_a_report(
    measure: Callable[..., Report], size: dict[str, Any], tmp_path: Path
) -> None:
    check(measure(**size), tmp_path)


def check(report: Report, folder: Path) -> None:
    """Expect a report with figures, which can be shown and saved."""
    assert report.bars
    assert all(series.values for series in report.series)
    report.show(Console(quiet=True))
    report.save(folder, "report")
    assert (folder / "report.json").read_text().startswith("{")


@pytest.mark.slow
def test_logweir_run_yields_a_report_and_reads_every_line_in_every_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []

    def spy(*arguments: Any, real: Callable[..., Any] = subprocess.run, **options: Any) -> Any:
        done = real(*arguments, **options)
        printed.append((done.stdout + done.stderr).decode())
        return done

    monkeypatch.setattr(subprocess, "run", spy)
    check(run.measure(events=50, runs=1), tmp_path)
    assert sum("50 events read" in text for text in printed) == 2  # one turn does not count


def test_contenders_take_turns_and_the_first_turn_does_not_count() -> None:
    order: list[str] = []
    series = take_turns(
        [(name, lambda name=name: order.append(name) or float(len(order))) for name in "ab"], 2, "x"
    )
    assert order == ["a", "b"] * 3
    assert [item.values for item in series] == [[3.0, 5.0], [4.0, 6.0]]


def test_a_bar_looks_at_the_median() -> None:
    series = Series("s", "x", [1.0, 2.0, 9.0])
    assert Bar(series, 2.0).holds
    assert not Bar(series, 2.1, at_most=False).holds
    assert series.ratio(Series("t", "x", [2.0, 2.0, 3.0])).values == [0.5, 1.0, 3.0]


def test_the_processor_time_of_the_sinks_without_a_server_is_measured_beside_their_drivers() -> None:
    series = sinks_cpu.measure(events=200, runs=1, only=("SQLite", "file")).series
    assert [item.name for item in series] == [
        "SQLite: the sink",
        "SQLite: the driver",
        "SQLite: the sink / SQLite: the driver",
        "file: the sink",
        "file: the driver",
        "file: the sink / file: the driver",
    ]
    assert all(value > 0 for item in series for value in item.values)
