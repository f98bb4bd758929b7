"""The page on the architecture is true: its rooms, their floors, and every path that it names."""

import re
import tomllib
from pathlib import Path

import pytest

from support.pictures.rooms import FLOORS
from support.pictures.stations import STATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/architecture.md").read_text()
TOP = ("core", "sinks", "benchmarks", "tests", "docs", "examples")
#: A path of the repository.
PATH = re.compile(rf"(?<![\w/.])(?:{'|'.join(TOP)})/[\w./-]*[\w/]|(?<![\w/.])pyproject\.toml")


def floors_of_the_contract() -> list[tuple[set[str], bool]]:
    """The rooms of each layer, from the top, and whether they are independent of each other."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [
        ({room.strip().removeprefix("logweir.") for room in re.split(r"[:|]", layer)}, "|" in layer)
        for layer in layers
    ]


def packages(folder: str) -> set[str]:
    return {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}


def test_the_drawing_has_the_floors_of_the_import_contract_and_their_rooms() -> None:
    assert [(set(floor.rooms), floor.independent) for floor in FLOORS] == floors_of_the_contract()


def test_every_room_is_drawn_and_has_its_section() -> None:
    drawn = set().union(*(rooms for rooms, _ in floors_of_the_contract()))
    sections = set(re.findall(r"^### core/(\w+)$", PAGE, re.MULTILINE))
    assert sections == packages("core")
    assert packages("core") <= drawn
    at_the_root = {path.stem for path in (ROOT / "core").glob("*.py")} - {"__init__"}
    assert drawn - packages("core") == at_the_root | {"sinks", "benchmarks", "examples"}


def test_every_room_of_the_sinks_is_named() -> None:
    missing = {f"`sinks/{name}/`" for name in packages("sinks") if f"`sinks/{name}/`" not in PAGE}
    assert not missing


def test_each_step_of_an_events_way_names_its_file() -> None:
    wrong = {name: station.path for name, station in STATIONS.items() if not (ROOT / station.path).is_file()}
    assert not wrong


@pytest.mark.parametrize("page", ["docs/explanation/architecture.md", "CONTRIBUTING.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    """A path that a worked example makes is marked as `path` (new), and then must not exist."""
    text = (ROOT / page).read_text()
    new = set(re.findall(rf"({PATH.pattern})`? \(new\)", text))
    named = set(PATH.findall(text))
    assert len(named) > 10
    assert {path for path in named - new if not (ROOT / path).exists()} == set(), "named, and not there"
    assert {path for path in new if (ROOT / path).exists()} == set(), "called new, and there already"
