"""The worked examples of CONTRIBUTING hold: applied to a copy of the repository, the tests that they name pass."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.programs import PYTEST
from support.tree import ROOT, copy_tree, use_bytecode

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
#: From its heading to the next.
EXAMPLES = dict(re.findall(r"^### …(?:a|an) (.*?)\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE))
BLOCK = re.compile(r"^```(python|diff)\n# (\S+)(?: \(new\))?\n(.*?)^```", re.DOTALL | re.MULTILINE)


def changed(text: str, diff: str) -> str:
    """The text after a block of lines that stay, come and go."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, f"not there, or not once:\n{before}"
    return text.replace(before, after)


def apply(example: str, root: Path) -> list[str]:
    """Change the copy as an example says; the tests that it adds to, or adds."""
    files = []
    for language, name, content in BLOCK.findall(example):
        path = root / name
        if language == "python":
            assert not path.exists()
            path.write_text(content)
        else:
            path.write_text(changed(path.read_text(), content))
        files.append(name)
    return sorted({name for name in files if name.startswith("tests/")})


def install(root: Path) -> Path:
    """The packages as pyproject.toml lays them out."""
    package = root / "installed/logweir"
    package.mkdir(parents=True)
    for path in [*(root / "core").iterdir(), *(root / name for name in ("sinks", "benchmarks", "examples"))]:
        (package / path.name).symlink_to(path)
    return package.parent


def test_there_is_an_example_of_each_part() -> None:
    assert list(EXAMPLES) == ["sink", "command", "condition of `match`", "metric", "queue"]


@pytest.mark.slow
@pytest.mark.parametrize("part", EXAMPLES)
def test_a_worked_example_works(part: str, tmp_path: Path) -> None:
    root = copy_tree(tmp_path / "copy")
    for folder in ("core", "sinks", "tests"):
        use_bytecode(ROOT / folder, root / folder)
    tests = apply(EXAMPLES[part], root)
    assert tests
    environment = {**os.environ, "PYTHONPATH": str(install(root))}
    modules = [name for _, name, _ in BLOCK.findall(EXAMPLES[part]) if name.endswith(".py")]
    # With plain assertions, of which pytest would compile another form for all of the packages; they hold or not all the same.
    for command in (
        [*PYTEST, "--assert=plain", *tests],
        [sys.executable, "-m", "ruff", "check", *modules],
        [sys.executable, "-m", "ruff", "format", "--check", *modules],
    ):
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
