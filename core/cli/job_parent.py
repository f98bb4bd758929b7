"""The parent of a process of ``--jobs``, as that process sees it: asks for work, and says what it did.

The standard input is a pipe from the parent, on which the work comes: where that ends, the parent is gone,
and the process ends as if it had been asked to. What it says goes to a descriptor of its own, for the
standard output belongs to others.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

__all__ = ["JobParent"]

_CHUNK = 1 << 16
_STDIN = 0

T = TypeVar("T")


class JobParent:
    """The process that divides the work.

    Args:
        answers: The descriptor on which it hears.
        wait: Waits until a descriptor can be read; False where the work is to end instead.
    """

    def __init__(self, answers: int, wait: Callable[[int], bool] = lambda _descriptor: True) -> None:
        self._answers = answers
        self._wait = wait
        self._heard = b""
        threading.Thread(target=_end_with_the_parent, daemon=True).start()

    def say(self, message: list[Any]) -> None:
        """Say something; a parent that is gone hears nothing, and needs not."""
        left = memoryview(msgspec.json.encode(message) + b"\n")
        with suppress(BrokenPipeError):
            while left:
                left = left[os.write(self._answers, left) :]

    def next(self, of: type[T]) -> T | None:
        """Ask for the next piece of work; None where there is none, or the work is to end."""
        self.say(["next"])
        while b"\n" not in self._heard:
            if not self._wait(_STDIN):
                return None
            data = os.read(_STDIN, _CHUNK)
            if not data:
                return None
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        return msgspec.convert(msgspec.json.decode(line), of | None)


def _end_with_the_parent() -> None:
    """Wait until nobody has the other end of the pipe that is our standard input."""
    poll = select.poll()
    poll.register(_STDIN, 0)  # only for its end, which is always reported
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
