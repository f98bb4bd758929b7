"""The life of a process as one state machine: which stage follows which, and what a call gets in each.

:data:`NEXT` says which stages may follow a stage, :data:`ANSWERS` what every kind of call gets in it, from
whatever thread, event loop, signal handler or finaliser it comes. The page
``docs/explanation/process-life.md`` shows both as tables; :mod:`logweir.runtime.current` acts by them.

A reload and a fork happen beside the other stages, several at once: they are counted on top of the stage that
goes on below them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from types import MappingProxyType

__all__ = ["ANSWERS", "NEXT", "Answer", "Call", "Life", "Stage"]


class Stage(StrEnum):
    """Where a process is with its runtime."""

    BEFORE_START = "before start"
    """No runtime has run in this process."""
    STARTING = "starting"
    """A start is under way; its sinks are not made yet."""
    BY_ITSELF = "started by itself"
    """A first line has started the runtime from a configuration that the process was given."""
    RUNNING = "running"
    RELOADING = "reloading"
    """One pipeline takes the place of another."""
    FORKING = "forking"
    """A thread copies the process; the others may go on."""
    CHILD = "child"
    """A fork's child: it has its parent's configuration, and starts to deliver at its first line."""
    DRAINING = "draining"
    """A stop is under way, whoever asked for it."""
    STOPPED = "stopped"
    MAIN_ENDED = "main thread ended"
    """The interpreter waits for the other threads, then it calls the functions of atexit."""
    AT_EXIT = "at exit"
    """Behind the last drain; only functions of atexit that are older than the import still run."""


class Call(StrEnum):
    """What an application does."""

    LOG = "log"
    """Log lines of every kind, which never raise."""
    AUDIT = "audit"
    """Audit calls, whose caller waits for an answer."""
    FLUSH = "flush"
    METRICS = "metrics"
    START = "start"
    """A start with another configuration than the one that runs."""
    STOP = "stop"
    RELOAD = "reload"


class Answer(StrEnum):
    """What a call gets."""

    SERVED = "served"
    KEPT = "kept"
    """It waits in memory for the next start, within bounds; what nobody starts for is counted at the exit."""
    SAVED = "saved"
    """It is written to disk for the end of the process, the next start or another process."""
    REFUSED = "refused"
    """It raises, so that its caller knows."""
    REPLACES = "replaces"
    """The configuration takes the place of the one that runs, as by a reload."""
    WAITS = "waits"
    """It waits for the end of the stage, and gets what the next one gives."""
    NOTHING = "nothing"
    """There is nothing to do, and it says so."""


def _answers(
    log: Answer, audit: Answer, flush: Answer, metrics: Answer, start: Answer, stop: Answer, reload: Answer
) -> Mapping[Call, Answer]:
    return MappingProxyType(dict(zip(Call, (log, audit, flush, metrics, start, stop, reload), strict=True)))


_A = Answer
_WITHOUT = (_A.REFUSED, _A.REFUSED, _A.REFUSED, _A.SERVED, _A.NOTHING, _A.REFUSED)
_WITH = (_A.SERVED, _A.SERVED, _A.SERVED, _A.SERVED)

ANSWERS: Mapping[Stage, Mapping[Call, Answer]] = MappingProxyType(
    {
        #                          log        audit       flush       metrics    start       stop       reload
        Stage.BEFORE_START: _answers(_A.KEPT, *_WITHOUT),
        Stage.STARTING: _answers(_A.KEPT, _A.REFUSED, _A.REFUSED, _A.REFUSED, _A.WAITS, _A.WAITS, _A.REFUSED),
        Stage.BY_ITSELF: _answers(*_WITH, _A.REPLACES, _A.SERVED, _A.SERVED),
        Stage.RUNNING: _answers(*_WITH, _A.REFUSED, _A.SERVED, _A.SERVED),
        Stage.RELOADING: _answers(*_WITH, _A.REFUSED, _A.WAITS, _A.WAITS),
        Stage.FORKING: _answers(*_WITH, _A.REFUSED, _A.SERVED, _A.SERVED),
        Stage.CHILD: _answers(*_WITH, _A.REPLACES, _A.SERVED, _A.SERVED),
        Stage.DRAINING: _answers(_A.SAVED, _A.REFUSED, _A.SERVED, _A.SERVED, _A.WAITS, _A.WAITS, _A.REFUSED),
        Stage.STOPPED: _answers(_A.SAVED, *_WITHOUT),
        Stage.MAIN_ENDED: _answers(*_WITH, _A.REFUSED, _A.SERVED, _A.SERVED),
        Stage.AT_EXIT: _answers(_A.SAVED, *_WITHOUT),
    }
)  # fmt: skip

_S = Stage
NEXT: Mapping[Stage, frozenset[Stage]] = MappingProxyType(
    {
        _S.BEFORE_START: frozenset({_S.STARTING, _S.AT_EXIT}),
        # A start that fails goes back to where it came from.
        _S.STARTING: frozenset(
            {_S.RUNNING, _S.BY_ITSELF, _S.MAIN_ENDED, _S.BEFORE_START, _S.STOPPED, _S.AT_EXIT}
        ),
        _S.BY_ITSELF: frozenset({_S.RUNNING, _S.CHILD, _S.DRAINING, _S.MAIN_ENDED}),
        _S.RUNNING: frozenset({_S.CHILD, _S.DRAINING, _S.MAIN_ENDED}),
        _S.CHILD: frozenset({_S.RUNNING, _S.CHILD, _S.DRAINING, _S.MAIN_ENDED}),
        # A drain that was interrupted goes on with the next stop; a fork's child has none of it.
        _S.DRAINING: frozenset({_S.DRAINING, _S.STOPPED, _S.AT_EXIT, _S.CHILD}),
        _S.STOPPED: frozenset({_S.STARTING, _S.AT_EXIT}),
        _S.MAIN_ENDED: frozenset({_S.CHILD, _S.DRAINING}),
        _S.AT_EXIT: frozenset({_S.STARTING, _S.AT_EXIT}),
    }
)  # fmt: skip

#: The stages in which there is a runtime that takes events; a reload and a fork happen on top of them.
_WITH_RUNTIME = frozenset({_S.BY_ITSELF, _S.RUNNING, _S.CHILD, _S.MAIN_ENDED})


class Life:
    """The stage of one process; read from any thread, changed under the lock of its owner."""

    def __init__(self) -> None:
        self._below = Stage.BEFORE_START
        self._reloads = 0
        # By thread: several may fork at once, and in a child the others do not exist.
        self._forks: set[int] = set()

    @property
    def stage(self) -> Stage:
        """Where the process is."""
        below = self._below
        if below in _WITH_RUNTIME:
            if self._forks:
                return Stage.FORKING
            if self._reloads:
                return Stage.RELOADING
        return below

    @property
    def below(self) -> Stage:
        """The stage below a reload or a fork."""
        return self._below

    def answer(self, call: Call) -> Answer:
        """What a call gets now."""
        return ANSWERS[self.stage][call]

    def to(self, stage: Stage) -> None:
        """Go on to a stage.

        Raises:
            RuntimeError: It cannot follow the present one: a defect of ours.
        """
        if stage not in NEXT[self._below]:
            raise RuntimeError(f"a process that is {self._below.value!r} cannot become {stage.value!r}")
        self._below = stage

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Be reloading, for the length of a block."""
        self._reloads += 1
        try:
            yield
        finally:
            self._reloads -= 1

    def fork_begins(self) -> None:
        """This thread copies the process."""
        self._forks.add(threading.get_ident())

    def fork_ends(self) -> None:
        """This thread has copied the process, or failed to; in the parent."""
        self._forks.discard(threading.get_ident())

    def born(self) -> None:
        """Begin a child's life: what threads of the parent were about to do is the parent's."""
        self._forks.clear()
        self._reloads = 0
        if self._below is Stage.STARTING:
            self.to(Stage.BEFORE_START)
        if self._below in _WITH_RUNTIME or self._below is Stage.DRAINING:
            self.to(Stage.CHILD)
