"""The wheel in fresh environments: with no extra, and with each extra alone; nothing else is installed in them."""

import tomllib
from pathlib import Path

import pytest

from distribution import smoke
from distribution.environments import environment, try_out, unpacked
from support import builds
from support.tree import ROOT

pytestmark = pytest.mark.slow

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SMOKE = Path(smoke.__file__)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    _, wheel = builds.built(tmp_path_factory)
    return unpacked(wheel, tmp_path_factory.mktemp("site"))


def test_each_extra_is_tried() -> None:
    tried = {*smoke.SINKS, *smoke.MODULES, *smoke.COMMANDS, *smoke.IMPORTS}
    assert tried == set(EXTRAS) - {"all"}


def test_with_no_extra_all_works_that_needs_none_and_the_rest_names_its_extra(
    installed: Path, tmp_path: Path
) -> None:
    problem = try_out(environment(tmp_path / "venv", installed, ()), SMOKE)
    assert problem is None, problem


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"all"}))
def test_an_extra_alone_brings_what_it_needs(extra: str, installed: Path, tmp_path: Path) -> None:
    problem = try_out(environment(tmp_path / "venv", installed, {extra}), SMOKE, extra)
    assert problem is None, problem


def test_an_extra_that_lacks_something_is_found_out(installed: Path, tmp_path: Path) -> None:
    problem = try_out(environment(tmp_path / "venv", installed, {"http"}), SMOKE, "loki")
    assert problem is not None
    assert "loki is asked" in problem
