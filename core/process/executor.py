"""The executor of the delivery loop: it works until the last moment of the process.

The executors of the standard library end with the main thread: from then on they refuse work, though
threads of the application may log for hours. Blocking work of the loop (files, SQLite, names of hosts) must
go on until the last drain.

A call that hangs keeps its thread, and a sink whose server hangs makes such a call at every try. So each sink
has threads of its own here, and so has the delivery (:func:`threads_of`): whoever uses up theirs holds up
nobody else.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

from logweir.process.delivering import delivering

__all__ = ["DELIVERY", "LoopExecutor", "threads_of"]

P = ParamSpec("P")
T = TypeVar("T")

#: As many as asyncio's own executor has on a small machine; of each owner.
_MOST_THREADS = 8


class _Owner:
    """An owner of threads that is no sink."""


#: The owner of the threads in which the delivery itself works.
DELIVERY = _Owner()
_NOBODY = _Owner()
_owner: ContextVar[object] = ContextVar("logweir_threads_of", default=_NOBODY)


@contextmanager
def threads_of(owner: object) -> Iterator[None]:
    """Let what is submitted inside, and by tasks that begin inside, run in the threads of this owner.

    They end when it is gone, as a sink is after a reload has replaced it; those of an object that no weak
    reference can name end with the loop.
    """
    token = _owner.set(owner)
    try:
        yield
    finally:
        with suppress(ValueError):  # the collector closes a coroutine, in a context of another one
            _owner.reset(token)


class LoopExecutor(ThreadPoolExecutor):
    """Daemonic threads for one event loop, which alone submits; a ThreadPoolExecutor only by its type.

    Where the interpreter gives no thread any more, those that run do the work, and without any the caller.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # asyncio accepts no other class; nothing of it is used
        # By the owner's id(): a sink of somebody else's may be equal to another one, or have no hash.
        self._by_owner: dict[int, _Threads] = {}
        # Those that are gone. The collector says so in the middle of anything, and leaves the rest to us.
        self._gone: deque[int] = deque()
        # Those of which nothing says when they are gone.
        self._kept: list[object] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread."""
        future: Future[T] = Future()

        def call() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = fn(*args, **kwargs)
                except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits it
                    future.set_exception(error)
                else:
                    future.set_result(result)

        for threads in (self._threads_of(_owner.get()), *self._by_owner.values()):
            if threads.take(call):
                return future
        call()
        return future

    def _threads_of(self, owner: object) -> _Threads:
        while self._gone:
            self._by_owner.pop(self._gone.popleft()).end()
        number = id(owner)
        if number not in self._by_owner:
            self._by_owner[number] = _Threads()
            try:
                weakref.finalize(owner, self._gone.append, number).atexit = False
            except TypeError:  # an object with __slots__
                self._kept.append(owner)  # or another one may come to have its id()
        return self._by_owner[number]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end when they have done what they were given; waits for none."""
        for threads in self._by_owner.values():
            threads.end()


class _Threads:
    """The threads of one owner, started as they are needed."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # A token for each thread that waits for work; without a lock, for only the loop takes them out.
        self._free: deque[None] = deque()
        self._count = 0

    def take(self, call: Callable[[], None]) -> bool:
        """Run it in a thread, as soon as one is free; False if there is none at all."""
        if not self._has_thread():
            return False
        self._calls.put(call)
        return True

    def end(self) -> None:
        """Let them end when they have done what they were given."""
        for _ in range(self._count):
            self._calls.put(None)

    def _has_thread(self) -> bool:
        """Start a thread if none is free; whether there is one at all."""
        try:
            self._free.pop()
        except IndexError:
            if self._count < _MOST_THREADS:
                try:
                    threading.Thread(target=self._serve, name="logweir-work", daemon=True).start()
                except RuntimeError:  # the interpreter is on its way out, or threads ran out
                    return self._count > 0
                self._count += 1
        return True

    def _serve(self) -> None:
        with delivering():
            while (call := self._calls.get()) is not None:
                call()
                del call  # or what it holds would live until the next one
                self._free.append(None)
