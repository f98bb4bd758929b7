"""The source distribution and the wheel of this tree, built once for all tests that look into them."""

import fcntl
import os
from pathlib import Path

import pytest

from distribution.build import build


def built(factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Both, in a folder that all processes of this run of the tests share: whoever comes first builds."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            begun = factory.mktemp("build")
            build(begun)
            begun.rename(folder / "built")
    (sdist,), (wheel,) = (folder / "built").glob("*.tar.gz"), (folder / "built").glob("*.whl")
    return sdist, wheel
