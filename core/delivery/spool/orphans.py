"""Adoption: taking over the queue files that dead processes left.

In pieces of bounded size: a piece is committed in the own file first and removed from the other then, so
a crash in between leaves it in both, and it is delivered twice, which sinks absorb by id. A file that
is empty at the end is deleted; a damaged one gives what can be read of it and is quarantined.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from logweir.delivery.quarantine import is_damage
from logweir.delivery.spool import ownership
from logweir.delivery.spool.backlog import Backlog
from logweir.delivery.spool.pages import PAGE_SIZE, header_damage
from logweir.delivery.spool.raw_salvage import RawSalvage
from logweir.delivery.spool.spool_file import Record, SpoolFile
from logweir.delivery.spool.sqlite_errors import SpoolClosed
from logweir.diagnostics import report, say
from logweir.encoding.counted import counted
from logweir.process.fork_gate import gate
from logweir.sinks.shared.write_ahead_log import read_log

__all__ = ["adopt"]

_ROWS = 1000
_BYTES = 4 * 2**20

#: Commits records in the own file, or raises OSError.
Import = Callable[[Sequence[Record]], None]


def adopt(directory: Path, take: Import, backlogs: Sequence[Backlog] = ()) -> int:
    """Take over what dead processes left in ``directory``; returns the number of events.

    A file in which only sinks wait that another process attends to is left to that one.
    """
    count = 0
    attended = {backlog.sink for backlog in backlogs if backlog.is_attended(directory)}
    for lock in ownership.orphans(directory):
        try:
            if not (attended and _is_left(lock.database, attended)):
                count += _adopt_file(lock.database, take)
        except SpoolClosed:
            return count
        except Exception as error:  # noqa: BLE001 - whatever one file is, those behind it are taken over
            report(
                f"spool.adopt.{lock.database.name}",
                "%s, left by a process that is gone, cannot be taken over, trying again later: %s",
                lock.database,
                error,
            )
        finally:
            lock.release()
    return count


def _is_left(path: Path, attended: set[str]) -> bool:
    """Whether others take care of all that waits in a file; a damaged one is everybody's."""
    try:
        _look(path)
        with gate, closing(SpoolFile(path)) as file:
            return bool(found := file.sinks()) and found <= attended
    except sqlite3.Error:
        return False


def _adopt_file(path: Path, take: Import) -> int:
    moved: list[int] = []
    try:
        _look(path)
        _move(path, take, moved)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return sum(moved) + _salvage(path, take, error)
    return sum(moved)


def _look(path: Path) -> None:
    """Look for damage of which SQLite would say nothing, or that it would take for something else.

    Raises:
        OSError: It cannot be read.
        sqlite3.DatabaseError: There is some.
    """
    # Before SQLite opens the file: it would delete a log that it has read up to the damage.
    log = read_log(path, PAGE_SIZE)
    if damage := header_damage(path) or log.damage:
        raise sqlite3.DatabaseError(damage)
    if log.is_torn:
        say(logging.INFO, "the log of %s ends in the middle of a write, which was not acknowledged", path)


def _move(path: Path, take: Import, moved: list[int]) -> None:
    """Move a sound file; ``moved`` gets the size of each piece."""
    with gate:
        file = SpoolFile(path)
    with closing(file):
        # The whole file, before anything is taken: later damage would be found with half of it moved.
        with gate:
            file.check()
        while True:
            with gate:
                records = file.first(_ROWS, _BYTES)
            if not records:
                break
            # In this order: a crash in between leaves them in both files, and never in none.
            take(records)
            with gate:
                file.drop(records)
            moved.append(len(records))
    with gate:
        ownership.remove(path)
    if moved:
        taken = counted(sum(moved), "event")
        say(logging.INFO, "took over %s from %s, left by a process that is gone", taken, path)


def _salvage(path: Path, take: Import, error: sqlite3.Error) -> int:
    count = 0
    with RawSalvage(path) as salvage:
        found = salvage.records()
        while piece := list(islice(found, _ROWS)):
            take(piece)
            count += len(piece)
    quarantined = ownership.quarantine(path)
    report(
        f"spool.damage.{path.name}",
        "the disk queue %s, left by a process that is gone, is damaged (%s); %s saved from it "
        "and it was quarantined as %s; events known to be lost: %d",
        path,
        error,
        counted(count, "event", "was", "were"),
        quarantined,
        salvage.lost,
        level=logging.ERROR,
    )
    return count
