"""``make compat``: the wheel in fresh environments, as strangers install it from an index.

- on Python 3.11 with no extra, and with each extra alone;
- on each newer Python that this machine has, with ``[all]``;
- on Python 3.11 with the oldest version of every dependency that pyproject.toml allows.

What each must do is in ``smoke.py``. It asks the index, and takes minutes; what is downloaded is kept by uv.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from distribution.build import build
from support.tree import ROOT

FOLDER = ROOT / ".build" / "compat"
SMOKE = Path(__file__).with_name("smoke.py")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = sorted(set(PROJECT["optional-dependencies"]) - {"all"})
_OLDEST = (3, 11)
_NEWEST = (3, 16)


@dataclass(frozen=True)
class Case:
    """One environment."""

    python: str
    extras: tuple[str, ...] = ()
    oldest: bool = False

    def __str__(self) -> str:
        what = "[all]" if list(self.extras) == EXTRAS else f"[{','.join(self.extras)}]" if self.extras else ""
        return (
            f"{Path(self.python).name}: logweir{what}{' with the oldest dependencies' if self.oldest else ''}"
        )


def lower_bounds() -> str:
    """A file of constraints: every dependency at the least version that is allowed."""
    texts = [
        *PROJECT["dependencies"],
        *(each for extra in EXTRAS for each in PROJECT["optional-dependencies"][extra]),
    ]
    bounds: dict[str, str] = {}
    for requirement in map(Requirement, texts):
        least = [each.version for each in requirement.specifier if each.operator == ">="]
        if not least:
            raise ValueError(
                f"{requirement} of pyproject.toml has no lower bound; write the oldest version that works"
            )
        bounds[requirement.name] = least[0]
    return "".join(f"{name}=={version}\n" for name, version in sorted(bounds.items()))


def interpreters() -> dict[tuple[int, int], str]:
    """By version: each Python that is new enough, on the path or of pyenv."""
    found: dict[tuple[int, int], str] = {}
    for minor in range(_OLDEST[1], _NEWEST[1]):
        name = f"python3.{minor}"
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
        known = [shutil.which(name), *map(str, sorted(root.glob(f"3.{minor}.*/bin/{name}")))]
        for path in filter(None, known):
            # A shim of pyenv's answers only for versions that are chosen.
            if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
                found.setdefault((3, minor), path)
    return found


def cases() -> Iterator[Case]:
    """All environments."""
    known = interpreters()
    for version, python in known.items():
        yield Case(python, tuple(EXTRAS))
        if version == _OLDEST:
            yield Case(python, tuple(EXTRAS), oldest=True)
            yield Case(python)
            yield from (Case(python, (extra,)) for extra in EXTRAS)


def attempt(case: Case, wheel: Path) -> str | None:
    """Install into a fresh environment and try it; what went wrong, or None."""
    environment = FOLDER / "venv"
    shutil.rmtree(environment, ignore_errors=True)
    uv = [sys.executable, "-m", "uv"]
    python = environment / "bin" / "python"
    target = f"{wheel}[{','.join(case.extras)}]" if case.extras else str(wheel)
    constraints = FOLDER / "oldest.txt"
    constraints.write_text(lower_bounds())
    oldest = ["--constraint", str(constraints)] if case.oldest else []
    for command in (
        [*uv, "venv", "--quiet", "--python", case.python, str(environment)],
        [*uv, "pip", "install", "--quiet", "--python", str(python), *oldest, target],
        [str(python), "-I", "-W", "error::DeprecationWarning:logweir", str(SMOKE), "--whole", *case.extras],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        if done.returncode != 0:
            return f"{command[0]} {' '.join(command[1:4])} …\n{done.stdout}{done.stderr}"
    return None


def main() -> None:
    """Try all, or those whose name holds a text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of what is printed of an environment")
    only = parser.parse_args().only
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("logweir-*"):
        old.unlink()
    _, wheel = build(FOLDER)
    failed = 0
    for case in cases():
        if only in str(case):
            problem = attempt(case, wheel)
            sys.stdout.write(f"{'ok    ' if problem is None else 'FAILED'} {case}\n{problem or ''}")
            sys.stdout.flush()
            failed += problem is not None
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
