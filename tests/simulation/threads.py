"""Threads that take turns: greenlets, of which one runs until it comes to a lock, and the seed says who is next.

The loop's thread is the one that everything else is seen from: it lets another thread run at its own points and
while it has nothing to do, and that one comes back to it. A thread that waits has a condition, and mostly a
deadline on the loop's clock. Where nobody can go on any more, that is a deadlock, and it is found at once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from greenlet import GreenletExit, getcurrent, greenlet

__all__ = ["Clock", "SimulatedThread", "Threads"]

#: How many locks in a row one thread may take before another one gets its turn.
_PATIENCE = 300


class Clock(Protocol):
    """A time that only passes when somebody says so.

    Attributes:
        now: Seconds since the beginning of the history.
    """

    now: float


class SimulatedThread:
    """What stands for a ``threading.Thread``.

    Attributes:
        until: What it waits for; None while it can run.
        deadline: When it has waited long enough.
        holding: How many locks it has.
    """

    def __init__(
        self,
        threads: Threads,
        target: Callable[..., object],
        name: str = "",
        args: tuple[Any, ...] = (),
        **_: Any,
    ) -> None:
        self.name = name
        self.ident = next(threads.idents)
        self.group = threads.group
        self.until: Callable[[], bool] | None = None
        self.deadline: float | None = None
        self.holding = 0
        self._threads = threads
        self.greenlet = greenlet(lambda: target(*args), threads.loop_greenlet)

    def start(self) -> None:
        """Be one of those that may run."""
        self._threads.alive.append(self)
        self._threads.point()

    def is_alive(self) -> bool:
        """Whether it has been started and has not ended."""
        return self in self._threads.alive

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""
        self._threads.wait(lambda: not self.is_alive(), timeout)


class Threads:
    """The threads of a history.

    Args:
        chance: Says who runs.
        clock: Time.

    Attributes:
        alive: Those that have not ended, but for the loop's.
        loop_thread: That one.
        suspended: How many are interrupted for a while.
        group: Whose a new thread is: that of a process, which are ended together.
        violations: What broke a law as it happened.
    """

    def __init__(self, chance: Random, clock: Clock) -> None:
        self.idents = iter(range(1, 10**9))
        self.loop_greenlet = getcurrent()
        self.alive: list[SimulatedThread] = []
        self.suspended = 0
        self.group: object = None
        self.violations: list[str] = []
        self._chance = chance
        self._clock = clock
        self.loop_thread = SimulatedThread(self, lambda: None, "loop")
        self.loop_thread.greenlet = self.loop_greenlet
        self.running = self.loop_thread
        self._eagerness = chance.choice([0.0, 0.01, 0.05, 0.3])
        self._points = 0
        self._is_ending = False

    # -- what a thread asks for ---------------------------------------------------------------------

    @property
    def on_loop(self) -> bool:
        """Whether the loop's thread runs."""
        return self.running is self.loop_thread

    def now(self) -> float:
        """Seconds since the beginning of the history."""
        return self._clock.now

    def spawn(self, work: Callable[[], object], name: str) -> SimulatedThread:
        """Start a thread."""
        thread = SimulatedThread(self, work, name)
        thread.start()
        return thread

    def point(self) -> None:
        """Let another thread run, if the seed says so."""
        self._points += 1
        if self.alive and (self._points > _PATIENCE or self._chance.random() < self._eagerness):
            self.suspend()

    def suspend(self) -> None:
        """Let others run: for a moment or, where the thread holds no lock, perhaps for a while."""
        if self.on_loop or self.running.holding or self._is_ending or self._chance.random() < 0.7:
            self.pause()
            return
        self.suspended += 1
        try:
            self.sleep(self._chance.choice([0.001, 0.02, 0.1]))
        finally:
            self.suspended -= 1

    def pause(self) -> None:
        """Let another thread run."""
        self._points = 0
        if self._is_ending:
            return
        if not self.on_loop:
            self._leave()
        elif ready := self._ready():
            self._resume(self._chance.choice(ready))

    def sleep(self, seconds: float) -> None:
        """Let this many seconds pass."""
        self.wait(lambda: False, seconds)

    def wait(self, until: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait for a condition; False when the time is up."""
        deadline = None if timeout is None else self._clock.now + timeout
        thread = self.running
        while not until():
            if self._is_ending:
                raise GreenletExit
            if deadline is not None and self._clock.now >= deadline:
                return False
            thread.until, thread.deadline = until, deadline
            if self.on_loop:
                self._let_others_run()
            else:
                self._leave()
        return True

    # -- the loop's part ----------------------------------------------------------------------------

    def run_one(self) -> bool:
        """Let one thread run up to where it waits or is interrupted; False if none can."""
        ready = self._ready()
        if ready:
            self._resume(self._chance.choice(ready))
        return bool(ready)

    def next_deadline(self) -> float | None:
        """When the first of those that wait has waited long enough."""
        return min((each.deadline for each in self.alive if each.deadline is not None), default=None)

    def end(self, group: object) -> None:
        """End the threads of a process wherever they are."""
        self._end([each for each in self.alive if each.group is group])

    def end_all(self) -> None:
        """End all threads wherever they are."""
        self._end(list(self.alive))

    def _end(self, threads: list[SimulatedThread]) -> None:
        self._is_ending = True
        for thread in threads:
            self._switch(thread, thread.greenlet.throw)
            self._forget(thread)
        self._is_ending = False

    def _ready(self) -> list[SimulatedThread]:
        now = self._clock.now
        return [
            each
            for each in self.alive
            if each.until is None or (each.deadline is not None and each.deadline <= now) or each.until()
        ]

    def _let_others_run(self) -> None:
        """In the loop's thread, which waits: nothing else of it can go on meanwhile."""
        if self.run_one():
            return
        deadlines = [self.next_deadline(), self.loop_thread.deadline]
        deadline = min((each for each in deadlines if each is not None), default=None)
        if deadline is None:
            self.violations.append("deadlock: the loop waits for what nobody will do")
            raise RuntimeError("deadlock")
        if deadline > self._clock.now:
            self.violations.append(f"the loop was blocked for {deadline - self._clock.now:.3f} s")
            self._clock.now = deadline

    # -- taking turns -------------------------------------------------------------------------------

    def _resume(self, thread: SimulatedThread) -> None:
        thread.until = thread.deadline = None
        self._switch(thread, thread.greenlet.switch)
        if thread.greenlet.dead:
            self._forget(thread)

    def _switch(self, thread: SimulatedThread, switch: Callable[[], object]) -> None:
        loop, trace, group = asyncio._get_running_loop(), sys.gettrace(), self.group
        asyncio._set_running_loop(None)
        if trace is not None:
            sys.settrace(None)
        self.running, self.group = thread, thread.group
        try:
            switch()
        except Exception as error:  # noqa: BLE001 - it ends the thread, as it would end a real one
            self.violations.append(f"thread {thread.name} ended by {error!r}")
        finally:
            self.running, self.group = self.loop_thread, group
            asyncio._set_running_loop(loop)
            if trace is not None:
                sys.settrace(trace)

    def _leave(self) -> None:
        trace = sys.gettrace()
        if trace is not None:
            sys.settrace(None)
        self.loop_greenlet.switch()
        if trace is not None:
            sys.settrace(trace)

    def _forget(self, thread: SimulatedThread) -> None:
        if thread in self.alive:
            self.alive.remove(thread)
