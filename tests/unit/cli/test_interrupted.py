"""Ctrl-C while the command line is still being imported."""

import subprocess
import sys

import pytest

INTERRUPTED_AT = """
import sys

class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Impatient())
sys.argv = ["logweir", "explain", "x"]
from logweir.__main__ import main
main()
"""


@pytest.mark.parametrize("name", ["logweir.cli.app", "typer", "rich", "logweir.cli.explain", "pydantic"])
def test_ctrl_c_during_imports_ends_quietly(name: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED_AT.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "logweir", "explain", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Usage: python -m logweir explain" in done.stdout
