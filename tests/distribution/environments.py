"""Fresh virtual environments out of what is installed here, for tests that ask no index.

An environment has logweir out of its wheel, the distributions that the wheel's metadata name for some extras, what
these need in turn, and nothing else: neither pip nor anything of the tests.
"""

import compileall
import subprocess
import sys
import venv
from collections.abc import Collection, Iterable
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution, distribution
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def unpacked(wheel: Path, folder: Path) -> Path:
    """A wheel as it lies in an environment, with its bytecode."""
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    compileall.compile_dir(folder, quiet=2)
    return folder


def environment(folder: Path, installed: Path, extras: Collection[str]) -> Path:
    """Make one; returns its Python.

    Args:
        folder: Where.
        installed: The wheel, unpacked.
        extras: Which of its extras are installed too.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python3.*/site-packages")
    for entry in installed.iterdir():
        (site / entry.name).symlink_to(entry)
    (information,) = installed.glob("*.dist-info")
    for found in _needed(PathDistribution(information), frozenset(extras)).values():
        _link(found, site)
    return folder / "bin" / "python"


def try_out(python: Path, smoke: Path, *arguments: str) -> str | None:
    """Run a program in an environment, apart from ours; what it said if it failed."""
    command = [str(python), "-I", str(smoke), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else None


def _needed(root: Distribution, extras: frozenset[str]) -> dict[str, Distribution]:
    """By name: every distribution that one needs, directly or in turn."""
    found: dict[str, Distribution] = {}
    waiting = [(root, extras)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        each, wanted = waiting.pop()
        for requirement in _requirements(each, wanted):
            name = canonicalize_name(requirement.name)
            part = (name, frozenset(requirement.extras))
            if part not in seen:
                seen.add(part)
                found[name] = _distribution(name)
                waiting.append((found[name], part[1]))
    return found


def _requirements(of: Distribution, extras: frozenset[str]) -> Iterable[Requirement]:
    for text in of.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield requirement


@cache
def _distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        sys.exit(f"{name} is needed by the wheel and not installed here; type: make lock")


def _link(found: Distribution, site: Path) -> None:
    for file in found.files or ():
        if ".." not in file.parts:  # a script
            target = site / file
            source = Path(str(found.locate_file(file)))
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.exists() and not target.exists():
                target.symlink_to(source)
