"""The locked dependencies: those of the demo are a small part of all, at the same versions."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(name: str) -> dict[str, str]:
    """By package: its version and hashes, as pip reads them."""
    text = (ROOT / name).read_text()
    return {block.partition("==")[0]: block for block in re.split(r"\n(?=\w)", text.strip())}


def test_the_demo_needs_a_small_part_of_what_the_tests_need() -> None:
    of_demo, of_all = locked("requirements-demo.lock"), locked("requirements.lock")
    assert of_demo.items() <= of_all.items(), "type: make lock"
    assert len(of_demo) * 4 < len(of_all)


def test_the_demo_has_what_logweir_and_its_extra_ask_for() -> None:
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["demo"], "setuptools"]
    assert {canonicalize_name(Requirement(text).name) for text in needed} <= locked(
        "requirements-demo.lock"
    ).keys()


def test_no_lock_names_an_index() -> None:
    for name in ("requirements.lock", "requirements-demo.lock"):
        assert "://" not in (ROOT / name).read_text()
        assert "--index-url" not in (ROOT / name).read_text()
