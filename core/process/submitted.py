"""Work that one thread gives to the loop of another one, and the answer that it waits for.

The answer always comes: what the work returned or raised, or, where the loop ends first or somebody on it
cancels the work, a TimeoutError. A cancellation is only ever that of who waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Generic, TypeVar

__all__ = ["Submitted"]

T = TypeVar("T")


class Submitted(Generic[T]):
    """A coroutine on its way to a loop.

    Args:
        work: The coroutine.
        loop: The loop.

    Attributes:
        future: Answers whoever waits, who may cancel it; then the work is cancelled, or does not begin.
    """

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self.future: Future[T] = Future()
        self._work = work
        self._loop = loop
        self._task: asyncio.Task[T] | None = None

    def begin(self) -> None:
        """Begin, on the loop, unless nobody waits any more."""
        if self.future.done():
            self._work.close()
            return
        self._task = self._loop.create_task(self._work)
        self._task.add_done_callback(self._answer)
        self.future.add_done_callback(self._cancel_with_it)

    def end(self) -> None:
        """Answer, from any thread, that the loop ended first; without effect where there is an answer."""
        with suppress(InvalidStateError):
            self.future.set_exception(TimeoutError("the delivery thread has ended"))
        if self._task is None and self._loop.is_closed():
            self._work.close()  # or the interpreter warns that it was never awaited

    def _answer(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.end()
            return
        error = task.exception()
        with suppress(InvalidStateError):  # nobody waits any more
            if error is None:
                self.future.set_result(task.result())
            else:
                self.future.set_exception(error)

    def _cancel_with_it(self, future: Future[T]) -> None:
        if future.cancelled() and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended, and has cancelled it
                self._loop.call_soon_threadsafe(self._task.cancel)
