"""The page on installing names every extra with what it brings, and every version of Python."""

import re
import tomllib

from packaging.requirements import Requirement

from support.code_blocks import PAGES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = (ROOT / "docs/start/install.md").read_text(encoding="utf-8")


def test_every_extra_has_its_row_with_what_it_brings() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", PAGE, re.MULTILINE))
    brought = {
        extra: ", ".join(Requirement(text).name for text in texts)
        for extra, texts in PROJECT["optional-dependencies"].items()
        if extra != "all"
    }
    assert rows == {**brought, "all": "all of these"}


def test_what_the_package_brings_by_itself_is_named() -> None:
    (sentence,) = re.findall(r"^What comes with the package itself: (.*?)\. ", PAGE, re.MULTILINE | re.DOTALL)
    named = {name.lower() for name in re.split(r",\s+|\s+and\s+", sentence)}
    assert named == {Requirement(text).name for text in PROJECT["dependencies"]}


def test_the_versions_of_python_are_those_of_the_metadata() -> None:
    (row,) = re.findall(r"^\| CPython \| (.+) \|$", PAGE, re.MULTILINE)
    assert row.split(", ") == re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))


def test_pages_ask_pip_only_for_extras_that_exist() -> None:
    """pip only warns of an extra that does not exist, and installs the package without its drivers."""
    unknown = {
        (str(page.relative_to(ROOT)), extra)
        for page in [*PAGES, *ROOT.glob("examples/**/Dockerfile"), ROOT / "CONTRIBUTING.md"]
        for extras in re.findall(r"logweir\[([a-z0-9,_-]+)\]", page.read_text(encoding="utf-8"))
        for extra in extras.split(",")
        if extra not in PROJECT["optional-dependencies"]
    }
    assert unknown == set()
