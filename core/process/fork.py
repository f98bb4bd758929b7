"""Forking while nothing is half done.

A fork copies the locks that other threads hold at that moment, and in the child nobody will ever release
them: those inside SQLite above all. So a fork waits, for a second at most, until no call into a sink is
under way, holds back new ones, and lets the loop thread stand still while the process is copied. A
call that has been under way for longer than that hangs, and no fork waits for it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["after_in_child", "after_in_parent", "prepare", "under_way"]

#: The longest that a fork waits, and the age at which a call counts as hung.
_PATIENCE = 1.0
_TICK = 0.001

#: Runs a coroutine on the loop thread, from any thread.
Submit = Callable[[Coroutine[Any, Any, None]], object]


class _Fork:
    """One fork, from its preparation to its end; forks of several threads may overlap."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.over = threading.Event()


# The state of this process: a fork concerns all of it.
_calls: dict[object, float] = {}
_forks: dict[int, _Fork] = {}


@asynccontextmanager
async def under_way() -> AsyncIterator[None]:
    """Mark a call into a sink, or another use of a library with locks of its own; waits for forks."""
    while _forks:
        await asyncio.sleep(_TICK)
    token = object()
    _calls[token] = time.monotonic()
    try:
        yield
    finally:
        _calls.pop(token, None)


def prepare(submit: Submit) -> None:
    """Wait, in the thread that is about to fork, until it can be done; for a second at most."""
    fork = _forks[threading.get_ident()] = _Fork()
    submit(_stand_still(fork))
    fork.ready.wait(_PATIENCE)


def after_in_parent() -> None:
    """Let everything go on."""
    fork = _forks.pop(threading.get_ident(), None)
    if fork is not None:
        fork.over.set()


def after_in_child() -> None:
    """Forget the parent's calls: their threads do not exist here."""
    _calls.clear()
    _forks.clear()


async def _stand_still(fork: _Fork) -> None:
    while _is_busy() and not fork.over.is_set():
        await asyncio.sleep(_TICK)
    fork.ready.set()
    fork.over.wait(_PATIENCE)  # blocks this loop, which is the point of it


def _is_busy() -> bool:
    now = time.monotonic()
    return any(now - since < _PATIENCE for since in list(_calls.values()))
