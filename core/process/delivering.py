"""Whether the caller works for the delivery: what it logs about writing would be written in turn, for ever.

It is known by where the work came from and not by any name: the delivery loop's own context, which tasks and
``asyncio.to_thread`` inherit, what is submitted from there to a thread pool (as long as it runs), and threads
that are started from there. For the last two the standard library hands on nothing, so that
:func:`follow_threads` wraps ``Thread.start`` and ``ThreadPoolExecutor.submit``.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

__all__ = [
    "delivering",
    "delivery_context",
    "follow_threads",
    "in_finaliser",
    "is_delivering",
    "is_delivery_thread",
]

_delivering: contextvars.ContextVar[bool] = contextvars.ContextVar("logweir_delivering", default=False)
#: Whether the caller works for the delivery; costs next to nothing, for every log call asks it.
is_delivering: Callable[[], bool] = _delivering.get

# The threads that work for the delivery now, with their process: a fork's child has none of its parent's.
_threads: set[tuple[int, int | None]] = set()
_DEEPEST = 60


@contextmanager
def delivering() -> Iterator[None]:
    """Count what the caller does inside as work of the delivery."""
    this = os.getpid(), threading.get_ident()
    is_first = this not in _threads
    _threads.add(this)
    token = _delivering.set(True)
    try:
        yield
    finally:
        _delivering.reset(token)
        if is_first:
            _threads.discard(this)


def delivery_context() -> contextvars.Context:
    """A copy of the caller's context in which everything is work of the delivery."""
    context = contextvars.copy_context()
    context.run(_delivering.set, True)
    return context


def is_delivery_thread(ident: int | None) -> bool:
    """Whether the thread works for the delivery; for a record that arrives in another one."""
    return (os.getpid(), ident) in _threads


def in_finaliser() -> bool:
    """Whether the caller is called by a finaliser: of any object, in whatever thread it came to its end."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to see the caller
    for _ in range(_DEEPEST):
        if frame.f_code.co_name == "__del__" or frame.f_globals.get("__name__") == "weakref":
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False


def follow_threads() -> None:
    """From now on, know the threads that the delivery starts and its calls in thread pools; idempotent."""
    if getattr(threading.Thread.start, "_logweir", False):
        return
    start = threading.Thread.start
    submit: Callable[..., Future[Any]] = ThreadPoolExecutor.submit

    @wraps(start)
    def start_known(thread: threading.Thread) -> None:
        if is_delivering():
            run = thread.run

            def run_known() -> None:
                with suppress(AttributeError):
                    del thread.run  # or the thread would hold itself
                with delivering():
                    run()

            thread.run = run_known  # type: ignore[method-assign]
        start(thread)

    @wraps(submit)
    def submit_known(
        pool: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        if not is_delivering():
            return submit(pool, fn, *args, **kwargs)

        def call() -> Any:
            with delivering():
                return fn(*args, **kwargs)

        # Outside of the delivery's context: the pool may be the application's, and so are its threads.
        return contextvars.Context().run(submit, pool, call)

    start_known._logweir = True  # type: ignore[attr-defined]  # noqa: SLF001 - ours
    setattr(threading.Thread, "start", start_known)  # noqa: B010 - the type checker knows no replaced method
    setattr(ThreadPoolExecutor, "submit", submit_known)  # noqa: B010 - as above
