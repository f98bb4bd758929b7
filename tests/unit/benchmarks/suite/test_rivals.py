"""A turn's clock and count, and how a match is arranged for people."""

import io
import subprocess
import sys
from typing import Any

import psutil
import pytest
from rich.console import Console

from logweir.benchmarks.suite import terminal
from logweir.benchmarks.suite.page import render
from logweir.benchmarks.suite.results import Measure, Results
from logweir.benchmarks.suite.rivals import turn
from logweir.benchmarks.suite.rivals.base import Ground, Rival
from logweir.benchmarks.suite.standings import standings
from logweir.benchmarks.suite.workload import SeededWorkload
from logweir.event import Event

EVENTS = list(SeededWorkload(first_ns=0, step_ns=1).events(0, 20))


class Slow(Rival):
    """Its store finds one event more each time that it is asked, up to a limit."""

    name = "slow"
    durability = "none"

    def __init__(self, ground: Ground, most: int) -> None:
        super().__init__(ground)
        self.most, self.found, self.calls = most, 0, []  # type: ignore[var-annotated]

    def open(self) -> None:
        self.calls.append("open")

    def log(self, event: Event) -> None:
        self.calls.append(event.id)

    def settle(self) -> None:
        self.calls.append("settle")

    def arrived(self) -> int:
        self.found = min(self.found + 1, self.most)
        return self.found

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def ground(tmp_path: Any) -> Ground:
    return Ground("file", "", {}, tmp_path, len(EVENTS))


def test_the_clock_stops_when_the_store_has_counted_every_event(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "_POLL", 0.002)
    rival = Slow(ground, 20)
    outcome = turn.play(rival, EVENTS)
    assert outcome.arrived == 20
    assert outcome.seconds >= 19 * 0.002
    assert rival.calls == ["open", *[event.id for event in EVENTS], "settle", "close"]


def test_events_that_never_arrive_are_lost_and_the_waiting_is_no_time_of_the_others(ground: Ground) -> None:
    outcome = turn.play(Slow(ground, 1), EVENTS, patience=0.2)
    assert outcome.arrived == 1
    assert outcome.seconds < 0.2


def match(lost: float) -> Results:
    results = Results(started="now", profile="tiny", workload={}, environment={})
    for rival, rate in (("logweir", [10.0, 20.0]), ("other", [5.0, 5.0])):
        labels = {"rival": rival, "backend": "file", "events": 20, "durability": f"of {rival}"}
        for of, values in (("rate", rate), ("cpu", [1.0, 2.0]), ("lost", [0.0, lost])):
            measure = Measure(backend="f", name="rival", labels={**labels, "of": of}, unit="", values=values)
            results.measures.append(measure)
    return results


def test_what_a_child_has_used_counts_on_when_it_has_ended(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[psutil.Process] = []
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: children)
    before = Slow(ground, 1).cpu()
    child = subprocess.Popen([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"])
    children.append(psutil.Process(child.pid))  # and ends after it was listed
    assert child.wait(60) == 0
    assert Slow(ground, 1).cpu() - before >= 0.29


def test_ratios_are_made_turn_by_turn() -> None:
    own, other = standings(match(0))
    assert own.ratio is None
    assert other.ratio is not None
    assert other.ratio.values == [2.0, 4.0]


def test_a_rival_that_lost_events_is_shown_as_such_everywhere() -> None:
    results = match(3)
    assert [row.lost for row in standings(results)] == [3, 3]
    output = io.StringIO()
    terminal.show(results, Console(file=output, width=120))
    assert "of other" in output.getvalue()
    assert '<td class="wrong">3</td>' in render(results)
    assert '<td class="wrong">' not in render(match(0))
