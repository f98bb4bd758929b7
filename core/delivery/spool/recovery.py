"""Recovery: a damaged file is replaced while the spool is in use.

What memory holds is written into a new file first, for it is known to be sound; then what the open
connections of the damaged file can still read (their caches may be sound where the file is not), then what
stands on its pages. The spool goes on with the new file, the damaged one is quarantined, and what is
missing at the end is counted and reported. Until the exchange the damaged file stays in use: if the new one
cannot be made or filled, nothing has changed, and it is tried again at the next commit.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from logweir.delivery.quarantine import quarantine
from logweir.delivery.spool import ownership
from logweir.delivery.spool.backlog import Backlog
from logweir.delivery.spool.current_file import CurrentFile, claim_file
from logweir.delivery.spool.raw_salvage import RawSalvage
from logweir.delivery.spool.salvage import salvage
from logweir.delivery.spool.spool_file import Record, Row, SpoolFile
from logweir.diagnostics import report
from logweir.encoding.events import encode_event

__all__ = ["replace_damaged"]

#: Records in one transaction.
_CHUNK = 500


def replace_damaged(
    current: CurrentFile, backlogs: Sequence[Backlog], lock: threading.RLock, error: Exception
) -> None:
    """Go on with a new file that has everything that could be read of the damaged one.

    Args:
        current: The file in use, found damaged.
        backlogs: What memory knows of the events in it.
        lock: The spool's, which guards the backlogs.
        error: The damage.

    Raises:
        OSError: No new file can be made for now.
        sqlite3.Error: It cannot be filled for now.
    """
    damaged = current.file
    assert damaged is not None  # noqa: S101 - only an open file is found damaged
    claim, file = claim_file(current.directory)
    try:
        _rescue(damaged, file, backlogs, lock)
    except (OSError, sqlite3.Error):
        file.close()
        ownership.remove(file.path)
        claim.release()
        raise
    former = current.exchange(claim, file)
    quarantined = _quarantine(damaged)
    # Only now: a sibling that found the lock free would take the damaged file for an orphan's and adopt it.
    if former is not None:
        former.release()
    report(
        f"spool.damage.{damaged.path.name}",
        "the disk queue %s is damaged (%s); it was quarantined as %s and the service goes on with %s; "
        "events lost: %d",
        damaged.path,
        error,
        quarantined,
        file.path,
        _count_anew(file, backlogs, lock),
        level=logging.ERROR,
    )


def _rescue(damaged: SpoolFile, file: SpoolFile, backlogs: Sequence[Backlog], lock: threading.RLock) -> None:
    with lock:
        memory = {backlog.sink: list(backlog.in_memory()) for backlog in backlogs}
        limits = {backlog.sink: backlog.read_next for backlog in backlogs}
        aside = {backlog.sink: set(backlog.aside.positions()) for backlog in backlogs}
    known = {sink: {item.seq for item in held} for sink, held in memory.items()}
    _write_in_chunks(
        file,
        (
            Record(Row(seq, event.time, event.size, encode_event(event)), [sink])
            for sink, held in memory.items()
            for seq, event in held
        ),
    )

    def still_wanted(record: Record) -> Record:
        # Below `read_next` a row is in memory, and so written already, or set aside, or it is settled: its
        # deletion may not have reached the damaged file.
        seq = record.row.seq
        wanted = [
            sink
            for sink in record.sinks
            if (seq >= limits.get(sink, 0) or seq in aside.get(sink, ())) and seq not in known.get(sink, ())
        ]
        return record._replace(sinks=wanted)

    for connection in damaged.connections():
        _write_in_chunks(file, map(still_wanted, salvage(connection)))
    with suppress(FileNotFoundError), RawSalvage(damaged.path) as raw:
        _write_in_chunks(file, map(still_wanted, raw.records()))


def _write_in_chunks(file: SpoolFile, records: Iterable[Record]) -> None:
    chunk: list[Record] = []
    for record in records:
        if record.sinks:
            chunk.append(record)
        if len(chunk) >= _CHUNK:
            file.write(chunk)
            chunk = []
    if chunk:
        file.write(chunk)


def _quarantine(damaged: SpoolFile) -> Path | str:
    """Quarantine a file, unless somebody has deleted or replaced it; what became of it, for the report."""
    try:
        in_place = damaged.is_in_place()
        damaged.close()
        return quarantine(damaged.path) if in_place else "nothing, for it is gone"
    except OSError as error:
        return f"nothing ({error})"


def _count_anew(file: SpoolFile, backlogs: Sequence[Backlog], lock: threading.RLock) -> int:
    missing = 0
    for backlog in backlogs:
        with lock:
            missing += backlog.count_anew(*file.totals(backlog.sink, backlog.read_next))
            aside = list(backlog.aside.positions())
        there = {row.seq for row in file.read_at(backlog.sink, aside)}
        with lock:
            missing += backlog.aside.forget(set(aside) - there)
    return missing
