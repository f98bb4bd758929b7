"""Who is notified of a commit: the callers who wait for their events, and the queues that hand them out.

Both are called without any lock, from the thread that committed: what they do may take locks of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from logweir.delivery.spool.staging import Staged
from logweir.diagnostics import report

__all__ = ["NOBODY", "Answers", "Listeners", "Owed", "answer_waiters"]


class Answers(NamedTuple):
    """Whom to answer after a commit, with what, and the sinks that are concerned."""

    entries: Sequence[Staged]
    error: OSError | None
    sinks: Collection[str]


#: After a commit that concerns nobody.
NOBODY = Answers((), None, ())


class Listeners:
    """The queues on a spool, by sink.

    Args:
        lock: The spool's.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._listeners: dict[str, list[Callable[[], None]]] = {}

    def add(self, sink: str, on_change: Callable[[], None]) -> None:
        """Call ``on_change``, from any thread, whenever the sink's backlog has changed."""
        with self._lock:
            self._listeners.setdefault(sink, []).append(on_change)

    def remove(self, sink: str, on_change: Callable[[], None]) -> None:
        """Undo :meth:`add`."""
        with self._lock, suppress(ValueError):
            self._listeners.get(sink, []).remove(on_change)

    def notify(self, sinks: Collection[str]) -> None:
        """Let the queues of these sinks know that their backlogs have changed."""
        with self._lock:
            listeners = [listener for sink in sinks for listener in self._listeners.get(sink, ())]
        for listener in listeners:
            listener()


class Owed:
    """The answers that are owed for commits: who is cut off in the middle of one leaves it to the committer.

    Args:
        listeners: The queues.
    """

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        self._owed: list[Answers] = []

    def add(self, answers: Answers) -> Answers:
        """Note answers, and return them."""
        self._owed.append(answers)
        return answers

    def pay(self, answers: Answers) -> None:
        """Give answers, without any lock; to hear one twice harms nobody."""
        answer_waiters(answers.entries, answers.error)
        self._listeners.notify(answers.sinks)
        with suppress(ValueError):  # there are none, or another thread has given them too
            self._owed.remove(answers)

    def pay_all(self) -> None:
        """Give what others have left."""
        for answers in list(self._owed):
            self.pay(answers)


def answer_waiters(entries: Iterable[Staged], error: OSError | None) -> None:
    """Call back those who wait for these events: they are durable, or never will be."""
    for entry in entries:
        for on_commit in entry.waiting:
            try:
                on_commit(error)
            except Exception as problem:  # noqa: BLE001 - one caller's callback must not fail the others
                report("spool.callback", "a caller could not be called back about its commit: %r", problem)
