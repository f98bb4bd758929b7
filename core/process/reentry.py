"""Calls that interrupt their own thread: a signal handler or a finaliser that logs in the middle of anything.

A re-entrant lock keeps such a call from waiting for itself, and lets it see what is half done. So it does not
touch that: it leaves its work here, and the thread's next visitor, or any other's, does it under the lock
before its own. What was logged first by a thread stays first, for nothing of that thread overtakes it.

Nor does it wait for another thread. That one may have been interrupted too, and may want what is held here:
each would wait for the other for ever. So a call that finds its thread inside any lock of the delivery
(:func:`registered`) leaves what it cannot do at once. Locks that are not known here, such as those of the
handlers of ``logging``, can close such a circle too: no put waits for a lock longer than :data:`PATIENCE`.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from logweir.diagnostics import report
from logweir.process import fork
from logweir.process.fork import Stage

__all__ = ["PATIENCE", "Deferred", "holds_registered", "is_held_here", "registered"]

#: The longest that a put waits for who is at work in a queue, in seconds; that work takes microseconds.
PATIENCE = 0.25

# The locks of the delivery, by their id(); of this process, for a fork's child makes its own.
_registered: dict[int, weakref.ref[threading.RLock]] = {}


def registered(lock: threading.RLock) -> threading.RLock:
    """Register a lock that the delivery needs, for as long as it exists; returns it."""
    number, locks = id(lock), _registered
    locks[number] = weakref.ref(lock, lambda _lock: locks.pop(number, None))
    return lock


def holds_registered(*, but: threading.RLock | None = None) -> bool:
    """Whether the calling thread is inside any lock of the delivery, not counting one that it has just taken.

    Where this is asked for a log call, the call has interrupted its own thread there.
    """
    while True:
        with suppress(RuntimeError):  # another thread has just made a lock
            for reference in list(_registered.values()):
                lock = reference()
                # Not by `is_held_here`: calls that wait for an answer ask this of all locks.
                if lock is not None and lock is not but and lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001
                    return True
            return False


def is_held_here(lock: threading.RLock) -> Callable[[], bool]:
    """Return the question whether the calling thread holds a lock; it costs less than taking one."""
    held: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined]  # noqa: SLF001 - Condition asks it too
    return held


class Deferred:
    """The work of calls that came from inside a lock of their own thread, or must not wait for it.

    ``with deferred as entered:`` takes the lock for a put, unless the thread must not wait for who is inside,
    or has waited for long; then the put leaves its work.

    Args:
        lock: Held while the work is done.
        inside: Whether the calling thread is in the middle of what the work would change; by default,
            whether it holds the lock.

    Attributes:
        work: What was left; a hot path asks it whether there is any.
        take: Acquires the lock, as ``threading.RLock.acquire``; with ``False``, only if it is free.
        release: Releases it.
        is_held: Whether the calling thread has it.
    """

    __slots__ = ("_lock", "inside", "is_held", "release", "take", "work")

    def __init__(self, lock: threading.RLock, inside: Callable[[], bool] | None = None) -> None:
        self._lock = lock
        self.take, self.release, self.is_held = lock.acquire, lock.release, is_held_here(lock)
        self.work: deque[Callable[[], object]] = deque()
        self.inside = inside or self.is_held

    def wait(self) -> bool:
        """Take the lock for a put that has found it taken; whether it has it now."""
        return not holds_registered() and self.take(True, PATIENCE)

    def __enter__(self) -> bool:
        outer = self.is_held()
        try:
            return self.take(False) or self.wait()
        except BaseException:  # a signal's handler raised behind the answer
            if self.is_held() and not outer:
                self.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_held():
            self.release()

    def add(self, work: Callable[[], object]) -> None:
        """Leave work to whoever comes next."""
        self.work.append(work)

    def take_back(self, work: Callable[[], object]) -> bool:
        """Take back what was left; False if somebody has begun it."""
        try:
            self.work.remove(work)
        except ValueError:
            return False
        return True

    def run(self, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Do what was left, in its order; nothing while the caller is inside itself.

        Args:
            unless: Asked under the lock, whether nothing may be done: where nobody would find it any more.
        """
        if not self.work or self.inside():
            return
        with self._lock:
            if not unless():
                self.run_inside()

    def catch_up(self) -> bool:
        """Do what was left before a put that has the lock; False where it is not for this thread to do."""
        # It may want other locks, which a call that interrupted its thread must not wait for.
        if self.work:
            if holds_registered(but=self._lock):
                return False
            self.run_inside()
        return True

    def run_inside(self) -> None:
        """Do what was left, in its order, under the lock that the caller has taken."""
        # What interrupts this adds to the same line, and is done in its turn.
        while self.work:
            work = self.work.popleft()
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a defect in one must not keep back the others
                report("reentry", "an event that was logged inside a log call failed: %r", error)


fork.register(Stage.REGISTERED_LOCKS, in_child=_registered.clear)
