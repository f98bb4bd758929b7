"""The counts by hour and level: right, and made once however often a run is interrupted."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from logweir.benchmarks.suite.hourly_counts import HourlyCounts
from logweir.benchmarks.suite.workload import SeededWorkload
from logweir.event import Event

HOUR = 3600 * 10**9
WORKLOAD = SeededWorkload(first_ns=HOUR, step_ns=HOUR // 700)


def counted(volume: int) -> Counter[tuple[int, str]]:
    return Counter((event.time // HOUR * 3600, event.level) for event in WORKLOAD.events(0, volume))


@pytest.mark.parametrize("volumes", [[2500], [700, 1000, 2500], [2500, 700]])
def test_they_are_those_of_the_events(volumes: list[int]) -> None:
    counts = HourlyCounts(WORKLOAD)
    for volume in volumes:
        assert counts.of(volume) == counted(volume)
        assert counts.of(volume).total() == volume


def test_they_go_on_from_what_a_file_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "run" / "counts.json"
    HourlyCounts(WORKLOAD, kept).of(1500)
    made: list[tuple[int, int]] = []
    events = SeededWorkload.events

    def noted(self: SeededWorkload, start: int, end: int) -> Iterator[Event]:
        made.append((start, end))
        return events(self, start, end)

    with monkeypatch.context() as patched:
        patched.setattr(SeededWorkload, "events", noted)
        again = HourlyCounts(WORKLOAD, kept)
        found = again.of(1500), again.of(2500)
    assert made == [(1500, 2500)]
    assert found == (counted(1500), counted(2500))


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", json.dumps({"workload": {"seed": 8}, "counts": {"1500": [[1, "info", 1500]]}})],
)
def test_a_file_that_is_damaged_or_of_other_events_is_made_anew(tmp_path: Path, content: str) -> None:
    kept = tmp_path / "counts.json"
    kept.write_text(content)
    assert HourlyCounts(WORKLOAD, kept).of(1500) == counted(1500)
    assert HourlyCounts(WORKLOAD, kept).of(1500) == counted(1500)
