"""What happens at a fork of the process: one registration, in one written order.

A fork copies one thread, the whole memory and every lock as it stands. So each module with something that a
child must not share (a lock, a thread, an open file, a socket) registers, for a stage of its own, what is
done before the fork, after it in the parent, and after it in the child. :class:`Stage` is the order, and
says of each stage why it stands where it stands. This module alone calls ``os.register_at_fork``.

The stages are listed from the ground up. Before a fork they are passed from the top down, for what is above
needs what is below to come to rest; in the parent and in the child, from the ground up. This is also how the
interpreter treats whole registrations: what was registered first is called last before a fork.

:func:`install` makes the registration as late as it can, when the first spool or runtime is made. Before a
fork the handlers of all libraries imported until then run after ours, so that the locks that some of them
take are still free while we wait for writes that may need them:

- ``concurrent.futures.thread`` takes the lock under which thread pools start threads. A write that a fork
  waits for may be about to start one. It is imported here, so that it is always registered before us.
- ``logging`` takes its own lock. A sink that fails during the wait reports so. In the child it makes its
  locks anew, and has done so before our handlers run; :mod:`logweir.diagnostics` imports it.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - its handlers must be registered before ours, see above
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, auto

from logweir import diagnostics

__all__ = ["Stage", "install", "register"]

Handler = Callable[[], object]


class Stage(IntEnum):
    """The stages of a fork, from the ground up; one module stands behind each."""

    # Child: first of all, for every handler after it may have something to report.
    DIAGNOSTICS = auto()
    # Child: forgets which locks the delivery had, before the stages below make new ones. A thread of the
    # child may get the number of one of the parent's that held such a lock.
    REGISTERED_LOCKS = auto()
    # Before: last, when delivery stands still, for what delivery finishes until then uses SQLite. Parent:
    # first, for whoever goes on next may wait at it. Child: before all who use a file.
    SQLITE_GATE = auto()
    # Parent: lets the loop thread and the calls into sinks go on. Child: forgets both, before the runtime
    # makes a loop thread of its own.
    STANDSTILL = auto()
    # Child: forgets the loops that the parent's thread watched, before the runtime makes one of its own.
    WATCHDOG = auto()
    # Child: new mailboxes; nobody waits here for a commit of the parent's.
    COMMIT_FUTURES = auto()
    # Child: nobody is at work on the dead letters, before the runtime writes some.
    DEAD_LETTERS = auto()
    # Child: nobody is at work on the notes of what is in fallbacks.
    FALLBACK_NOTES = auto()
    # Child: owns no spool file, before anybody could take one for its own or for an orphan's.
    SPOOL_OWNERSHIP = auto()
    # Child: keeps the parent's SQLite connections from being collected, which would close them. It must come
    # before the spools let go of them.
    SPOOL_FILES = auto()
    # Child: spools are closed and empty, before the runtime makes new ones.
    SPOOLS = auto()
    # Child: lets go of the parent's lines to worker processes, which end with the parent.
    LINES_TO_WORKERS = auto()
    # Child: lets go of the parent's listening sockets, before the runtime serves metrics for itself.
    METRICS_SOCKETS = auto()
    # Before and parent: no file of the metrics is open. Child: owns none of the parent's, and may take its
    # port when it has ended; after SPOOL_OWNERSHIP, which takes all locks for the parent's.
    METRICS_FILES = auto()
    # Child: a SIGTERM on its way was the parent's.
    SIGNALS = auto()
    # Before: first, it brings delivery to a standstill. Child: last, for it builds everything anew on what is
    # below.
    RUNTIME = auto()


@dataclass(frozen=True, slots=True)
class _Handlers:
    before: Handler | None = None
    in_parent: Handler | None = None
    in_child: Handler | None = None


# The state of this process: a fork concerns all of it.
_handlers: dict[Stage, _Handlers] = {}
_lock = threading.RLock()
_installed = False


def register(
    stage: Stage,
    *,
    before: Handler | None = None,
    in_parent: Handler | None = None,
    in_child: Handler | None = None,
) -> None:
    """Say what is done at a stage; a second registration (as of a module loaded again) replaces the first.

    Args:
        stage: The stage.
        before: Called before a fork, in the thread that forks.
        in_parent: Called after it in the parent, in the same thread, also when the fork failed.
        in_child: Called after it in the child, whose only thread this is.
    """
    _handlers[stage] = _Handlers(before, in_parent, in_child)


def install() -> None:
    """From now on pass the stages at each fork of this process; idempotent."""
    global _installed  # noqa: PLW0603 - the registration belongs to the process, and cannot be undone
    with _lock:
        if not _installed:
            _installed = True
            os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _before() -> None:
    for stage, handlers in reversed(list(_from_the_ground_up())):
        _call(stage, handlers.before)


def _in_parent() -> None:
    for stage, handlers in _from_the_ground_up():
        _call(stage, handlers.in_parent)


def _in_child() -> None:
    global _lock  # noqa: PLW0603 - a lock must not be shared with another process
    _lock = threading.RLock()
    for stage, handlers in _from_the_ground_up():
        _call(stage, handlers.in_child)


def _from_the_ground_up() -> Iterator[tuple[Stage, _Handlers]]:
    return iter(sorted(_handlers.items()))


def _call(stage: Stage, handler: Handler | None) -> None:
    """Call a handler; a defect in one must not keep the others from what they do."""
    if handler is not None:
        try:
            handler()
        except BaseException as error:  # noqa: BLE001 - a KeyboardInterrupt too, for each `before` has its `in_parent`
            diagnostics.report(f"fork.{stage.name}", "stage %s of a fork failed: %r", stage.name, error)


# Diagnostics stand below this package and cannot register themselves.
register(Stage.DIAGNOSTICS, in_child=diagnostics.after_fork)
