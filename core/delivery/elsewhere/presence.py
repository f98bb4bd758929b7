"""The presence of a worker: one for each sink and directory of queues, and for how long there was none."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from logweir.delivery.elsewhere.places import worker_path

__all__ = ["UNATTENDED_AFTER", "Presence", "command_for", "is_attended", "unattended_for"]

#: Seconds without a sign of life of a worker after which it is reported.
UNATTENDED_AFTER = 60.0
#: Seconds after a sign of life within which a worker is taken to live.
_LIVES = 10.0


class Presence:
    """That this process is the worker of a sink.

    Args:
        directory: The directory of the queues.
        sink: The sink's name.
    """

    def __init__(self, directory: Path, sink: str) -> None:
        self._path = worker_path(directory, sink)
        self._descriptor = -1

    def claim(self) -> bool:
        """Become the worker of the sink; False while another process is.

        Raises:
            OSError: The directory cannot be written.
        """
        if self._descriptor >= 0:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Of the open file and not of the process, as lockf would: a reload opens it twice in one process.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        return True

    def show(self) -> None:
        """Give a sign of life."""
        if self._descriptor >= 0:
            os.utime(self._descriptor)

    def end(self) -> None:
        """Let another process be the worker. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_attended(directory: Path, sink: str) -> bool:
    """Whether a worker delivers to a sink from this directory."""
    with suppress(OSError):
        return time.time() - worker_path(directory, sink).stat().st_mtime < _LIVES
    return False


def unattended_for(directory: Path, sink: str) -> float:
    """For how many seconds no worker of a sink has given a sign of life; 0 while nothing was ever put."""
    since = None
    try:
        since = worker_path(directory, sink).stat().st_mtime
    except FileNotFoundError:
        with suppress(OSError, ValueError):  # never: since there has been anything to deliver
            since = min(path.stat().st_mtime for path in directory.glob("*.lock"))
    return 0.0 if since is None else max(0.0, time.time() - since)


def command_for(sink: str, *, forwards: bool) -> str:
    """What to type where nobody delivers, or forwards, what waits for a sink."""
    return f"`logweir worker {'--forward ' if forwards else ''}--sink {sink}`"
