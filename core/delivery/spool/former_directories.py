"""Former directories: where queues were kept before a reload changed ``data_dir``.

What waits there comes along, and may need time: the disk is full, or a process that has not reloaded yet owns
its file. So each is noted beside the queue files, for whoever looks after them later, after a crash too:
a small file names the directory, and is removed when no queue is left there. Its own name is a hash of what
it holds, so that half of one, which a machine left that lost its power, names nothing.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from logweir.delivery.spool.ownership import sync_directory

__all__ = ["forget", "note", "noted"]

_SUFFIX = ".former"


def note(directory: Path, former: Path) -> None:
    """Note in a directory of queues that another one may hold queue files; durable when it returns.

    Raises:
        OSError: It cannot be written.
    """
    path = _place(directory, former)
    if former == directory or _named_by(path) is not None:
        return
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Not truncated: whoever notes the same at the same time writes the same.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.fsencode(former.absolute()))
        file.flush()
        os.fsync(file.fileno())
    sync_directory(directory)


def noted(directory: Path) -> set[Path]:
    """Return the directories that are noted here."""
    return {former for path in directory.glob(f"*{_SUFFIX}") if (former := _named_by(path)) is not None}


def _named_by(path: Path) -> Path | None:
    """The directory that a note names; None if it is not there, or not whole."""
    try:
        former = Path(os.fsdecode(path.read_bytes()))
    except OSError:  # another process was faster
        return None
    return former if _place(path.parent, former) == path else None


def forget(directory: Path, former: Path) -> None:
    """Remove a note, if it is there."""
    _place(directory, former).unlink(missing_ok=True)


def _place(directory: Path, former: Path) -> Path:
    name = sha256(os.fsencode(former.absolute())).hexdigest()[:16]
    return directory / f"{name}{_SUFFIX}"
