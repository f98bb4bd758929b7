"""The mutation driver: what it changes, that the change is in force, and that an unharmed module passes."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from mutants.mutations import Mutant, applied, mutants_of
from mutants.plugin import MUTANT

ROOT = Path(__file__).parents[2]
SOURCE = b'''
def add(one: int, two: int = 2) -> int:
    """One and two, \xc3\xa4."""
    if one is None and two:
        raise ValueError("no \xc3\xa4")
    self.count = one + two
    return one + two
'''


def test_each_mutant_is_one_change_of_a_function_and_compiles() -> None:
    changes = {(mutant.old, mutant.new) for mutant in mutants_of(SOURCE)}
    assert ("one is None and two", "(one is None or two)") in changes
    assert ("one is None", "(one is not None)") in changes
    assert ("one is None and two", "(not (one is None and two))") in changes
    assert ("one + two", "(one - two)") in changes
    assert ("return one + two", "return None") in changes
    assert ("self.count = one + two", "pass") in changes
    assert not any("2" in old for old, _ in changes), "defaults and annotations are left alone"
    for mutant in mutants_of(SOURCE):
        assert SOURCE[mutant.start : mutant.end].decode() == mutant.old
        compile(applied(SOURCE, mutant), "mutant", "exec")


@pytest.mark.parametrize("passes", [False, True])
def test_a_mutant_is_what_the_tests_import(passes: bool) -> None:
    path = ROOT / "core/delivery/histogram.py"
    source = path.read_bytes()
    mutant = next(m for m in mutants_of(source) if m.old.startswith("return ") and m.new == "return None")
    if passes:
        mutant = Mutant(mutant.line, mutant.start, mutant.end, mutant.old, mutant.old)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "mutants.plugin",
            "-p",
            "no:cacheprovider",
            "tests/unit/delivery/test_histogram.py",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            MUTANT: json.dumps({"path": str(path), **asdict(mutant)}),
            "PYTHONPATH": str(ROOT / "tests"),
        },
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) is passes, done.stdout.decode()
