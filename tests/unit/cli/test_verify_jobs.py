"""``logweir verify --jobs``: what the parent makes of what its processes say, and of their ends."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from logweir.cli.interruption import Interruption
from logweir.cli.verify_jobs import DividedSink, VerifyJobs
from logweir.cli.verify_report import line
from logweir.errors import LogweirError
from logweir.sinks.tamper_evidence import Finding, Part, PartKind, Place, Seam, Seams, Tally, Trouble
from logweir.stores.verification import PartResult, seams_that_differ

PARTS = [
    Part(PartKind.CHAINS, None, Place("w", 2)),
    Part(PartKind.CHAINS, Place("w", 2), Place("w")),
    Part(PartKind.UNLINKED),
]
#: A process that verifies parts: what it says is written by the test.
PROCESS = """
import json, os, sys, time
def say(*message):
    os.write(int(sys.argv[1]), json.dumps(message).encode() + b"\\n")
def ask():
    say("next")
    return json.loads(sys.stdin.readline())
def done(found=0, **more):
    listed = [dict(trouble="changed", detail="d", writer="w", seq=1, last=None, event_id=None, time=None)] * found
    say("done", dict(listed=listed, found=found, tally=dict(rows=2), seams=dict(suspects=[], **more)))
"""


def run(code: str, *names: str, jobs: int = 2) -> tuple[list[DividedSink], VerifyJobs]:
    sinks = [DividedSink(name, PARTS, 4) for name in names or ("a",)]
    with Interruption() as interruption:
        group = VerifyJobs(
            [sys.executable, "-c", PROCESS + code], jobs, interruption, lambda _rows, _found: None
        )
        group.run(sinks)
    return sinks, group


def test_every_part_of_every_sink_is_done_by_some_process() -> None:
    sinks, group = run("while ask(): done(1)", "a", "b")
    group.require_success()
    assert [sink.is_done for sink in sinks] == [True, True]
    assert [len([*sink.listed()]) for sink in sinks] == [3, 3]


def test_parts_are_put_in_their_order_whoever_is_done_first() -> None:
    code = """
while task := ask():
    time.sleep(0.1 * (2 - task["number"]))
    done(task["number"] + 1)
"""
    ((sink,), _) = run(code)
    assert [result.found for result in sink.done] == [1, 2, 3]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("ask(); os.kill(os.getpid(), 9)", "ended by SIGKILL: what it was to verify of sink 'a' is not"),
        ("os.kill(os.getpid(), 9)", "ended by SIGKILL: what it was to verify is not verified"),
        ("ask()", "ended by exit code 0: what it was to verify of sink 'a' is not verified"),
        ("ask(); done(); ask(); sys.exit(3)", "ended by exit code 3"),
        ("ask(); done(); os.kill(os.getpid(), 9)", "ended by SIGKILL"),
        ("ask(); say('failed', 'no such table'); ask()", "^sink 'a' is not verified: no such table$"),
    ],
)  # fmt: skip
def test_a_process_that_fails_ends_all_and_its_part_is_never_verified(code: str, why: str) -> None:
    (sink,), group = run(code)
    assert not sink.is_done
    with pytest.raises(LogweirError, match=why):
        group.require_success()


def test_processes_that_nobody_has_started_or_that_say_nothing_prove_nothing() -> None:
    (sink,), group = run("")
    assert not sink.is_done
    with pytest.raises(LogweirError, match="not all of a is verified"):
        group.require_success()


def test_the_others_are_asked_to_end_when_one_fails() -> None:
    code = """
task = ask()
if task["number"] == 2:  # what cannot be divided is given out first
    sys.exit(1)
sys.stdin.read()
"""
    (sink,), group = run(code)
    assert sink.done == []
    assert "exit code 1" in group.failure


def test_of_all_parts_only_what_will_be_listed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logweir.cli.verify_jobs.MOST_LISTED", 3)
    sink, found = DividedSink("a", PARTS, 4), [Finding(Trouble.CHANGED, "d", "w", seq) for seq in range(2)]
    sink.note(2, PartResult([*found], 2))
    sink.note(1, PartResult([*found], 2))
    assert [len(result.listed) for result in sink.done] == [2, 1]
    sink.note(0, PartResult([*found], 2))
    assert [len(result.listed) for result in sink.done] == [2, 1, 0]
    assert sink.unlisted == 3


def test_what_is_said_of_a_part_is_what_was_found() -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    found = Finding(Trouble.MISSING, "a row was deleted", "w", 3, 4, "id", time)
    strange = Finding(Trouble.INSERTED, "it fits nowhere", b"\xff", "x", None, None)  # type: ignore[arg-type] - of SQLite
    seams = Seams(Seam("a"), Seam(None, is_gone=True), [found])
    result = PartResult([found, strange], 7, Tally(1, 2, 3, 4), seams)
    again = PartResult.of_message(result.to_message())
    assert again.listed[0] == found
    assert line("a", again.listed[1]).plain == line("a", strange).plain
    assert (again.found, again.tally, again.seams) == (7, result.tally, seams)


def results(*seams: tuple[Seam | None, Seam | None]) -> Sequence[PartResult]:
    return [PartResult(seams=Seams(began, ended)) for began, ended in seams]


@pytest.mark.parametrize(
    ("ended", "began", "places"),
    [
        (Seam("a"), Seam("a"), []),
        (Seam("a"), Seam("b"), [2]),
        (Seam("a"), None, [2]),
        (None, Seam("a"), [2]),
    ],
)
def test_parts_that_have_not_seen_the_same_row_are_a_finding(
    ended: Seam | None, began: Seam | None, places: list[int]
) -> None:
    found = seams_that_differ(PARTS, results((None, ended), (began, None), (None, None)))
    assert [finding.seq for finding in found] == places
