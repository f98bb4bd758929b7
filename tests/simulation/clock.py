"""A loop whose time passes as soon as nothing is left to do at the present moment."""

from __future__ import annotations

import asyncio
import selectors
from asyncio import Future
from collections.abc import Callable
from random import Random
from typing import Any

from simulation.threads import Threads

__all__ = ["VirtualLoop"]


#: Turns of the loop at one moment after which it is said to spin: histories have some thousand at most.
_MOST_TURNS = 100_000


class _Selector(selectors.SelectSelector):
    """Waits for nothing: other threads run, or what the loop would sleep is added to its time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0
        self.threads: Threads
        self.on_idle: Callable[[], object] = lambda: None

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            self._turns += 1
            if self._turns > _MOST_TURNS:
                raise RuntimeError("the loop spins: there is always something to do at the present moment")
            self.threads.point()
            return ready
        if not self.threads.run_one():
            self.on_idle()
            deadline = self.threads.next_deadline()
            times = [deadline, None if timeout is None else self.now + timeout]
            if all(each is None for each in times):
                raise RuntimeError("nothing is left that could ever happen")
            self.now = max(self.now, min(each for each in times if each is not None))
            self._turns = 0
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock and threads of its own.

    Args:
        chance: Says how long what runs in a thread takes, and which thread runs.
    """

    def __init__(self, chance: Random) -> None:
        self._clock = _Selector()
        self._chance = chance
        self.threads = self._clock.threads = Threads(chance, self._clock)
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds since the beginning of the history."""
        return self._clock.now

    def before_time_passes(self, look: Callable[[], object]) -> None:
        """Call this each time that nobody can do anything at the present moment."""
        self._clock.on_idle = look

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Future[Any]:  # type: ignore[override]
        """Run it in a thread, a moment later."""
        done = self.create_future()

        def answer(result: Any, error: BaseException | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

        def work() -> None:
            self.threads.sleep(self._chance.uniform(0, 0.01))
            if done.cancelled():
                return
            try:
                result, error = func(*args), None
            except Exception as problem:  # noqa: BLE001 - the caller gets it
                result, error = None, problem
            self.call_soon_threadsafe(answer, result, error)

        self.threads.spawn(work, "executor")
        return done
