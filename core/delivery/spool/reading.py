"""Reading back: rows of the file become events in memory again; what cannot be decoded, a dead letter."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.delivery.spool.backlog import Held, Read
from logweir.delivery.spool.spool_file import Row, SpoolFile
from logweir.diagnostics import report
from logweir.encoding.events import decode_event
from logweir.event import Event

__all__ = ["read_back", "write_dead_letters"]


def read_back(
    file: SpoolFile, sink: str, start: int, max_rows: int, max_bytes: int, dead_letters: DeadLetters
) -> Read:
    """Read a sink's rows from a position on; blocks.

    Raises:
        sqlite3.Error: They cannot be read.
    """
    rows, complete = file.read(sink, start, max_rows, max_bytes)
    held, dead = _decoded(file, sink, rows, dead_letters)
    return Read(held, dead, rows[-1].seq + 1 if rows else start, complete)


def _decoded(
    file: SpoolFile, sink: str, rows: Sequence[Row], dead_letters: DeadLetters
) -> tuple[list[Held], list[int]]:
    """Decode rows; what cannot be decoded becomes a dead letter and blocks nothing."""
    held: list[Held] = []
    letters: list[DeadLetter] = []
    dead: list[int] = []
    for row in rows:
        try:
            held.append(Held(row.seq, _event_of(row)))
        except Exception as error:  # noqa: BLE001 - whatever is in the body, the rows behind it go on
            dead.append(row.seq)
            letters.append(_letter(file, sink, f"cannot be decoded: {error}", row))
    if letters and not write_dead_letters(dead_letters, letters):
        dead = []  # they stay in the file, for the process that adopts it
    return held, dead


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
    return msgspec.structs.replace(decode_event(row.body), size=row.size)


def _letter(file: SpoolFile, sink: str, reason: str, row: Row) -> DeadLetter:
    # There is no event id; the place stands for it, so that a second attempt updates the letter of the first.
    letter_id = f"{file.path.parent}:{row.time}:{row.seq}:{sink}"
    return DeadLetter(sink, reason, bytes(row.body), "", letter_id, row.time)
