"""Work on a SQLite file that goes on to its end when whoever waits for it is cancelled.

A statement in SQLite runs in a thread and cannot be called off. A cancellation in the middle would close
the connection under an unfinished statement, and SQLite keeps such a connection, its transaction and its
lock on the file alive until that statement is collected: other writers would find the file locked. So the
work goes on by itself, commits or fails, and gives its connection back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Shielded"]

T = TypeVar("T")


class Shielded:
    """Runs work that a cancellation leaves alone."""

    def __init__(self) -> None:
        self._going: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await the work; cancelled, leave it to itself."""
        task = asyncio.ensure_future(work)
        self._going.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def finish(self, timeout: float) -> None:
        """Wait for what was left to itself, ``timeout`` seconds at most."""
        if self._going:
            await asyncio.wait(set(self._going), timeout=timeout)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._going.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to ask for it
