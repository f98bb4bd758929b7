"""Running short blocking work off the loop, also while the interpreter is on its way out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from logweir.process.executor import DELIVERY, threads_of

__all__ = ["in_thread", "on_event_loop"]

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread; in this one when the interpreter no longer gives threads.

    From Python 3.12 on no thread can be started during interpreter shutdown. The last drain still has
    to write, and by then nobody else needs the loop.
    """
    try:
        with threads_of(DELIVERY):  # also inside of the call of a sink, whose own threads may all hang
            return await asyncio.to_thread(work)
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise
        return work()


def on_event_loop() -> bool:
    """Whether the caller runs on an event loop, which nothing may block."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False
    # Where gevent makes threads greenlets of one thread, asyncio finds there the loop of another one of them.
    return getattr(loop, "_thread_id", None) in {None, threading.get_ident()}
