"""Writing: one transaction into the file in use, whatever the disk says to it.

A damaged file is replaced on the way (:mod:`.recovery`). Who holds the spool's IO lock may use this; there
is no lock of its own.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence

from logweir.delivery.quarantine import is_damage
from logweir.delivery.spool.backlog import Backlog
from logweir.delivery.spool.current_file import CurrentFile
from logweir.delivery.spool.recovery import replace_damaged
from logweir.delivery.spool.spool_file import Record, SpoolFile
from logweir.delivery.spool.sqlite_errors import as_os_error
from logweir.diagnostics import report

__all__ = ["COMMIT_EVENTS", "TakesLong", "Writer"]

#: The most events in one transaction: bounds what a caller waits behind.
COMMIT_EVENTS = 4096
# The most events with which a caller commits in its own thread. Where more come together, the first of them
# should not go ahead: they share a commit if the committer, who must be woken, makes it.
_FEW = 8
# How many times longer than the last commit a caller must have time for to make the next one.
_MARGIN = 10


class TakesLong(Exception):
    """What there is to do is not for a thread whose time is short; nothing was written."""


class Writer:
    """Writes what a spool commits.

    Args:
        current: The file in use.
        lock: The spool's, which guards the backlogs.
        backlogs: Asks for the backlogs of all sinks known so far.

    Attributes:
        damage: A file that was found damaged by who must not replace it: the next commit does.
        most: The most events that the next transaction may have.
    """

    def __init__(
        self, current: CurrentFile, lock: threading.RLock, backlogs: Callable[[], list[Backlog]]
    ) -> None:
        self._current = current
        self._lock = lock
        self._backlogs = backlogs
        self._took = 0.0
        self._wrote = 0
        self.damage: tuple[SpoolFile, Exception] | None = None
        self.most = COMMIT_EVENTS

    def is_quick(self, seconds: float, events: int) -> bool:
        """Whether so many events are few, as those of the last commit, which took far less than this."""
        file = self._current.file
        few = max(events, self._wrote) <= _FEW and self._took * _MARGIN < seconds
        return few and file is not None and self._damage_of(file) is None

    @property
    def is_cramped(self) -> bool:
        """Whether the disk has refused what was to be written: what is removed makes room."""
        return self.most < COMMIT_EVENTS

    def replace_damaged(self) -> None:
        """Replace the file if it was found damaged."""
        damage = self._damage_of(self._current.file)
        if damage is not None:
            self._replace(damage)

    def _damage_of(self, file: SpoolFile | None) -> Exception | None:
        return self.damage[1] if self.damage is not None and self.damage[0] is file else None

    def write(
        self, records: Sequence[Record], removals: list[tuple[str, int]], *, quickly: bool = False
    ) -> OSError | None:
        """Write, in one transaction; the error if that is impossible for now.

        Removals that are durable although the rest is not are taken from the list.

        Args:
            records: What to add.
            removals: What to remove.
            quickly: Whether a damaged file is left to the next who writes.

        Raises:
            TakesLong: It is damaged.
        """
        if not (records or removals or self._current.file):
            return None  # who is late for the last commit of a closed spool makes no file for nothing
        started = time.monotonic()
        error = self._write(records, removals, quickly=quickly)
        self._took, self._wrote = time.monotonic() - started, len(records)
        # A disk that is nearly full takes a small transaction when it refuses a large one. Halved down to one
        # event and doubled again, the batch finds what fits, and removals get a chance to make room.
        self.most = min(self.most * 2, COMMIT_EVENTS) if error is None else max(self.most // 2, 1)
        return error

    def _write(
        self, records: Sequence[Record], removals: list[tuple[str, int]], *, quickly: bool
    ) -> OSError | None:
        """Write, through one replacement of a damaged file if need be."""
        for _ in range(2):
            try:
                file = self._current.opened()
                # Before the write: what goes into a deleted or overwritten file would be acknowledged and
                # lost.
                file.look()
                # In need of space: removals give some, and go alone so that they succeed where all would not.
                if removals and self.is_cramped:
                    file.write([], removals)
                    removals.clear()
                if records or removals:
                    file.write(records, removals)
            except sqlite3.Error as error:
                if self._current.file is None or not is_damage(error):
                    return self._failed(error)
                if quickly:
                    self.damage = (self._current.file, error)
                    raise TakesLong from error
                if failure := self._replace(error):
                    return failure
            except OSError as error:
                return self._failed(error)
            else:
                return None
        return OSError(
            f"the disk queue in {self._current.directory} is damaged again and again; look at the disk"
        )

    def _failed(self, error: Exception) -> OSError:
        file = self._current.file
        if file is not None:
            # On a full disk even deletions need space, and this may be what fills it.
            if self._is_settled():
                self._current.discard()
            else:
                file.shorten_log()
        failure = as_os_error(self._current.directory, error)
        report("spool.write", "%s", failure, level=logging.ERROR)
        return failure

    def _is_settled(self) -> bool:
        """Whether nothing of the file is needed any more."""
        with self._lock:
            return not any(backlog.is_needed for backlog in self._backlogs())

    def _replace(self, error: Exception) -> OSError | None:
        """Go on with a new file; the error if that is impossible for now."""
        try:
            replace_damaged(self._current, self._backlogs(), self._lock, error)
        except (OSError, sqlite3.Error) as problem:
            return self._failed(problem)
        self.damage = None
        return None
