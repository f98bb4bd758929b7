"""Calls that interrupt their own thread: a signal handler or a finaliser that logs in the middle of anything.

A re-entrant lock keeps such a call from waiting for itself, and lets it see what is half done. So it does not
touch that: it leaves its work here, and the thread's next visitor, or any other's, does it under the lock
before its own. What was logged first by a thread stays first, for nothing of that thread overtakes it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from logweir.diagnostics import report

__all__ = ["Deferred", "is_held_here"]


def is_held_here(lock: threading.RLock) -> Callable[[], bool]:
    """Return the question whether the calling thread holds a lock; it costs less than taking one."""
    held: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined]  # noqa: SLF001 - Condition asks it too
    return held


class Deferred:
    """The work of calls that came from inside a lock of their own thread.

    Args:
        lock: Held while the work is done.
        inside: Whether the calling thread is in the middle of what the work would change; by default,
            whether it holds the lock.

    Attributes:
        work: What was left; a hot path asks it whether there is any.
    """

    __slots__ = ("_lock", "inside", "work")

    def __init__(self, lock: threading.RLock, inside: Callable[[], bool] | None = None) -> None:
        self._lock = lock
        self.work: deque[Callable[[], object]] = deque()
        self.inside = inside or is_held_here(lock)

    def add(self, work: Callable[[], object]) -> None:
        """Leave work to whoever calls :meth:`run` next."""
        self.work.append(work)

    def run(self) -> None:
        """Do what was left, in its order; nothing while the caller is inside itself."""
        if not self.work or self.inside():
            return
        with self._lock:
            # What interrupts this adds to the same line, and is done in its turn.
            while self.work:
                work = self.work.popleft()
                try:
                    work()
                except Exception as error:  # noqa: BLE001 - a defect in one must not keep back the others
                    report("reentry", "an event that was logged inside a log call failed: %r", error)
