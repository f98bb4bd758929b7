"""A task that goes on until somebody entitled to it ends it.

What runs on the loop of delivery runs beside sinks, and a sink may cancel every task that it finds there, its
own too. A task that ended so would be missed by nobody: its queue would fill up while all looks well. So a
lasting task begins anew whenever it ends by a cancellation or an exception that was not asked for, and
reports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from logweir.diagnostics import report

__all__ = ["LastingTask"]

#: Seconds before it begins anew, so that what fails at once does not spin.
_PAUSE = 0.1


class LastingTask:
    """Runs ``work`` to its end, however often it is disturbed; all methods but one belong to the loop.

    Args:
        what: Its name in reports, such as ``a worker of sink 'audit'``.
        work: Makes the coroutine; called again after a disturbance, it must go on where it was.
        on_restart: Called at each restart.
        pause: Seconds before a restart.
    """

    def __init__(
        self,
        what: str,
        work: Callable[[], Coroutine[Any, Any, None]],
        on_restart: Callable[[], None] = lambda: None,
        pause: float = _PAUSE,
    ) -> None:
        self._what = what
        self._work = work
        self._on_restart = on_restart
        self._pause = pause
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        #: Whether its end was asked for.
        self.may_end = False

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._task is None:
            self._begin()

    def has_begun(self) -> bool:
        """Whether it was started."""
        return self._task is not None

    def is_over(self) -> bool:
        """Whether it has come to its end."""
        return self._over.is_set()

    def expect_end(self) -> None:
        """From now on do not begin anew; from any thread."""
        self.may_end = True

    def cancel(self) -> None:
        """Ask for its end."""
        self.may_end = True
        if self._task is None or self._task.done():
            self._over.set()
        else:
            self._task.cancel()

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end, which one that never began has reached; whether it came within ``timeout``."""
        if self._task is None:
            return True
        try:
            async with asyncio.timeout(timeout):
                await self._over.wait()
        except TimeoutError:
            return False
        return True

    def _begin(self) -> None:
        if self.may_end:
            self._over.set()
            return
        self._task = asyncio.get_running_loop().create_task(self._work(), name=f"logweir: {self._what}")
        # A callback and no other task, which could be cancelled with it.
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if self.may_end or not (task.cancelled() or error):
            self._over.set()
            return
        why = "was cancelled by somebody else" if error is None else f"failed: {error!r}"
        report(f"restart: {self._what}", "%s %s; it resumes", self._what, why)
        self._on_restart()
        task.get_loop().call_later(self._pause, self._begin)
