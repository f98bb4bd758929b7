"""The committer: the thread that makes a spool's events durable, and when it does.

It commits as soon as anything is staged that is in a hurry; what arrives meanwhile shares the next commit.
What nobody waits for gathers company first, for some milliseconds, or some more where company comes;
deletions alone wait a little longer for it. After a failure it backs off, but tries again at once (at most
twenty times a second) when somebody waits for an answer.
"""

from __future__ import annotations

import contextvars
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from logweir.delivery.retry import pause_before_retry
from logweir.delivery.spool.removals import REMOVAL_LINGER
from logweir.diagnostics import report
from logweir.settings.delivery import RetryConfig

__all__ = ["GATHERING", "GATHERING_UNDER_LOAD", "Committable", "Committer"]

#: The longest that an event for which nobody waits gathers company before its commit, in seconds.
GATHERING = 0.025
#: The longest where company has come by then: a commit of four times the events costs little more.
GATHERING_UNDER_LOAD = 0.1

_RETRY = RetryConfig(initial=0.2, max=5.0)
_LEAST_PAUSE = 0.05
_STOP_SECONDS = 10.0


class Committable(Protocol):
    """What the committer needs of a spool."""

    @property
    def has_staged(self) -> bool:
        """Whether events wait for a commit."""
        ...

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for a commit."""
        ...

    @property
    def may_gather(self) -> bool:
        """Whether something is staged, and may wait a little for more."""
        ...

    @property
    def has_company(self) -> bool:
        """Whether so much is staged that more will come soon."""
        ...

    def is_interrupted(self) -> bool:
        """Whether the calling thread is in the middle of the spool's work."""
        ...

    @property
    def has_removals(self) -> bool:
        """Whether deletions wait for a commit."""
        ...

    def commit(self) -> OSError | None:
        """Make durable what is staged."""
        ...

    def commit_quickly(self, seconds: float) -> OSError | None:
        """Make durable what is staged, for a caller who has so much time; otherwise it stays as it is.

        It does while another thread commits, where many wait at once, and if it may take longer: for a slow
        disk, for a file that is damaged or has yet to be made.
        """
        ...

    def rest(self) -> None:
        """Nothing is left to do."""
        ...


