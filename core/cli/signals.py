"""Signals of a command that runs until it is asked to end."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Self

__all__ = ["Signals"]

_ENDS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Waits for signals; the second that asks for the end is left to the system.

    Their numbers come through a pipe that the interpreter writes as a signal arrives. A lock or queue would
    not do: one that arrives in another thread, or just before the wait begins, does not wake who waits.

    Args:
        more: Signals to wait for beside SIGTERM, SIGINT and SIGHUP.
    """

    def __init__(self, more: Sequence[signal.Signals] = ()) -> None:
        self._all = (*_ENDS, signal.SIGHUP, *more)
        self._reading, self._writing = -1, -1
        self._before = -1

    def __enter__(self) -> Self:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in self._all:
            if signal.getsignal(number) is not signal.SIG_IGN or number not in _ENDS:
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._all:
            with suppress(ValueError):
                signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(self._before)
        os.close(self._reading)
        os.close(self._writing)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number in _ENDS:
            signal.signal(number, signal.SIG_DFL)

    def next(self, timeout: float | None = None) -> int | None:
        """Wait for the next signal; None when there was none within so many seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._reading], [], [], left)[0]:
                return None
            number = os.read(self._reading, 1)[0]
            if number in self._all:
                return number
