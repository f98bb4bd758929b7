"""Waiting for a commit: on an event loop, cheaply, or in a thread.

``asyncio.wrap_future`` writes to the loop's pipe for every event, and ``asyncio.timeout`` sets a timer for
each; with many tasks that costs more than the commit itself. Here a loop is woken once for a commit, and
one timer serves all who wait.
"""

from __future__ import annotations

import asyncio
import math
import threading
import weakref
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from logweir.delivery.queue import OnDurable
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.reentry import registered

__all__ = ["commit_future", "thread_future"]

_Waiting = asyncio.Future[None]


def commit_future(timeout: float | None = None) -> tuple[_Waiting, OnDurable]:
    """Make, on an event loop, a future to await and the callback to put with it.

    Args:
        timeout: Seconds after which the future fails with a ``TimeoutError``.
    """
    loop = asyncio.get_running_loop()
    future: _Waiting = loop.create_future()
    with _lock:
        if loop not in _mailboxes:
            _mailboxes[loop] = _Mailbox(weakref.ref(loop))
        mailbox = _mailboxes[loop]
    if timeout is not None:
        mailbox.deadlines.add(loop, future, timeout)
    return future, partial(mailbox.post, future)


def thread_future() -> tuple[Future[None], OnDurable]:
    """Make, in any thread, a future to wait for and the callback to put with it; the first answer counts."""
    done: Future[None] = Future()

    def on_durable(error: OSError | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    return done, on_durable


class _Mailbox:
    """The answers on their way to one loop."""

    def __init__(self, loop: weakref.ref[asyncio.AbstractEventLoop]) -> None:
        self.deadlines = _Deadlines()
        self._loop = loop
        self._lock = registered(threading.RLock())
        self._answers: list[tuple[_Waiting, OSError | None]] = []
        # Whether the loop has been woken for them.
        self._is_woken = False

    def post(self, future: _Waiting, error: OSError | None) -> None:
        """Take an answer from any thread."""
        try:
            with self._lock:
                # The first answer wakes the loop, the others of the same commit ride along.
                self._answers.append((future, error))
                first, self._is_woken = not self._is_woken, True
            loop = self._loop() if first else None
            if loop is not None:
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._deliver)
        except BaseException:  # cut off in the middle, as a caller that commits for others may be
            self._is_woken = False
            raise

    def _deliver(self) -> None:
        with self._lock:
            self._is_woken = False
            answers, self._answers = self._answers, []
        for future, error in answers:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


class _Deadlines:
    """Who waits on one loop, and until when; used on that loop alone.

    Those who wait equally long are in one line. They are answered about in order, so that the front of a
    line, where the answered ones leave it, is never far behind its end. Nothing here keeps a future, and
    with it a loop, alive.
    """

    def __init__(self) -> None:
        self._lines: dict[float, deque[tuple[float, weakref.ref[_Waiting]]]] = {}
        self._next_look = math.inf

    def add(self, loop: asyncio.AbstractEventLoop, future: _Waiting, timeout: float) -> None:
        """Let a future fail in ``timeout`` seconds."""
        line = self._lines.setdefault(timeout, deque())
        while line and _is_over(line[0][1]()):
            line.popleft()
        deadline = loop.time() + timeout
        line.append((deadline, weakref.ref(future)))
        if deadline < self._next_look:
            self._look_at(loop, deadline)

    def _look_at(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        self._next_look = deadline
        loop.call_at(deadline, self._expire, loop, deadline)

    def _expire(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        now = max(loop.time(), deadline)  # timers may be early by the clock's resolution
        for timeout, line in list(self._lines.items()):
            while line and (line[0][0] <= now or _is_over(line[0][1]())):
                future = line.popleft()[1]()
                if future is not None and not future.done():
                    future.set_exception(TimeoutError())
            if not line:
                del self._lines[timeout]
        if now >= self._next_look:
            self._next_look = math.inf
            if self._lines:
                self._look_at(loop, min(line[0][0] for line in self._lines.values()))


def _is_over(future: _Waiting | None) -> bool:
    return future is None or future.done()


_lock = registered(threading.RLock())
_mailboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Mailbox] = weakref.WeakKeyDictionary()


def _begin_anew() -> None:
    """In a fork's child, whose parent may have held a lock."""
    global _lock  # noqa: PLW0603 - a lock must not be shared with another process
    _lock = registered(threading.RLock())
    _mailboxes.clear()


fork.register(Stage.COMMIT_FUTURES, in_child=_begin_anew)
