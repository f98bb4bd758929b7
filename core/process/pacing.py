"""Pacing: a batch is encoded in slices, and between them the application has the interpreter.

One thread at a time runs Python. While a batch is encoded in one go, each request of the application waits
for it, at its start and again behind each of its system calls, which give the interpreter away. A slice is
shorter than a request, and so seldom that a request meets one of them and not all. Where nobody waits for the
interpreter the pauses cost nothing but some milliseconds until a batch is written.

Only the queue knows whether there is time for pauses. It is asked before each, so that a flush, a stop or a
long backlog ends them; what is written without a worker has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TypeVar

__all__ = ["SLICE", "Leisure", "breathe", "in_slices", "in_slices_of_thread", "leisure", "paced"]

T = TypeVar("T")

#: Says whether there is time for a pause; any thread.
Leisure = Callable[[], bool]

#: Events in a slice: one or two tenths of a millisecond of work. A pause costs as much as some events.
SLICE = 64
#: Seconds between two slices: longer than most requests take.
_PAUSE = 0.001

_leisure: contextvars.ContextVar[Leisure | None] = contextvars.ContextVar("logweir_leisure", default=None)
#: What decides for the caller's work, to be handed to a thread.
leisure = _leisure.get


@contextlib.contextmanager
def paced(by: Leisure | None) -> Iterator[None]:
    """Let what is done inside pause between slices whenever there is time for it."""
    token = _leisure.set(by)
    try:
        yield
    finally:
        _leisure.reset(token)


async def in_slices(items: Sequence[T], size: int = SLICE) -> AsyncIterator[Sequence[T]]:
    """Yield the items part by part, with pauses between them; in a hurry, all that is left at once.

    Args:
        items: What is to be worked on.
        size: Items in a part: more where a part has costs of its own, such as a request.
    """
    for part, waits in _slices(items, size):
        if waits:
            await asyncio.sleep(_PAUSE)
        yield part


async def breathe() -> None:
    """Pause once, if there is time, before a step that cannot be cut into slices."""
    has_leisure = _leisure.get()
    if has_leisure is not None and has_leisure():
        await asyncio.sleep(_PAUSE)


def in_slices_of_thread(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The same in a thread that may block."""
    for part, waits in _slices(items, SLICE):
        if waits:
            time.sleep(_PAUSE)
        yield part


def _slices(items: Sequence[T], size: int) -> Iterator[tuple[Sequence[T], bool]]:
    """The parts, and whether there is to be a pause before each."""
    has_leisure = _leisure.get()
    first, count = 0, len(items)
    while first < count:
        is_slow = has_leisure is not None and has_leisure()
        end = first + size if is_slow else count
        yield items[first:end], is_slow and first > 0
        first = end
