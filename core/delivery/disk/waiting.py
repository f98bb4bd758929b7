"""Waiting on an event loop for a commit, cheaply: one wake-up for a loop and a commit, not one for an event.

``asyncio.wrap_future`` writes to the loop's pipe for every event; with many tasks that costs more than
the commit itself.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from contextlib import suppress
from functools import partial

from logweir.delivery.queue import OnDurable

__all__ = ["commit_future"]

_Answer = tuple["asyncio.Future[None]", OSError | None]


def commit_future() -> tuple[asyncio.Future[None], OnDurable]:
    """Make, on an event loop, a future to await and the callback to put with it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    with _lock:
        if loop not in _mailboxes:
            _mailboxes[loop] = _Mailbox()
        mailbox = _mailboxes[loop]
    return future, partial(mailbox.post, weakref.ref(loop), future)


class _Mailbox:
    """The answers on their way to one loop."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._answers: list[_Answer] = []

    def post(
        self,
        loop: weakref.ref[asyncio.AbstractEventLoop],
        future: asyncio.Future[None],
        error: OSError | None,
    ) -> None:
        """Take an answer from any thread."""
        with self._lock:
            self._answers.append((future, error))
            first = len(self._answers) == 1
        target = loop()
        if first and target is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                target.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            answers, self._answers = self._answers, []
        for future, error in answers:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


_lock = threading.RLock()
_mailboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Mailbox] = weakref.WeakKeyDictionary()


def _begin_anew() -> None:
    """In a fork's child, whose parent may have held a lock."""
    global _lock  # noqa: PLW0603 - a lock must not be shared with another process
    _lock = threading.RLock()
    _mailboxes.clear()


os.register_at_fork(after_in_child=_begin_anew)
