"""What a disk queue needs of the spool behind it: the process's own, or a worker's view of others'."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol

from logweir.delivery.queue import OnDurable
from logweir.delivery.set_aside import Group
from logweir.delivery.spool.backlog import Backlog, Held
from logweir.delivery.spool.notifications import Listeners
from logweir.event import Event
from logweir.process.reentry import Deferred

__all__ = ["QueueSpool"]


class QueueSpool(Protocol):
    """A spool as its queues see it; :class:`.Spool` says what each of these is.

    Attributes:
        lock: Guards the backlogs.
        deferred: What was put from inside that lock.
        listeners: Who is notified of changes.
        closed: Whether nothing is taken any more.
    """

    lock: threading.RLock
    deferred: Deferred
    listeners: Listeners
    closed: bool

    def backlog(self, sink: str) -> Backlog:
        """The backlog of a sink."""
        ...

    def is_full(self) -> bool:
        """Whether no more may be staged."""
        ...

    def stage(self, backlog: Backlog, event: Event, on_commit: OnDurable | None = None) -> None:
        """Stage an event."""
        ...

    def is_interrupted(self) -> bool:
        """Whether the calling thread is in the middle of the spool's work."""
        ...

    def nudge(self, *, waits: bool = False, hurries: bool = True) -> None:
        """Something is staged, for which somebody will wait or nobody, and which is in a hurry or is not."""
        ...

    def ensure_awake(self) -> None:
        """Wake whom an interrupted call was about to wake."""
        ...

    def remove(self, backlog: Backlog, positions: Iterable[int], *, settled: bool = False) -> None:
        """Delete rows, soon."""
        ...

    def read(self, backlog: Backlog, max_events: int, max_bytes: int) -> bool:
        """Bring the next events of the file into memory."""
        ...

    def read_set_aside(self, backlog: Backlog, group: Group) -> list[Held] | None:
        """Read what was set aside."""
        ...
