"""Calling a sink: within a deadline, known to forks, and so that nothing it raises can stop the loop.

What it does by ``asyncio.to_thread``, or asyncio does for it, runs in threads that no other sink uses.
``SystemExit`` or ``KeyboardInterrupt`` that leaves a task ends asyncio's loop, and with it the delivery
to every sink; a cancellation that nobody asked for ends the task. From a sink they are defects like any
other exception. What comes out of here can be asked for its text and its wait, whatever class it is of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TypeVar

from logweir.delivery.watchdog import SinkCall, watched
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.process.executor import threads_of
from logweir.process.standstill import under_way

__all__ = ["call_sink", "contained"]

T = TypeVar("T")


async def call_sink(work: Callable[[], Awaitable[T]], timeout: float, call: SinkCall | None = None) -> T:
    """Call a method of a sink; with ``call`` the watchdog sees to it that it does not block the loop.

    Raises:
        TimeoutError: It did not return within ``timeout`` seconds.
        RuntimeError: It raised what only the process itself may raise.
        Exception: Whatever else it raised.
    """
    async with asyncio.timeout(timeout), under_way():
        return await contained(work, call)


async def contained(work: Callable[[], Awaitable[T]], call: SinkCall | None = None) -> T:
    """Call a method of a sink inside of another such call, which has the deadline.

    Raises:
        RuntimeError: It raised what only the process itself may raise.
        Exception: Whatever else it raised.
    """
    task = asyncio.current_task()
    try:
        with watched(call), nullcontext() if call is None else threads_of(call.sink):
            return await work()
    except asyncio.CancelledError as error:
        if task is None or task.cancelling():
            raise
        raise RuntimeError("the sink cancelled itself") from error
    except Exception as error:
        if (readable := _readable(error)) is error:
            raise
        raise readable from None  # a traceback would ask for that text again
    except BaseException as error:
        # A coroutine that the collector closes gets a GeneratorExit too, but outside of its task's steps.
        if isinstance(error, GeneratorExit) and not _is_current(task):
            raise
        raise RuntimeError(f"the sink raised {type(error).__name__}") from error


def _readable(error: Exception) -> Exception:
    """The error itself or, where it fails to say what it is, one like it that does."""
    try:
        str(error)
        getattr(error, "retry_after", None)
    except Exception:  # noqa: BLE001 - it is the code of whoever wrote the sink
        message = f"{type(error).__name__}, which cannot say what it is"
        for kind in (SinkUnavailable, SinkRejected):
            if isinstance(error, kind):
                return kind(message)
        return RuntimeError(message)
    return error


def _is_current(task: asyncio.Task[object] | None) -> bool:
    try:
        return task is not None and asyncio.current_task() is task
    except RuntimeError:  # no loop runs here
        return False
