"""Raw salvage: what a damaged queue file still holds, read from its pages without SQLite.

Every row is verified by its checksum, so a row comes back as it was written or not at all. Rows that were
removed shortly before the damage may come back too; sinks know them by their ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from logweir.delivery.spool.pages import Cell, Pages, Place
from logweir.delivery.spool.spool_file import Record, Row

__all__ = ["RawSalvage"]


class RawSalvage:
    """What a queue file and its log still hold; a context manager.

    Args:
        path: The file.

    Attributes:
        lost: How many events are known to have been there and are not whole.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._places: dict[int, Place] = {}
        self._waiting: dict[int, tuple[str, ...]] = {}
        damaged: set[int] = set()
        self._pages = Pages(path)
        for place in self._pages.places():
            for cell in self._pages.cells(place):
                if row := _row(cell):
                    if row.sound:
                        self._places.setdefault(row.seq, place)
                    else:
                        damaged.add(row.seq)
                elif mark := _mark(cell):
                    sink, seq = mark
                    self._waiting[seq] = (*self._waiting.get(seq, ()), sink)
        # Who waits for a row whose marks are gone is not known: all of whom the file knows, for a sink that
        # has it already knows it by its id.
        self._everybody = sorted(set().union(*self._waiting.values()))
        unknown = 0 if self._everybody else len(self._places)
        self.lost = len((damaged | self._waiting.keys()) - self._places.keys()) + unknown

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._pages.close()

    def records(self) -> Iterator[Record]:
        """Yield the events that are whole, each once, in their order."""
        last, rows = None, dict[int, Row]()
        for seq, place in sorted(self._places.items()):
            # The rows of a page follow each other: it is read once for all of them.
            if place != last:
                found = [row for cell in self._pages.cells(place) if (row := _row(cell)) and row.sound]
                last, rows = place, {row.seq: row for row in found}
            if sinks := sorted({*self._waiting.get(seq, ())}) or self._everybody:
                yield Record(rows[seq], sinks)


def _row(cell: Cell) -> Row | None:
    """The body that a cell is, verified."""
    match cell:
        case Cell(int(seq), [None, int(time), int(size), bytes(body)]):
            return Row(seq, time, size, body)
        case Cell(int(seq), [None, time, size, bytes() | str() as body, int() | None as found]):
            return Row.verified(seq, time, size, body, found)
    return None


def _mark(cell: Cell) -> tuple[str, int] | None:
    """The sink and the row that a cell says it waits for."""
    match cell:
        case Cell(None, [str(sink), int(seq)]):
            return sink, seq
    return None
