"""Another user for a while, for tests of who may read and write what."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

__all__ = ["mode_of", "nobody", "public_folder", "umask"]

_NOBODY = 65534


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights in this block, if the tests run as root; another user is one already."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        rmtree(folder)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """The bits that new files do not get, in this block."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(path: Path) -> str:
    """The permission bits, such as ``0600``."""
    return f"{path.stat().st_mode & 0o777:04o}"
