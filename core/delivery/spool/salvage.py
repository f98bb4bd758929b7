"""Salvage: what the open connections of a damaged queue file can still read.

Best effort and never an error. A table is read from its front until a row fails, then from its back until
a row fails; what lies between is asked for row by row. A row counts only with the sinks that wait for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

from logweir.delivery.spool.spool_file import Record, Row, read_in_turn

__all__ = ["salvage"]

#: Rows that are asked for one by one; a limit, because each may fail slowly.
_MAX_SINGLE_READS = 100_000
_ORDERS = ("ASC", "DESC")


def salvage(connection: sqlite3.Connection) -> Iterator[Record]:
    """Yield every record that can still be read, each once, in no certain order."""
    waiting = _waiting(connection)
    if not waiting:
        return
    missing = dict(waiting)
    for order in _ORDERS:
        statement = f"SELECT seq, time, size, body, sum FROM bodies ORDER BY seq {order}"  # noqa: S608 - a constant
        for values in read_in_turn(connection, statement):
            if isinstance(values[0], int) and values[0] not in missing and values[0] in waiting:
                break
            yield from _record(values, missing)
        if not missing:
            return
    for seq in list(missing)[:_MAX_SINGLE_READS]:
        for values in read_in_turn(
            connection, "SELECT seq, time, size, body, sum FROM bodies WHERE seq = ?", seq
        ):
            yield from _record(values, missing)


def _waiting(connection: sqlite3.Connection) -> dict[int, list[str]]:
    """The sinks that wait, by ``seq``."""
    found: set[tuple[str, int]] = set()
    for order in _ORDERS:
        statement = f"SELECT sink, seq FROM pending ORDER BY sink {order}, seq {order}"  # noqa: S608 - a constant
        for sink, seq in read_in_turn(connection, statement):
            if isinstance(sink, str) and isinstance(seq, int):
                found.add((sink, seq))
    waiting: dict[int, list[str]] = {}
    for sink, seq in sorted(found):
        waiting.setdefault(seq, []).append(sink)
    return waiting


def _record(values: tuple[object, ...], missing: dict[int, list[str]]) -> Iterator[Record]:
    seq, time, size, body, found = values
    if isinstance(seq, int):
        row = Row.verified(seq, time, size, body, found if isinstance(found, int) else None)
        if row.sound:
            with suppress(KeyError):
                yield Record(row, missing.pop(seq))
