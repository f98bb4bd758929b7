"""What delivery takes from the standard library, made for simulated threads: locks, conditions, events, time.

Taking a lock and letting it go are the points at which another thread may run, so that the seed explores how
callers, the committer and the loop come in between each other. :func:`injected` puts all of this in the place of
``threading``, ``time`` and ``SimpleQueue`` in the modules of delivery; the product knows nothing of it.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from simulation.threads import SimulatedThread, Threads

__all__ = ["injected"]

#: The modules whose threads and locks are simulated. The watchdog is none: it watches in real time.
_MODULES = ("logweir.delivery.", "logweir.runtime.")
_REAL = ("logweir.delivery.watchdog",)


class _RLock:
    """``threading.RLock``; with ``reentrant=False`` it is a ``threading.Lock``."""

    def __init__(self, threads: Threads, *, reentrant: bool = True) -> None:
        self._threads = threads
        self._reentrant = reentrant
        self._owner: SimulatedThread | None = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        threads = self._threads
        if self._owner is not threads.running or not self._reentrant:
            threads.point()
            if self._owner is not None and not (
                blocking and threads.wait(lambda: self._owner is None, None if timeout < 0 else timeout)
            ):
                return False
            self._owner = threads.running
            self._owner.holding += 1
        self._count += 1
        return True

    def release(self) -> None:
        self._count -= 1
        if not self._count:
            self._give_up()
            self._threads.point()

    def locked(self) -> bool:
        return self._owner is not None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _is_owned(self) -> bool:
        return self._owner is self._threads.running

    def _give_up(self) -> int:
        """Release it however often it is held."""
        count, self._count = self._count, 0
        if self._owner is not None:
            self._owner.holding -= 1
            self._owner = None
        return count

    def _take_again(self, count: int) -> None:
        self.acquire()
        self._count = count


class _Waiter:
    is_notified = False


class _Condition:
    """``threading.Condition``."""

    def __init__(self, threads: Threads, lock: _RLock | None = None) -> None:
        self._threads = threads
        self._lock = lock or _RLock(threads)
        self._waiters: list[_Waiter] = []

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        waiter = _Waiter()
        self._waiters.append(waiter)
        count = self._lock._give_up()
        try:
            return self._threads.wait(lambda: waiter.is_notified, timeout)
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            self._lock._take_again(count)

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        deadline = None if timeout is None else self._threads.now() + timeout
        while not (result := predicate()):
            left = None if deadline is None else deadline - self._threads.now()
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        if not self._lock._is_owned():
            raise RuntimeError("cannot notify on un-acquired lock")
        for waiter in self._waiters[:n]:
            waiter.is_notified = True
        del self._waiters[:n]

    def notify_all(self) -> None:
        self.notify(len(self._waiters))


class _Event:
    """``threading.Event``."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._threads.point()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._threads.wait(self.is_set, timeout)


class _SimpleQueue:
    """``queue.SimpleQueue``."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._items: list[Any] = []
        self.waits_for_ever = False

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._threads.point()

    def get(self, timeout: float | None = None) -> Any:
        self.waits_for_ever = timeout is None
        try:
            if not self._threads.wait(lambda: bool(self._items), timeout):
                raise queue.Empty
        finally:
            self.waits_for_ever = False
        return self._items.pop(0)


class _Threading:
    """The module ``threading``, as far as delivery uses it; the rest is the real one's."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def RLock(self) -> _RLock:  # noqa: N802 - its name in threading
        return _RLock(self._threads)

    def Lock(self) -> _RLock:  # noqa: N802
        return _RLock(self._threads, reentrant=False)

    def Condition(self, lock: _RLock | None = None) -> _Condition:  # noqa: N802
        return _Condition(self._threads, lock)

    def Event(self) -> _Event:  # noqa: N802
        return _Event(self._threads)

    def Thread(self, *arguments: Any, **options: Any) -> SimulatedThread:  # noqa: N802
        return SimulatedThread(self._threads, *arguments, **options)

    def get_ident(self) -> int:
        return self._threads.running.ident

    def main_thread(self) -> SimulatedThread:
        """The loop's, which commits for nobody."""
        return self._threads.loop_thread

    def current_thread(self) -> SimulatedThread:
        return self._threads.running

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


class _Time:
    """The module ``time``: what is monotonic is the loop's, the time of day is the real one."""

    def __init__(self, threads: Threads) -> None:
        self.monotonic = threads.now
        self.sleep = threads.sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@contextmanager
def injected(threads: Threads) -> Iterator[None]:
    """Give delivery these threads, and their time, for the length of a block."""
    given: list[tuple[object, object]] = [
        (threading, _Threading(threads)),
        (time, _Time(threads)),
        (queue.SimpleQueue, lambda: _SimpleQueue(threads)),
    ]
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith(_MODULES) and name not in _REAL:
                for attribute, value in list(vars(module).items()):
                    for real, simulated in given:
                        if value is real:
                            stack.enter_context(patch.object(module, attribute, simulated))
        yield
