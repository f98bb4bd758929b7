"""The names of what an application and its worker share, in the directory of the queues, and its FIFOs.

FIFOs and not sockets: their paths may be long, they carry bytes without a connection, and the kernel
forgets them with the last process that has them open. Both ends are non-blocking. What is full has been
read by nobody yet, and says all that is needed: nobody waits to write.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

__all__ = ["open_fifo", "settled_path", "wake_path", "worker_path"]

#: Names up to this length stand in file names as they are.
_LONGEST = 100


def wake_path(directory: Path, sink: str) -> Path:
    """The FIFO through which applications name the files that have new rows for a sink."""
    return directory / f"{_in_file_name(sink)}.wake"


def worker_path(directory: Path, sink: str) -> Path:
    """The file that the worker of a sink locks, and touches as long as it works."""
    return directory / f"{_in_file_name(sink)}.worker"


def settled_path(database: Path, sink: str) -> Path:
    """The FIFO through which the worker of a sink reports what is settled of a spool file."""
    return database.with_name(f"{database.stem}.{_in_file_name(sink)}.settled")


def open_fifo(path: Path) -> int:
    """Make a FIFO, if there is none, and open it for both directions; returns the descriptor.

    Raises:
        OSError: It cannot be made, or is no FIFO of ours.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    # For both: who holds the other end open itself sees no end of file, and is sent no SIGPIPE, when all
    # others are gone.
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _in_file_name(sink: str) -> str:
    name = quote(sink, safe="")
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}~{sha256(sink.encode()).hexdigest()[:16]}"
