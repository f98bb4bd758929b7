"""The hooks for git and ``make check`` are the same checks."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_the_hooks_make_what_make_check_makes() -> None:
    found = re.search(r"^check: ([\w -]+?) *##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [f"make {target}" for target in found[1].split()]
