"""The wheel: it holds every module and data file of the tree and nothing else, and says of itself what pyproject says."""

import configparser
import os
import tarfile
import tomllib
from email import message_from_string
from email.message import Message
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import logweir
from distribution.build import build, checksums
from support import builds
from support.tree import ROOT, tracked

TREE = tracked()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
#: Folders of the tree to packages, as ``core`` to ``logweir``.
PACKAGES = {folder: name for name, folder in PYPROJECT["tool"]["setuptools"]["package-dir"].items()}
#: Whose other files are for readers of the repository, not for those of the package.
CODE_ALONE = {"examples"}

#: Below these lie distributions of their own, such as the example of a custom sink, and programs in no package.
OTHERS = {
    path.parent
    for path in TREE
    if path.name == "pyproject.toml" or (path.parts[0] == "examples" and path.name == "routing.yaml")
} - {PurePosixPath()}


def ours() -> list[PurePosixPath]:
    """The files that the wheel must hold, where they lie in the tree."""
    return [
        path
        for path in TREE
        if path.parts[0] in PACKAGES
        and OTHERS.isdisjoint(path.parents)
        and (path.suffix == ".py" or path.parts[0] not in CODE_ALONE)
    ]


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution and the wheel, built with no network."""
    return builds.built(tmp_path_factory)


@pytest.fixture(scope="module")
def wheel(built: tuple[Path, Path]) -> ZipFile:
    return ZipFile(built[1])


def read(wheel: ZipFile, name: str) -> str:
    return wheel.read(f"logweir-{PROJECT['version']}.dist-info/{name}").decode()


@pytest.fixture(scope="module")
def metadata(wheel: ZipFile) -> Message:
    return message_from_string(read(wheel, "METADATA"))


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: ZipFile) -> None:
    expected = {"/".join([*PACKAGES[path.parts[0]].split("."), *path.parts[1:]]) for path in ours()}
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert sorted(expected - found) == [], "not in the wheel: [tool.setuptools] of pyproject.toml lacks them"
    assert sorted(found - expected) == [], "in the wheel, and not in the tree's packages"
    assert {".typed", ".yaml", ".j2"} <= {PurePosixPath(name).suffix for name in found}


def test_every_package_of_the_tree_has_a_name_in_the_wheel() -> None:
    packages = {path.parts[0] for path in TREE if path.name == "__init__.py" and len(path.parts) == 2}
    assert packages == set(PACKAGES), "name the folder in [tool.setuptools.package-dir] of pyproject.toml"


def test_the_metadata_are_those_of_pyproject(metadata: Message) -> None:
    assert metadata["Name"] == PROJECT["name"]
    assert metadata["Version"] == PROJECT["version"] == logweir.__version__
    assert metadata["Summary"] == PROJECT["description"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["License-Expression"] == PROJECT["license"]
    assert metadata.get_payload() == (ROOT / "README.md").read_text()


def test_the_wheel_has_the_extras_of_pyproject_and_needs_what_they_say(metadata: Message) -> None:
    extras = PROJECT["optional-dependencies"]
    assert sorted(metadata.get_all("Provides-Extra", [])) == sorted(extras)
    needed = {Requirement(text) for text in PROJECT["dependencies"]}
    needed |= {Requirement(f"{text}; extra == '{extra}'") for extra in extras for text in extras[extra]}
    assert {Requirement(text) for text in metadata.get_all("Requires-Dist", [])} == needed
    (everything,) = extras["all"]
    assert Requirement(everything).extras == set(extras) - {"all"}


def test_the_wheel_brings_the_command_and_the_pytest_plugin(wheel: ZipFile) -> None:
    found = configparser.ConfigParser()
    found.read_string(read(wheel, "entry_points.txt"))
    assert {name: dict(found[name]) for name in found.sections()} == {
        "console_scripts": {"logweir": "logweir.__main__:main"},
        "pytest11": {"logweir": "logweir.testing.plugin"},
    }
    for target in ("logweir.__main__", "logweir.testing.plugin"):
        assert f"{target.replace('.', '/')}.py" in wheel.namelist()


def test_the_source_distribution_holds_what_git_knows(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        found = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}
    made = {
        name for name in found if name in {"PKG-INFO", "setup.cfg"} or name.startswith("logweir.egg-info/")
    }
    assert found - made == set(map(str, TREE)), "see MANIFEST.in"


@pytest.mark.slow
def test_the_same_tree_becomes_the_same_bytes(
    built: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    before = os.umask(0o077)
    try:
        again = build(tmp_path)
    finally:
        os.umask(before)
    assert checksums(*again) == checksums(*built)
