"""Histories of delivery under faults, by seeds; in the long form thousands of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.breaks import BREAKS
from simulation.fallback_breaks import FALLBACK_BREAKS

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
SEEDS = 5000 if LONG else 300
CHUNK = 500 if LONG else 50
TESTS = Path(__file__).parents[1]
#: Histories in which each fault showed when this was written; where none of them does so any longer, all are looked through.
SHOWS = {
    "an_event_that_waits_blocks_those_behind_it": "15,20,23",
    "a_put_inside_a_put_takes_the_same_position": "52,70,109",
    "a_sink_that_cancels_itself_ends_its_worker": "0,1,2",
    "a_flush_that_times_out_stays_in_the_queue": "10,14,17",
    "what_the_disk_refuses_at_a_reload_is_forgotten": "38,100,213",
    "what_is_moved_is_counted_twice": "0,35,43",
    "the_old_data_directory_is_left_behind": "3,4,8",
    "callers_are_answered_before_the_commit": "11,15,28",
    "a_fan_out_that_goes_on_gives_again_what_was_given": "6,9,13",
    "files_left_by_a_reload_are_looked_for_later": "2,3,7",
    "an_audit_call_that_meets_only_closed_queues_is_not_routed_anew": "5,33,35",
    "the_committer_clears_its_flag_after_it_has_looked_for_work": "4,12,56",
    "a_commit_is_noted_when_another_may_have_come_in_between": "9,12,17",
    "a_leader_leaves_without_looking_again": "20,29,49",
    "what_goes_to_the_fallback_is_not_noted_first": "2,4,16",
    "what_may_be_in_the_fallback_is_written_to_the_sink": "139",
    "events_are_settled_before_the_fallback_has_stored_them": "23,35,55",
    "what_returns_is_deleted_before_the_sink_has_it": "4,12,18",
    "what_was_returned_is_deleted_in_a_fallback_that_is_not_open": "302,436",
}


def simulated(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Live through histories in a process of their own, whose sets have the same order each time."""
    return subprocess.run(
        [sys.executable, "-m", "simulation", *map(str, arguments)],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.soak
@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.parametrize(
    "first", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(CHUNK, SEEDS, CHUNK))]
)
def test_the_laws_hold_in_every_history(first: int) -> None:
    done = simulated(first, first + CHUNK)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.soak
@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK) if LONG else [0])
def test_the_laws_hold_where_sinks_have_fallbacks(first: int) -> None:
    done = simulated(first, first + (CHUNK if LONG else 25), "fallbacks")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.fixture(scope="module")
def shown() -> dict[str, list[str]]:
    """What is printed by the histories in which each fault showed, and their exit code; one program starts them all."""
    names = [*BREAKS, *FALLBACK_BREAKS]
    lines = simulated("each", *(f"{name}={SHOWS.get(name, '0')}" for name in names)).stdout.splitlines()
    begins = [lines.index(name) for name in names if name in lines]
    return {
        lines[begin]: lines[begin + 1 : end] for begin, end in zip(begins, [*begins[1:], None], strict=True)
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [*BREAKS, *FALLBACK_BREAKS])
def test_a_fault_that_is_put_back_is_found(shown: dict[str, list[str]], name: str) -> None:
    *printed, code = shown[name]
    if code == "0":
        done = simulated(0, 500, name)
        printed, code = done.stdout.splitlines(), str(done.returncode)
    assert code == "1", f"no law was broken in 500 histories: {printed}"
    assert printed[0].startswith("seed "), printed
