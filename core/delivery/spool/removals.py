"""Removals: rows that are settled or dropped, and go with the next commit.

A deletion needs no sync of its own: until it is durable a crash only delivers the event once more, which
sinks absorb by its id. So it waits for company: one row costs a transaction as much as its event did, many
in a run next to nothing. The spool's lock guards what is here.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from logweir.delivery.spool.backlog import Backlog
from logweir.delivery.spool.spool_file import SpoolFile

__all__ = ["REMOVAL_LINGER", "Removals"]

#: The longest that the deletion of a settled event waits for company, in seconds.
REMOVAL_LINGER = 0.25
# Company enough.
_MANY = 256

#: Rows dropped on disk that one commit removes, so that it does not take long.
_DROPPED_ROWS = 4096


class Removals:
    """What the next commit removes, as sink and position.

    Args:
        lock: The spool's.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._rows: list[tuple[str, int]] = []
        self._since = 0.0
        self._is_urgent = False

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def are_due(self) -> bool:
        """Whether a commit of anything else takes them along."""
        many = self._is_urgent or len(self._rows) >= _MANY
        return many or time.monotonic() - self._since >= REMOVAL_LINGER

    def add(self, backlog: Backlog, positions: Iterable[int], *, settled: bool = False) -> None:
        """Remove rows with the next commit, or soon if they are settled; from any thread."""
        rows = [(backlog.sink, seq) for seq in positions]
        if not rows:
            return
        with self._lock:
            # What was dropped or is a dead letter must not be delivered, nor be in the file when it is over.
            self._is_urgent = self._is_urgent or not settled
            if not self._rows:
                self._since = time.monotonic()
            self._rows += rows

    def take(self) -> list[tuple[str, int]]:
        """Take all for a commit."""
        with self._lock:
            rows, self._rows = self._rows, []
            self._is_urgent = False
        return rows

    def put_back(self, rows: list[tuple[str, int]]) -> None:
        """Put them back after a commit that failed."""
        with self._lock:
            self._rows = rows + self._rows

    def add_dropped(self, file: SpoolFile, backlogs: Sequence[Backlog]) -> None:
        """Find, on disk, what queues that drop their oldest have dropped without having read it."""
        with self._lock:
            debts = [(backlog, backlog.read_next, backlog.debt_on_disk()) for backlog in backlogs]
        for backlog, start, count in debts:
            if count:
                with suppress(sqlite3.Error):  # damage shows at the write that follows
                    oldest = file.oldest(backlog.sink, start, min(count, _DROPPED_ROWS))
                    # A consumer may have read on meanwhile: the backlog takes only what is still first there.
                    with self._lock:
                        self.add(backlog, backlog.pay_on_disk(oldest))
