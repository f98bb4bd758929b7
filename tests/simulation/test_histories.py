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
CHUNK = 500 if LONG else 75
TESTS = Path(__file__).parents[1]
#: Where the histories begin in which a rare fault shows; the others are found from the first on.
BEGIN = {
    "what_the_disk_refuses_at_a_reload_is_forgotten": 205,
    "what_may_be_in_the_fallback_is_written_to_the_sink": 30,
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
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_the_laws_hold_in_every_history(first: int) -> None:
    done = simulated(first, first + CHUNK)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.soak
@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK) if LONG else [0])
def test_the_laws_hold_where_sinks_have_fallbacks(first: int) -> None:
    done = simulated(first, first + (CHUNK if LONG else 25), "fallbacks")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BREAKS)
def test_a_fault_that_is_put_back_is_found(name: str) -> None:
    done = simulated(BEGIN.get(name, 0), 500, name)
    assert done.returncode == 1, f"no law was broken in 500 histories: {done.stderr}"
    assert done.stdout.startswith("seed "), done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FALLBACK_BREAKS)
def test_a_fault_of_fallbacks_that_is_put_back_is_found(name: str) -> None:
    done = simulated(BEGIN.get(name, 0), 500, name)
    assert done.returncode == 1, f"no law was broken in 500 histories: {done.stderr}"
    assert done.stdout.startswith("seed "), done.stderr
