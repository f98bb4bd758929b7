"""A loop whose time passes as soon as nothing is left to do at the present moment."""

from __future__ import annotations

import asyncio
import selectors
from asyncio import Future
from collections.abc import Callable
from random import Random
from typing import Any

__all__ = ["VirtualLoop"]


class _Selector(selectors.SelectSelector):
    """Waits for nothing: what the loop would sleep is added to its time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing is left that could ever happen")
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own.

    Args:
        chance: Says how long what runs in a thread takes.
    """

    def __init__(self, chance: Random) -> None:
        self._clock = _Selector()
        self._chance = chance
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds since the beginning of the history."""
        return self._clock.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Future[Any]:  # type: ignore[override]
        """Run it in this thread, a moment later."""
        done = self.create_future()

        def work() -> None:
            if done.cancelled():
                return
            try:
                result = func(*args)
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                if not done.cancelled():
                    done.set_exception(error)
            else:
                if not done.cancelled():
                    done.set_result(result)

        self.call_later(self._chance.uniform(0, 0.01), work)
        return done
