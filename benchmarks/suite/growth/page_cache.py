"""What the operating system keeps of files in memory: how much that is, and how to have it forget it.

Neither needs root: whoever may read a file may give advice about it. Pages that a process has mapped, or that
are not yet written, stay; so what is dropped is first written, and a server is first started again.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["can_drop", "drop", "files_below", "resident"]

_MAP_SHARED = 1
_FAILED = ctypes.c_void_p(-1).value


def can_drop() -> bool:
    """Whether this system takes such advice."""
    return hasattr(os, "posix_fadvise")


def files_below(folder: Path) -> Iterator[Path]:
    """The regular files of a folder, at any depth."""
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory, name)
            if path.is_file() and not path.is_symlink():
                yield path


def drop(paths: Iterable[Path]) -> None:
    """Have the system write these files, and forget what it keeps of them; what is gone is passed over."""
    for path in paths:
        with suppress(FileNotFoundError), path.open("rb") as file:
            os.fdatasync(file.fileno())  # a page that is not yet written cannot be forgotten
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident(paths: Iterable[Path]) -> int | None:
    """Bytes of these files that are in memory; None where the system does not say."""
    total = 0
    for path in paths:
        try:
            with path.open("rb") as file:
                total += _resident(file.fileno(), os.fstat(file.fileno()).st_size)
        except FileNotFoundError:
            continue
        except (OSError, AttributeError):
            return None
    return total


def _resident(descriptor: int, size: int) -> int:
    """By ``mincore``, which sees what is in memory without bringing it there."""
    if not size:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    start = libc.mmap(None, size, mmap.PROT_READ, _MAP_SHARED, descriptor, 0)
    if start in {None, _FAILED}:
        raise OSError(ctypes.get_errno(), "mmap")
    try:
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        if libc.mincore(start, size, pages):
            raise OSError(ctypes.get_errno(), "mincore")
        return sum(page & 1 for page in pages.raw) * mmap.PAGESIZE
    finally:
        libc.munmap(start, size)
