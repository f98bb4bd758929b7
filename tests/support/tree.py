"""The files of the repository, and copies of them to build from."""

import shutil
import subprocess
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]


@cache
def tracked() -> tuple[PurePosixPath, ...]:
    """The files that git knows, or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(PurePosixPath(name) for name in names if name and (ROOT / name).is_file())


def copy_tree(to: Path) -> Path:
    """Copy them as they are now, without what was built or cached beside them."""
    for path in tracked():
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, to / path)
    return to


def use_bytecode(source: Path, copy: Path) -> None:
    """Let the copy of a folder have what Python has compiled of it, which would take seconds; what is changed there is compiled anew."""
    for path in source.rglob("__pycache__/*.pyc"):
        target = copy / path.relative_to(source)
        if target.parent.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            target.symlink_to(path)  # in whose place, never through which, Python writes
