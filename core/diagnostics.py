"""logweir's own voice: the standard library's logger ``logweir``, rate-limited, never routed into logweir.

A problem that repeats is reported once in ten seconds, with the number of times it was held back. Where the
application has configured no logging, messages of warning and above go to stderr.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

__all__ = ["LOGGER_NAME", "RateLimiter", "after_fork", "logger", "report", "say"]

LOGGER_NAME = "logweir"
INTERVAL = 10.0

#: The logger all diagnostics go to.
logger = logging.getLogger(LOGGER_NAME)


class RateLimiter:
    """Lets one message for each key through in an interval, and counts the others.

    Args:
        interval: Seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        # By key, when the next one may come, as an only item. Whoever takes it out decides. No lock, for a
        # report may come from inside any other one, and from who interrupts this.
        self._due: dict[str, list[float]] = {}
        self._held_back: dict[str, Iterator[int]] = {}

    def admit(self, key: str) -> int | None:
        """Return how many messages were held back since the last one, or None to hold this one back."""
        due = self._due.setdefault(key, [0.0])
        try:
            earliest = due.pop()
        except IndexError:  # somebody decides about another one like it
            self._hold_back(key)
            return None
        try:
            now = self._clock()
            if now < earliest:
                self._hold_back(key)
                return None
            earliest = now + self._interval
            return next(self._held_back.pop(key, count()))
        finally:
            due.append(earliest)

    def _hold_back(self, key: str) -> None:
        next(self._held_back.setdefault(key, count()))


_limiter = RateLimiter()


def after_fork() -> None:
    """Begin anew in a fork's child, whose parent may have been in the middle of a decision."""
    global _limiter  # noqa: PLW0603 - of each process
    _limiter = RateLimiter()


_mask: Callable[[str], str] = str


def mask_with(mask: Callable[[str], str]) -> None:
    """Show what is quoted, such as the words of a server, only as ``mask`` returns it."""
    global _mask  # noqa: PLW0603 - the process has one voice
    _mask = mask


class _Quoted:
    """What a message quotes; its text is masked when it is written."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return _mask(str(self._value))

    def __repr__(self) -> str:
        return _mask(repr(self._value))


def report(key: str, message: str, *args: object, level: int = logging.WARNING) -> None:
    """Report to the operator, at most once in ten seconds for each ``key``; never raises."""
    held_back = _limiter.admit(key)
    if held_back is None:
        return
    if held_back:
        message += " (and %d more like it)"
        args = (*args, held_back)
    say(level, message, *args)


def say(level: int, message: str, *args: object) -> None:
    """Log to the operator as often as this is called, what it quotes masked; never raises."""
    args = tuple(value if isinstance(value, int | float) else _Quoted(value) for value in args)
    try:
        logger.log(level, message, *args)
    except Exception:  # noqa: BLE001 - a handler or filter of the application; it must not break who reports
        with contextlib.suppress(Exception):  # there may be no stderr
            sys.stderr.write(f"logweir: {message % args}\n")


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to stderr when nobody else listens to our logger."""

    def emit(self, record: logging.LogRecord) -> None:
        if not any(_is_foreign(handler) for handler in logging.getLogger().handlers):
            super().emit(record)


def _is_foreign(handler: logging.Handler) -> bool:
    """Whether a root handler shows our messages; logweir's own handler ignores them."""
    return not type(handler).__module__.startswith("logweir.")


_stderr = _StderrHandler()
_stderr.setFormatter(logging.Formatter("logweir: %(message)s"))
_stderr.setLevel(logging.WARNING)
logger.addHandler(_stderr)
