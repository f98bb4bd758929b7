"""Ctrl-C and SIGTERM in a command that must come to an orderly end, and say how far it got.

A signal only sets a flag, which the command looks at between two lines: nothing is torn out of the middle
of a hand-over. Where the command may be held up (a full queue), it is interrupted after ``patience``
seconds. A second signal ends the process at once.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

import typer

__all__ = ["Interrupted", "Interruption", "end_by"]

_CTRL_C = 128 + signal.SIGINT
_SIGNALS_AT_ONCE = 4096
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The command was asked to end and waited for something; no ``Exception``, for nobody may swallow it."""


class Interruption:
    """Notes a request to end; a context manager around the work.

    Attributes:
        asked: The signal that asked, or None.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._patience: float | None = None
        self._before: dict[int, Any] = {}
        self._heard, self._wake = -1, -1

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._heard, self._wake = os.pipe()
            os.set_blocking(self._heard, False)
            os.set_blocking(self._wake, False)
            signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
            self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._on_alarm)
            for signum in _SIGNALS:
                if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup, or `&` in a script: so be it
                    self._before[signum] = signal.signal(signum, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before:
            signal.set_wakeup_fd(-1)
            for signum, handler in self._before.items():
                signal.signal(signum, handler)
            os.close(self._heard)
            os.close(self._wake)
            self._before = {}

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Raise :class:`Interrupted` inside, if a signal was there this long ago (or before it began)."""
        self._patience = seconds
        try:
            if self.asked is not None:
                signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
            yield
        finally:
            self._patience = None
            if self._before:
                signal.setitimer(signal.ITIMER_REAL, 0)

    def wait_for_input(self, descriptor: int) -> bool:
        """Wait until there is something to read; False when a signal asked for the end first."""
        # Not by a handler that raises: what was read at that moment would be lost.
        while self.asked is None and not self._ready([descriptor]):
            pass  # a signal that asks for something else
        return self.asked is None

    def wait_for_any(self, descriptors: Iterable[int]) -> list[int]:
        """Wait until there is something to read, or a signal asks for the end; those that can be read."""
        return self._ready(descriptors)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a signal asks for the end."""
        if self.asked is None:
            self._ready([], seconds)

    def _ready(self, descriptors: Iterable[int], seconds: float | None = None) -> list[int]:
        """Those that can be read, of any number of them; none after so long, or when a signal came first."""
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        if self._before and self.asked is None:
            poll.register(self._heard, select.POLLIN)
        ready = [each for each, _ in poll.poll(None if seconds is None else seconds * 1000)]
        if self._heard in ready:
            ready.remove(self._heard)
            os.read(self._heard, _SIGNALS_AT_ONCE)  # else each wait from now on would end at once
        return ready

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if self.asked is not None:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
            return
        self.asked = signum
        if self._patience is not None:
            signal.setitimer(signal.ITIMER_REAL, max(self._patience, 0.001))

    def _on_alarm(self, _signum: int, _frame: FrameType | None) -> None:
        if self._patience is not None:
            raise Interrupted


def end_by(signum: int) -> None:
    """End as the signal would have ended the process, now that nothing is left to do."""
    if signum == signal.SIGINT:
        raise typer.Exit(_CTRL_C)
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
