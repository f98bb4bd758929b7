"""Who is notified of a commit: the callers who wait for their events, and the queues that hand them out.

Both are called without any lock, from the thread that committed: what they do may take locks of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from logweir.delivery.spool.staging import Staged
from logweir.diagnostics import report

__all__ = ["Listeners", "answer_waiters"]


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


def answer_waiters(entries: Iterable[Staged], error: OSError | None) -> None:
    """Call back those who wait for these events: they are durable, or never will be."""
    for entry in entries:
        for on_commit in entry.waiting:
            try:
                on_commit(error)
            except Exception as problem:  # noqa: BLE001 - one caller's callback must not fail the others
                report("spool.callback", "a caller could not be called back about its commit: %r", problem)
