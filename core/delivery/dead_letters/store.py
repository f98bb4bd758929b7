"""The dead letters of one data directory: written, read, removed and kept within their bounds.

One SQLite file, opened for each use: dead letters are rare, several processes share the file, and
nothing has to survive a fork. A damaged file is quarantined, reported, and replaced by one with all that
could be read of it. All methods block.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from logweir.delivery.dead_letters.database import connect, connect_to_read, transaction
from logweir.delivery.dead_letters.letter import DeadLetter, Selection
from logweir.delivery.dead_letters.salvage import letters_in
from logweir.delivery.quarantine import is_damage, quarantine
from logweir.diagnostics import report
from logweir.encoding.values import clean_text
from logweir.process import fork
from logweir.process.fork import Stage
from logweir.process.reentry import registered

__all__ = ["DeadLetters", "Position", "Totals"]

_FILE_NAME = "dead_letters.db"
#: Letters that one transaction deletes, so that nobody waits long for the file.
_CHUNK = 500
_ALL = Selection()
T = TypeVar("T")

_COLUMNS = "sink, reason, body, place, id, time, attempts"
_INTO = "INTO dead_letters (id, time, sink, reason, place, body, attempts) VALUES (?, ?, ?, ?, ?, ?, ?)"


class Position(NamedTuple):
    """A place in the order of the letters: when one became a dead letter, and its id."""

    time: int
    id: str


@dataclass(frozen=True, slots=True)
class Totals:
    """How many letters wait.

    Attributes:
        letters: By sink; unreadable lines under the empty name.
        size: Bytes of all bodies.
        oldest: When the oldest became a dead letter, nanoseconds; None when there are none.
    """

    letters: dict[str, int]
    size: int = 0
    oldest: int | None = None

    @property
    def count(self) -> int:
        """All letters."""
        return sum(self.letters.values())


class DeadLetters:
    """The dead letters of one data directory.

    Args:
        data_dir: The directory; it is made when the first letter is written.

    Attributes:
        path: The file.
        totals: What was there at this process's last look, or after its last change.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / _FILE_NAME
        self.totals = Totals({})

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Write letters durably; one that is there already gets the new reason and one attempt more.

        Raises:
            OSError: The file cannot be written.
        """
        rows = [_row(letter) for letter in letters]

        def insert(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.executemany(
                    f"INSERT {_INTO} ON CONFLICT (id) DO UPDATE SET "
                    "time = excluded.time, reason = excluded.reason, body = excluded.body, "
                    "attempts = attempts + 1",
                    rows,
                )

        self._change(insert)

    def refused_again(self, reasons: Iterable[tuple[str, str]]) -> None:
        """Give letters, named by their ids, a new reason and one attempt more; they stay in their place.

        Raises:
            OSError: The file cannot be written.
        """
        rows = [(clean_text(reason), letter_id) for letter_id, reason in reasons]

        def update(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.executemany(
                    "UPDATE dead_letters SET reason = ?, attempts = attempts + 1 WHERE id = ?", rows
                )

        self._change(update)

    def remove(self, ids: Sequence[str]) -> int:
        """Delete letters by their ids; returns how many were there.

        Raises:
            OSError: The file cannot be written.
        """
        if not self.path.exists():
            return 0
        return self._change(lambda connection: sum(_delete(connection, ids).values()))

    def read(
        self, selection: Selection = _ALL, *, after: Position | None = None, limit: int | None = None
    ) -> list[DeadLetter]:
        """Letters, oldest first.

        Args:
            selection: Which.
            after: Where the last reading ended.
            limit: At most this many.

        Raises:
            OSError: The file cannot be read.
        """
        condition, values = selection.condition()
        if after is not None:
            condition += " AND (time, id) > (?, ?)"
            values += [after.time, after.id]
        sql = f"SELECT {_COLUMNS} FROM dead_letters WHERE {condition} ORDER BY time, id LIMIT ?"  # noqa: S608
        rows: list[tuple[object, ...]] = self._look(
            lambda connection: connection.execute(sql, [*values, -1 if limit is None else limit]).fetchall(),
            [],
        )
        return [_letter(row) for row in rows]

    def count(self, selection: Selection = _ALL) -> int:
        """How many letters are meant.

        Raises:
            OSError: The file cannot be read.
        """
        condition, values = selection.condition()
        sql = f"SELECT count(*) FROM dead_letters WHERE {condition}"  # noqa: S608 - only marks
        return int(self._look(lambda connection: connection.execute(sql, values).fetchone()[0], 0))

    def look(self) -> Totals:
        """Count anew what waits, whoever wrote it.

        Raises:
            OSError: The file cannot be read.
        """
        self.totals = self._look(_totals, Totals({}))
        return self.totals

    def prune(
        self, *, keep: float | None = None, max_bytes: int | None = None, now: int | None = None
    ) -> dict[str, int]:
        """Delete the oldest letters that are beyond the bounds.

        Args:
            keep: Seconds that a letter is kept.
            max_bytes: The most bytes of all letters.
            now: The present time in nanoseconds.

        Returns:
            How many went, by sink.

        Raises:
            OSError: The file cannot be written.
        """
        gone: Counter[str] = Counter()
        if not self.path.exists():
            return gone
        if keep is not None:
            before = (time.time_ns() if now is None else now) - int(keep * 1e9)
            while removed := self._change(lambda connection: _delete_older(connection, before)):
                gone.update(removed)
        if max_bytes is not None:
            while removed := self._change(lambda connection: _delete_excess(connection, max_bytes)):
                gone.update(removed)
        if gone:
            self._change(_give_back_space)
        return gone

    def _look(self, work: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        return self._use(work, connect_to_read) if self.path.exists() else nothing

    def _change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def then_count(connection: sqlite3.Connection) -> T:
            answer = work(connection)
            self.totals = _totals(connection)
            return answer

        return self._use(then_count)

    def _use(
        self,
        work: Callable[[sqlite3.Connection], T],
        open_it: Callable[[Path], sqlite3.Connection] = connect,
    ) -> T:
        """Work with the file, through one replacement of a damaged one if need be."""
        for last in (False, True):
            try:
                with _using, closing(open_it(self.path)) as connection:
                    return work(connection)
            except sqlite3.Error as error:
                if last or not is_damage(error):
                    raise OSError(f"{self.path}: {error}") from error
                with _using:
                    _replace(self.path, error)
        raise AssertionError  # the second turn returns or raises


#: One use at a time: a process must not look at the bytes of a file that it has open, which would give up the
#: locks of SQLite.
_using = registered(threading.RLock())


def _make_anew() -> None:
    global _using  # noqa: PLW0603 - in a fork's child, where nobody is at work here
    _using = registered(threading.RLock())


fork.register(Stage.DEAD_LETTERS, in_child=_make_anew)


def _replace(path: Path, error: sqlite3.Error) -> None:
    """Quarantine a damaged file, unless another process has done so meanwhile."""
    try:
        with closing(connect(path)) as connection:
            sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except sqlite3.Error as still:
        sound = not is_damage(still)
    if not sound:
        quarantined = quarantine(path)
        saved = _carry_over(quarantined, path)
        report(
            f"dead_letters.damage.{path}",
            "the dead letters %s are damaged (%s); the file was quarantined as %s and a new one begun, "
            "with the %d letters that could be read",
            path,
            error,
            quarantined,
            saved,
            level=logging.ERROR,
        )


def _carry_over(damaged: Path, path: Path) -> int:
    """Copy what can still be read; returns how many letters."""
    try:
        with closing(connect(path)) as connection:
            found = letters_in(damaged)
            while chunk := list(islice(found, _CHUNK)):
                with transaction(connection):
                    connection.executemany(f"INSERT OR IGNORE {_INTO}", map(_row, chunk))
            return _totals(connection).count
    except sqlite3.Error as error:
        raise OSError(f"{path}: {error}; what was there is in {damaged}") from error


def _row(letter: DeadLetter) -> tuple[object, ...]:
    return letter.id, letter.time, letter.sink, letter.reason, letter.place, letter.body, letter.attempts


def _letter(row: tuple[object, ...]) -> DeadLetter:
    """A row as a letter, also one that was written by hand: its body may be text or nothing."""
    sink, reason, body, place, letter_id, when, attempts = row
    data = body if isinstance(body, bytes) else str(body).encode("utf-8", "backslashreplace")
    return DeadLetter(
        str(sink), str(reason), data, str(place), str(letter_id), _number(when), _number(attempts)
    )


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _totals(connection: sqlite3.Connection) -> Totals:
    rows = connection.execute("SELECT sink, letters, bytes FROM totals WHERE letters > 0").fetchall()
    (oldest,) = connection.execute("SELECT min(time) FROM dead_letters").fetchone()
    return Totals({sink: letters for sink, letters, _ in rows}, sum(row[2] for row in rows), oldest)


def _delete(connection: sqlite3.Connection, ids: Sequence[str]) -> Counter[str]:
    gone: Counter[str] = Counter()
    with transaction(connection):
        for letter_id in ids:
            rows = connection.execute("DELETE FROM dead_letters WHERE id = ? RETURNING sink", (letter_id,))
            gone.update(sink for (sink,) in rows.fetchall())
    return gone


def _delete_older(connection: sqlite3.Connection, before: int) -> Counter[str]:
    rows = connection.execute(
        "SELECT id FROM dead_letters WHERE time < ? ORDER BY time, id LIMIT ?", (before, _CHUNK)
    ).fetchall()
    return _delete(connection, [letter_id for (letter_id,) in rows])


def _delete_excess(connection: sqlite3.Connection, max_bytes: int) -> Counter[str]:
    excess = _totals(connection).size - max_bytes
    chosen: list[str] = []
    for letter_id, size in connection.execute(
        "SELECT id, length(body) FROM dead_letters ORDER BY time, id LIMIT ?", (_CHUNK,)
    ).fetchall():
        if excess <= 0:
            break
        chosen.append(letter_id)
        excess -= size
    return _delete(connection, chosen)


def _give_back_space(connection: sqlite3.Connection) -> None:
    connection.executescript("PRAGMA incremental_vacuum;")  # `execute` would free one page alone
