"""Closing: who stops gives a hung disk up, and waits for a slow one as long as it goes on.

A write into a disk that hangs does not return, and cannot be taken back. So a stop does its last writes in a
thread, which it leaves behind when the disk hangs after the stop's time is up: the stop then says what is not
known to be durable, and the process can end. Who stops holds no lock meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from types import TracebackType

from logweir.process.fork_gate import gate

__all__ = ["HANGS_AFTER", "AtDisk", "DiskHangs", "unless_it_hangs"]

#: A disk that takes longer for one transaction hangs, in seconds; the slow ones need some.
HANGS_AFTER = 5.0
# How often who waits looks at the clock.
_LOOK = 0.02


class DiskHangs(OSError):
    """The time is up, and the disk does not answer: what was to be written may be on it, or not."""


class AtDisk:
    """The block in which a spool uses its file; its users have the IO lock, one at a time.

    Args:
        place: Where the file is.

    Attributes:
        since: When the one who is inside came in, by the monotonic clock; None when nobody is.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.since: float | None = None

    def __enter__(self) -> None:
        gate.__enter__()
        self.since = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.since = None
        gate.__exit__(kind, error, trace)

    def hangs(self) -> bool:
        """Whether the one who is inside has been for too long."""
        since = self.since
        return since is not None and time.monotonic() - since > HANGS_AFTER


def unless_it_hangs(work: Callable[[], None], at_disk: AtDisk, deadline: float) -> None:
    """Do work at the disk, at least until the deadline, and beyond it as long as the disk goes on.

    Raises:
        DiskHangs: It does not; the work is done all the same if the disk ever answers.
    """
    done: Future[None] = Future()
    try:
        # Daemonic: the end of the process must not wait for it.
        threading.Thread(target=_do, args=(work, done), name="logweir-close", daemon=True).start()
    except RuntimeError:
        # The interpreter is on its way out and gives no threads any more: wait here for who is at the disk.
        while at_disk.since is not None:
            _give_up_in_time(at_disk, deadline)
            time.sleep(_LOOK)
        _do(work, done)
    while not wait([done], _LOOK).done:
        _give_up_in_time(at_disk, deadline)
    done.result()


def _give_up_in_time(at_disk: AtDisk, deadline: float) -> None:
    if time.monotonic() >= deadline and at_disk.hangs():
        raise DiskHangs(
            f"the disk under {at_disk.place} does not answer; what was on its way there may be on it, or not"
        )


def _do(work: Callable[[], None], done: Future[None]) -> None:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
        done.set_exception(error)
    else:
        done.set_result(None)
