"""Who may read the files that a sink makes: exactly its ``mode``, whatever the umask of the process is."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from logweir.diagnostics import report

__all__ = ["hand_on", "make_folder", "open_file"]

_GROUP = 0o070


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder that those who may read a file of this mode may enter; one that is there stays as it is.

    Raises:
        OSError: It cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(mode | (mode & 0o444) >> 2)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def open_file(path: Path, mode: int, like: os.stat_result | None = None) -> int:
    """Open a file to append and read; if it is not there, make it.

    Args:
        path: The file.
        mode: The permissions of a new one.
        like: The file whose place a new one takes: it gets the mode, owner and group of that one instead.

    Returns:
        A descriptor.

    Raises:
        OSError: It can neither be opened nor made.
    """
    flags = os.O_APPEND | os.O_RDWR | os.O_CLOEXEC
    while True:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            if path.is_symlink():  # one that leads nowhere yet, which O_EXCL would refuse
                path = path.resolve()
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue  # another process was faster
        try:
            _set(descriptor, path, mode, like)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def hand_on(descriptor: int, path: Path, like: os.stat_result) -> None:
    """Give an open file the mode, owner and group of another one.

    Raises:
        OSError: Its mode cannot be set.
    """
    _set(descriptor, path, like.st_mode & 0o777, like)


def _set(descriptor: int, path: Path, mode: int, like: os.stat_result | None) -> None:
    if like is not None:
        mode = like.st_mode & 0o777
        if not _given(descriptor, like):
            # The bits of the group were meant for the old one, and would open the file to ours.
            mode &= ~_GROUP
            report(f"{path}.group", "%s could not get the group %d of the file before it", path, like.st_gid)
    os.fchmod(descriptor, mode)


def _given(descriptor: int, like: os.stat_result) -> bool:
    """Give a file the owner of another, where we may, and its group; False if that was not possible."""
    ours = os.fstat(descriptor)
    for owner in (like.st_uid, -1):
        if (owner in {-1, ours.st_uid}) and like.st_gid == ours.st_gid:
            return True
        try:
            os.fchown(descriptor, owner, like.st_gid)
        except PermissionError:
            continue
        return True
    return False
