"""A standstill of delivery, so that a fork copies nothing that is half done.

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

from logweir.process import fork
from logweir.process.fork import Stage

__all__ = ["hold", "under_way"]

#: The longest that a fork waits, and the age at which a call counts as hung.
_PATIENCE = 1.0
_TICK = 0.001

#: Runs a coroutine on the loop thread, from any thread.
Submit = Callable[[Coroutine[Any, Any, None]], object]


class _Standstill:
    """What one fork waits for, and what waits for it."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.over = threading.Event()


# The state of this process: a fork concerns all of it.
_calls: dict[object, float] = {}
_standstills: dict[int, _Standstill] = {}


@asynccontextmanager
async def under_way() -> AsyncIterator[None]:
    """Mark a call into a sink, or another use of a library with locks of its own; waits for forks."""
    # Polled, for what ends a standstill happens in another thread while this loop stands still.
    while _standstills:
        await asyncio.sleep(_TICK)
    token = object()
    _calls[token] = time.monotonic()
    try:
        yield
    finally:
        _calls.pop(token, None)


def hold(submit: Submit) -> None:
    """Wait, in the thread that is about to fork, until it can be done; for a second at most."""
    # By thread, because forks of several threads may overlap: each releases its own standstill alone.
    standstill = _standstills[threading.get_ident()] = _Standstill()
    submit(_stand_still(standstill))
    standstill.ready.wait(_PATIENCE)


def _release() -> None:
    """Let everything go on, in the parent."""
    standstill = _standstills.pop(threading.get_ident(), None)
    if standstill is not None:
        standstill.over.set()


def _forget() -> None:
    """Forget the parent's calls in the child: their threads do not exist here."""
    _calls.clear()
    _standstills.clear()


async def _stand_still(standstill: _Standstill) -> None:
    while _is_busy() and not standstill.over.is_set():
        await asyncio.sleep(_TICK)
    standstill.ready.set()
    # Blocks the loop, which is the point of it: no callback of it runs while the process is copied.
    standstill.over.wait(_PATIENCE)


def _is_busy() -> bool:
    now = time.monotonic()
    return any(now - since < _PATIENCE for since in list(_calls.values()))


fork.register(Stage.STANDSTILL, in_parent=_release, in_child=_forget)
