"""What a quarantined file of dead letters, with its log, still holds: read from its pages, without SQLite.

A row has no checksum of its own. What stands on a page whose checksum in the log does not fit may be wrong,
and says so in its reason, for the letter may be replayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from logweir.delivery.dead_letters.letter import DeadLetter
from logweir.delivery.spool.pages import Cell, Pages

__all__ = ["letters_in"]

_DOUBT = "(read from a damaged page, look at it before it is replayed) "


def letters_in(database: Path) -> Iterator[DeadLetter]:
    """Yield the letters that can be read; what is certain comes before what may be wrong.

    Raises:
        OSError: The file cannot be read.
    """
    with closing(Pages(database, text_errors="backslashreplace")) as pages:
        places = list(pages.places())
        for certain in (True, False):
            for place in places:
                if pages.is_sound(place) is certain:
                    for cell in pages.cells(place):
                        if letter := _letter(cell, "" if certain else _DOUBT):
                            yield letter


def _letter(cell: Cell, doubt: str) -> DeadLetter | None:
    match cell.values:
        # A row of before the first version has no number of attempts.
        case [str(letter_id), int(time), str(sink), str(reason), str(place), body, *rest] if cell.rowid:
            attempts = rest[0] if rest and isinstance(rest[0], int) else 1
            data = body if isinstance(body, bytes) else str(body).encode("utf-8", "backslashreplace")
            return DeadLetter(sink, doubt + reason, data, place, letter_id, time, attempts)
    return None
