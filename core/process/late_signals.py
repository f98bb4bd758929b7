"""Signals that arrive while the main thread, at its end, waits for the other threads.

Python runs a signal's handler in the main thread. There it waits now for a lock, and the signal interrupts
that wait; but not if it arrives in the moment before, nor if the system has another thread receive it. Such a
signal is slept through, until the last of the other threads has ended. A pipe does not sleep: the interpreter
writes into it as a signal arrives, the delivery's loop reads it, and has the signal sent to the main thread
again and again until its handler has run.

Only from the end of the main thread on: before, the pipe for signals belongs to the application, or to its
event loop. Where somebody still has it then, nothing is done.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Protocol

__all__ = ["Handler", "forget", "listen"]

#: How long the main thread has to run a handler before the signal is sent to it again, in seconds.
_MOMENT = 0.1

# Both ends of the pipe of this process.
_pipe: tuple[int, int] | None = None


class Handler(Protocol):
    """A handler of a signal that ends the process."""

    @property
    def has_run(self) -> bool:
        """Whether it has been called, so that the end is under way."""
        ...

    def call_again(self, signum: int) -> None:
        """Send the signal once more to the main thread; from another one."""
        ...


def listen(signum: int, handler: Handler, call_on_loop: Callable[[Callable[[], None]], object]) -> None:
    """Listen for a signal until the process ends; called in the main thread, at its end.

    Args:
        signum: The signal.
        handler: Its handler.
        call_on_loop: Calls a function on a loop that goes on to run in another thread.
    """
    global _pipe  # noqa: PLW0603 - the interpreter writes into one
    reading, writing = _pipe = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    other = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if other != -1:
        signal.set_wakeup_fd(other)
        return
    call_on_loop(lambda: _Listener(reading, signum, handler).begin())


class _Listener:
    """Reads what the interpreter writes, on the loop."""

    def __init__(self, reading: int, signum: int, handler: Handler) -> None:
        self._reading = reading
        self._signum = signum
        self._handler = handler

    def begin(self) -> None:
        """Begin."""
        asyncio.get_running_loop().add_reader(self._reading, self._read)

    def _read(self) -> None:
        if self._signum in os.read(self._reading, 1 << 10):
            asyncio.get_running_loop().call_later(_MOMENT, self._look)

    def _look(self) -> None:
        if not self._handler.has_run:
            self._handler.call_again(self._signum)  # which is read here too


def forget() -> None:
    """In a fork's child, whose signals must not arrive at the parent's loop."""
    global _pipe  # noqa: PLW0603 - see listen
    if _pipe is None:
        return
    other = signal.set_wakeup_fd(-1)
    if other not in {-1, _pipe[1]}:
        signal.set_wakeup_fd(other)
    for end in _pipe:
        os.close(end)
    _pipe = None
