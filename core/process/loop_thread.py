"""The loop thread: a thread of its own with an event loop of its own, where all workers live.

It serves sync code, async code and every thread alike, and goes on when the application's loop is
blocked. It starts when it is first needed, which after a fork is the child's first event. Whoever waits for
work on it gets an answer, also when it ends first.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from logweir.diagnostics import report
from logweir.process.delivering import delivering, delivery_context, follow_threads
from logweir.process.executor import LoopExecutor
from logweir.process.reentry import registered
from logweir.process.submitted import Submitted

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """One thread, one loop.

    Args:
        on_start: Called on the loop, before anything else, when the thread starts.
    """

    def __init__(self, on_start: Callable[[], None]) -> None:
        self._on_start = on_start
        # Re-entrant: a signal handler that logs may want the thread in the middle of starting it. The permit
        # is taken in one step, so that it does not start another.
        self._lock = registered(threading.RLock())
        self._permits: list[None] = [None]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ending = False
        # What has no answer yet. No lock, for a signal handler may wait for work in the middle of anything.
        self._open: set[Submitted[Any]] = set()

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run ``callback`` on the loop, from any thread; never blocks."""
        loop = self._loop or self._start()
        if loop is not None:  # otherwise this call interrupts a start, and whoever starts looks for work
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be woken
                loop.call_soon_threadsafe(callback)

    def start(self) -> asyncio.AbstractEventLoop:
        """Start the thread unless it runs.

        Raises:
            RuntimeError: This call interrupts, in its own thread, the call that starts it.
        """
        loop = self._start()
        if loop is None:
            raise RuntimeError("the delivery thread is being started by the call that this one interrupts")
        return loop

    def _start(self) -> asyncio.AbstractEventLoop | None:
        with self._lock:
            if self._loop is None:
                with contextlib.suppress(IndexError):
                    self._permits.pop()
                    self._launch()
            return self._loop

    def _launch(self) -> None:
        loop = asyncio.new_event_loop()
        loop.set_default_executor(LoopExecutor())
        follow_threads()
        # All that runs for ever on the loop begins here.
        loop.call_soon(self._on_start, context=delivery_context())
        # Daemonic: the exit must not wait for a loop without an end. It drains when all other threads have
        # ended (see hooks).
        self._thread = threading.Thread(target=self._run, args=(loop,), name="logweir", daemon=True)
        # Before the thread starts: what is called meanwhile waits on the loop.
        self._loop = loop
        try:
            self._thread.start()
        except RuntimeError as error:  # the interpreter is on its way out, or threads ran out
            report("loop_thread", "the delivery thread cannot start: %s", error)
            loop.close()
            self._answer_all()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Run a coroutine on the loop and wait for it in this thread.

        Raises:
            TimeoutError: It did not finish in time (it is cancelled), or the loop has ended.
        """
        future = self.submit(work)
        try:
            return future.result(timeout if timeout is None else min(timeout, threading.TIMEOUT_MAX))
        except BaseException as error:  # time is up, or a signal's handler raised in the middle of it
            if future.cancel() and isinstance(error, TimeoutError):
                raise _no_answer(timeout) from None
            raise

    async def run_from_loop(self, work: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Run a coroutine on the loop and await it on another one, whose clock the deadline goes by.

        Raises:
            TimeoutError: It did not finish in time (it is cancelled), or the loop has ended.
        """
        future = self.submit(work)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), timeout)
        except TimeoutError:
            if future.cancelled():
                raise _no_answer(timeout) from None
            raise

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the loop.

        Raises:
            TimeoutError: The loop has ended and will never run it.
        """
        try:
            loop = self._loop or self.start()
        except RuntimeError as error:
            work.close()  # or the interpreter warns that it was never awaited
            raise TimeoutError(f"the delivery thread has ended: {error}") from None
        submitted = Submitted(work, loop)
        # Before the loop has it, which may end at any moment: at its end all that is open is answered.
        self._open.add(submitted)
        submitted.future.add_done_callback(lambda _future: self._open.discard(submitted))
        try:
            loop.call_soon_threadsafe(submitted.begin, context=delivery_context())
        except RuntimeError as error:
            submitted.end()
            raise TimeoutError(f"the delivery thread has ended: {error}") from None
        return submitted.future

    def is_running(self) -> bool:
        """Whether the thread has started and not ended."""
        return self._thread is not None and self._thread.is_alive()

    def is_current_thread(self) -> bool:
        """Whether the caller is on this very thread."""
        return threading.current_thread() is self._thread

    def stop(self, timeout: float = 5.0) -> None:
        """End the loop and the thread, and wait for it at most ``timeout`` seconds; idempotent."""
        self._ending = True
        with self._lock:
            loop, thread = self._loop, self._thread
        if loop is None or thread is None or loop.is_closed():
            return
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(timeout)
            self._answer_all()  # a sink that blocks the loop keeps it from its end, but nobody from an answer

    def _answer_all(self) -> None:
        for submitted in list(self._open):
            submitted.end()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        with delivering():
            try:
                # Whatever runs on it may stop the loop, or raise what asyncio lets through (SystemExit).
                while not self._run_until_stopped(loop):
                    pass
            finally:
                try:
                    _cancel_everything(loop)
                    loop.run_until_complete(loop.shutdown_asyncgens())
                finally:
                    loop.close()
                    self._answer_all()

    def _run_until_stopped(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Run the loop; whether it has ended for good."""
        why = "a sink stopped it"
        try:
            loop.run_forever()
        except BaseException as error:  # noqa: BLE001 - of a task or callback that is not ours
            why = f"a task of a sink raised {error!r}"
        if not self._ending:
            report("loop_thread.stopped", "the delivery loop ended, and goes on: %s", why)
        return self._ending or loop.is_closed()


def _no_answer(timeout: float | None) -> TimeoutError:
    return TimeoutError(
        f"the delivery thread did not answer within {timeout:g} s; maybe a sink blocks its loop"
    )


def _cancel_everything(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
