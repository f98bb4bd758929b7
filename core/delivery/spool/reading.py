"""Reading back: rows of the file become events in memory again; what cannot be decoded, a dead letter."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.delivery.quarantine import is_damage
from logweir.delivery.spool.backlog import Backlog, Held, Read
from logweir.delivery.spool.current_file import CurrentFile
from logweir.delivery.spool.spool_file import Row, SpoolFile
from logweir.diagnostics import report
from logweir.encoding.events import decode_event
from logweir.event import Event
from logweir.process.fork_gate import gate

__all__ = ["AwaitsDeadLetter", "Reader", "decoded", "read_back", "write_dead_letters"]

_T = TypeVar("_T")
#: Times within which the row and the text of the event say the same.
_FIRST_TIME, _LAST_TIME = -(2**63) + 1, 2**63 - 2


class AwaitsDeadLetter(OSError):
    """A damaged row is not passed before its dead letter can be written."""

    def __init__(self) -> None:
        super().__init__("a damaged row waits until its dead letter can be written")


class Reader:
    """Reads a spool's file in the threads of its consumers, who never write.

    Args:
        current: The file in use.
        lock: The spool's, which guards the backlogs.
        dead_letters: Where rows go that cannot be decoded.
        on_damage: Called with a file that was found damaged, and the error.
    """

    def __init__(
        self,
        current: CurrentFile,
        lock: threading.RLock,
        dead_letters: DeadLetters,
        on_damage: Callable[[SpoolFile, Exception], None],
    ) -> None:
        self._current = current
        self._lock = lock
        self._dead_letters = dead_letters
        self._on_damage = on_damage

    def read(self, backlog: Backlog, max_rows: int, max_bytes: int) -> list[int] | None:
        """Bring the next events of a backlog from the file into memory; None if that is impossible for now.

        Blocks; never called on an event loop. Returns the positions that need no longer be kept.
        """
        with self._lock:
            # One reader at a time for each sink: two would bring the same rows into memory.
            if not backlog.on_disk or backlog.reading or self._current.file is None:
                return None
            backlog.reading = True
            start, file = backlog.read_next, self._current.file
        try:
            found = self._look(
                file,
                lambda: read_back(file, backlog.sink, start, max_rows, max_bytes, self._dead_letters),
            )
            if found is None:
                return None
            with self._lock:
                return backlog.take_in(found)
        finally:
            with self._lock:
                backlog.reading = False

    def read_set_aside(
        self, backlog: Backlog, positions: Sequence[int]
    ) -> tuple[list[Held], list[int]] | None:
        """Read what was set aside; None if that is impossible for now.

        Blocks. Returns the events, and the positions of those that became dead letters.
        """
        file = self._current.file
        if file is None:
            return None
        return self._look(
            file,
            lambda: decoded(file, backlog.sink, file.read_at(backlog.sink, positions), self._dead_letters),
        )

    def _look(self, file: SpoolFile, look: Callable[[], _T]) -> _T | None:
        try:
            with gate:
                return look()
        except AwaitsDeadLetter:  # which was reported when it could not be written
            return None
        except sqlite3.Error as error:
            if file is self._current.file:  # otherwise it was replaced meanwhile
                if is_damage(error):
                    self._on_damage(file, error)
                else:
                    report(
                        "spool.read", "the disk queue %s cannot be read, trying again: %s", file.path, error
                    )
            return None


def read_back(
    file: SpoolFile, sink: str, start: int, max_rows: int, max_bytes: int, dead_letters: DeadLetters
) -> Read:
    """Read a sink's rows from a position on; blocks.

    Raises:
        AwaitsDeadLetter: The first of them is damaged, and its dead letter cannot be written for now.
        sqlite3.Error: They cannot be read.
    """
    rows, complete = file.read(sink, start, max_rows, max_bytes)
    held, letters = _decoded(file, sink, rows)
    if _are_written(letters, dead_letters):
        return Read(held, [*letters], rows[-1].seq + 1 if rows else start, complete)
    # Up to the first that has no letter yet, and no further: what is passed may be deleted.
    first = min(letters)
    if not (before := [item for item in held if item.seq < first]):
        raise AwaitsDeadLetter
    return Read(before, [], first, complete=False)


def decoded(
    file: SpoolFile, sink: str, rows: Sequence[Row], dead_letters: DeadLetters
) -> tuple[list[Held], list[int]]:
    """Decode rows; what cannot be decoded becomes a dead letter: its positions come second.

    Raises:
        AwaitsDeadLetter: One cannot be written for now.
    """
    held, letters = _decoded(file, sink, rows)
    if not _are_written(letters, dead_letters):
        raise AwaitsDeadLetter
    return held, [*letters]


def _decoded(file: SpoolFile, sink: str, rows: Sequence[Row]) -> tuple[list[Held], dict[int, DeadLetter]]:
    """The events of rows, and letters, by position, of those that are none."""
    held: list[Held] = []
    letters: dict[int, DeadLetter] = {}
    for row in rows:
        try:
            event = _event_of(row)
        except Exception as error:  # noqa: BLE001 - whatever is in the body, the rows behind it go on
            letters[row.seq] = _letter(file, sink, f"cannot be decoded: {error}", row)
            continue
        if row.sound:
            held.append(Held(row.seq, event))
        else:  # it reads as an event, and is not the one that was put
            reason = "was changed on the disk: its checksum does not fit"
            letters[row.seq] = _letter(file, sink, reason, row)
    return held, letters


def _are_written(letters: dict[int, DeadLetter], dead_letters: DeadLetters) -> bool:
    return not letters or write_dead_letters(dead_letters, [*letters.values()])


def write_dead_letters(dead_letters: DeadLetters, letters: Sequence[DeadLetter]) -> bool:
    """Write what is given up; False if that is impossible for now. Reported either way."""
    try:
        dead_letters.add(letters)
    except OSError as error:
        report("spool.dead_letters", "dead letters cannot be written: %s", error)
        return False
    for letter in letters:
        report(
            f"{letter.sink}.dead",
            "sink %r: a queued event became a dead letter: %s",
            letter.sink,
            letter.reason,
        )
    return True


def _event_of(row: Row) -> Event:
    # The size counts in the bounds of queues, and must be the one that was counted when the event was put.
    # A time at the edge may have been cut to fit SQLite's 64 bits, or be beyond what its text can say.
    time = row.time if _FIRST_TIME <= row.time <= _LAST_TIME else None
    return decode_event(row.body, time=time, size=row.size)


def _letter(file: SpoolFile, sink: str, reason: str, row: Row) -> DeadLetter:
    # There is no event id; the place stands for it, so that a second attempt updates the letter of the first.
    letter_id = f"{file.path.parent}:{row.time}:{row.seq}:{sink}"
    return DeadLetter(sink, reason, bytes(row.body), "", letter_id, row.time)