class Committer:
    """Commits for one spool.

    Args:
        spool: The spool.
        threaded: Whether there is a thread at all.

    Attributes:
        gathers: Whether the thread waits for company for what is staged; who is in a hurry ends it.
    """

    def __init__(self, spool: Committable, *, threaded: bool) -> None:
        self._spool = spool
        self._threaded = threaded
        # The one queue of the standard library whose put may interrupt a put of the same thread.
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._nudged = self._nudged_for_removals = False
        self.gathers = False
        # Whether the last commit failed, whoever tried it.
        self._failing = False
        # An entry for each call between the flag and the wake-up: see `ensure_awake`.
        self._promised: list[None] = []
        self._stopping = threading.Event()
        # Whoever takes the permit starts the thread: one step, for threads and for calls that interrupt it.
        self._permits: list[None] = [None]
        self._thread: threading.Thread | None = None
        self._starters: set[int] = set()

    def nudge(self) -> None:
        """Something is staged, and is not to wait for company; from any thread, without waiting."""
        # A flag without a lock, for every put comes by here. It is cleared before the thread looks for work,
        # so a race costs a wake-up too many and never one too few. While the thread gathers it is set: a put
        # that hurries needs a wake-up all the same, and a race there costs it no more than the gathering.
        if (not self._nudged or self.gathers) and self._threaded:
            self._promised.append(None)
            self._nudged = True
            self.gathers = False
            try:
                self._wake()
            finally:
                self._promised.pop()
        elif self._promised and self._threaded:  # by a call that this one may have interrupted, and holds up
            self._wake()

    def lead(self, seconds: float) -> None:
        """Commit in the caller's thread, which waits for it anyway; where that cannot be, wake the thread.

        After a failure only the thread tries again, with its pauses: callers in a loop must not turn a full
        disk into a busy one.

        Args:
            seconds: How long the caller may wait.
        """
        if self._threaded and not self._failing:
            try:
                if self._spool.commit_quickly(seconds) is not None:
                    self._failing = True
            except Exception as error:  # noqa: BLE001 - nothing foreseen; the thread takes over
                report("spool.committer", "a commit in its caller's thread failed: %r", error)
        # Asked again: there was no commit here, or no room in it for this caller's own event. Who has taken
        # that one meanwhile answers for it.
        if self._failing or self._spool.has_staged:
            self.nudge()

    def ensure_awake(self) -> None:
        """Do what a call that this very one interrupted has still to do; before waiting for a commit.

        It was on its way from the staging to the wake-up, in the nudge or not even there.
        """
        if self._threaded and (
            self._promised or self.gathers or (not self._nudged and self._spool.has_staged)
        ):
            self.gathers = False
            self._wake()

    def nudge_for_removals(self) -> None:
        """A deletion waits; from any thread, without waiting."""
        if not self._nudged_for_removals and self._threaded:
            self._nudged_for_removals = True
            if not self.gathers:  # after which the thread looks for them anyway
                self._wake()

    def stop(self) -> None:
        """End the thread after the commit in progress; idempotent."""
        self._stopping.set()
        self._threaded = False
        self._wakeups.put(None)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join(_STOP_SECONDS)

    def _wake(self) -> None:
        self._wakeups.put(None)
        if self._permits:
            self._start()

    def is_here(self) -> bool:
        """Whether the caller is on the committer's own thread, or interrupts the call that starts it."""
        here = threading.get_ident()
        thread = self._thread
        # Alive, for the system gives the number of a thread that has ended to another one.
        return (thread is not None and thread.ident == here and thread.is_alive()) or here in self._starters

    def _start(self) -> None:
        here = threading.get_ident()
        self._starters.add(here)
        try:
            started = self._start_thread()
        finally:
            self._starters.discard(here)
        if not started:
            self._commit_here()

    def _start_thread(self) -> bool:
        """Start the thread, once; whether there is one."""
        try:
            permit = self._permits.pop()
        except IndexError:
            return True
        self._thread = threading.Thread(target=self._run, name="logweir-committer", daemon=True)
        try:
            # In a context of its own: it serves whoever put, be it the delivery itself.
            contextvars.Context().run(self._thread.start)
        except RuntimeError:  # the interpreter is on its way out and gives no threads any more
            self._thread = None
            self._permits.append(permit)
            self._nudged = False
            return False
        return True

    def _commit_here(self) -> None:
        """Commit in the caller's thread: what is logged from here on is slower, and durable."""
        # A call that interrupts this thread's own work leaves its event to that work. A caller that found the
        # permit taken has staged its event before that, and this takes it.
        while not self._spool.is_interrupted() and self._spool.has_staged:
            if self._spool.commit() is not None:
                return

    def _run(self) -> None:
        failures = 0
        pause: float | None = None
        while not self._stopping.is_set():
            with suppress(Empty):
                self._wakeups.get(timeout=pause)
            if self._stopping.is_set():
                return
            self._nudged = False
            try:
                failures, pause = self._attend(failures)
            except Exception as error:  # noqa: BLE001 - nothing foreseen; the thread must live on
                report("spool.committer", "the committer failed and resumes: %r", error)
                failures, pause = failures + 1, _RETRY.max

    def _attend(self, failures: int) -> tuple[int, float | None]:
        """Do what is due; returns the failures in a row and how long there is nothing to do."""
        spool = self._spool
        if self._failing and not failures:  # a caller that led has found out
            failures = 1
            self._back_off(failures)
        while self._has_work():
            if not failures:
                if not spool.has_staged:
                    self._collect_removals()
                self._gather()
            if spool.commit() is not None:
                self._failing = True
                return failures + 1, self._back_off(failures + 1)
            failures = 0
            self._failing = False
        self._failing = False
        spool.rest()
        return 0, None

    def _has_work(self) -> bool:
        if self._spool.has_staged or self._spool.has_removals:
            return True
        # Cleared before the last look, which sees what came in between; what comes later wakes the thread.
        self._nudged_for_removals = False
        return self._spool.has_removals

    def _gather(self) -> None:
        """Wait for company for what is staged, until somebody is in a hurry or the time is up."""
        # Both before the look whether anybody waits: who stages later finds them.
        self._nudged = self.gathers = True
        start = time.monotonic()
        self._gather_until(start + GATHERING)
        if self._spool.has_company:
            self._gather_until(start + GATHERING_UNDER_LOAD)
        self._nudged = self.gathers = False

    def _gather_until(self, deadline: float) -> None:
        while (
            self.gathers
            and self._spool.may_gather
            and not self._stopping.is_set()
            and (left := deadline - time.monotonic()) > 0
        ):
            with suppress(Empty):
                self._wakeups.get(timeout=left)

    def _collect_removals(self) -> None:
        """Wait for company, until something is staged or the time is up."""
        deadline = time.monotonic() + REMOVAL_LINGER
        while (
            not (self._stopping.is_set() or self._spool.has_staged)
            and (left := deadline - time.monotonic()) > 0
        ):
            with suppress(Empty):
                self._wakeups.get(timeout=left)
            self._nudged = False

    def _back_off(self, failures: int) -> float:
        """Wait after a failure, to its end or until somebody waits; what is due is then due at once."""
        # The least pause is slept whoever waits: callers in a loop must not turn a full disk into a busy one.
        pause = _LEAST_PAUSE + pause_before_retry(failures, _RETRY)
        time.sleep(_LEAST_PAUSE)
        deadline = time.monotonic() + pause
        while (
            not (self._stopping.is_set() or self._spool.has_waiting)
            and (left := deadline - time.monotonic()) > 0
        ):
            with suppress(Empty):
                self._wakeups.get(timeout=left)
            self._nudged = False
        return 0.0
