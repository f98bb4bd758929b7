"""Rows as one text for each column, for PostgreSQL, which splits them: one statement inserts a batch.

Given row by row, the server runs a statement for each of them, at twice the processor time; given as arrays,
the driver encodes value by value in Python. A text is joined and sent at the cost of its bytes, and arrives
as it is: nothing in it is escaped. What a text column is given remains subject to the column's length. Pure.

Source: PostgreSQL 17 documentation, "String Functions and Operators" (``string_to_array``) and "Set Returning
Functions" (``unnest``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect, String, Table

__all__ = ["insert_of", "joined"]

#: Between values, and in place of NULL; a batch that has one of them in a text is left to the driver.
_SEPARATOR, _NULL = "\x1e", "\x1f"
_SPLIT = "string_to_array(${}::text, chr(30), chr(31))"


def insert_of(start: str, table: Table, dialect: Dialect) -> str:
    """Return the statement that inserts rows given as :func:`joined` makes them.

    Args:
        start: The statement up to its rows, with the names of all columns.
        table: Where the rows go.
        dialect: How types are written.
    """
    numbers = range(1, len(table.columns) + 1)
    # Not for texts: a cast would cut what is too long for the column, where an INSERT refuses it.
    values = [
        f"v{number}" if isinstance(column.type, String) else f"v{number}::{column.type.compile(dialect)}"
        for number, column in zip(numbers, table.columns, strict=True)
    ]
    arrays = ", ".join(map(_SPLIT.format, numbers))
    names = ", ".join(f"v{number}" for number in numbers)
    return f"{start} SELECT {', '.join(values)} FROM unnest({arrays}) AS given ({names})"  # noqa: S608 - ours


def joined(rows: Sequence[Sequence[Any]]) -> list[str] | None:
    """Return the texts of the columns, or None where the rows cannot be given so.

    Args:
        rows: All of one length: of ``str``, ``int``, ``float`` and ``None``.
    """
    gaps = len(rows) - 1
    if gaps < 1:
        return None  # one empty text would be split into no value at all
    columns = []
    for column in zip(*rows, strict=True):
        text, nulls = _joined(column)
        if text.count(_SEPARATOR) != gaps or text.count(_NULL) != nulls:
            return None
        columns.append(text)
    return columns


def _joined(column: tuple[Any, ...]) -> tuple[str, int]:
    """A column as one text, and how often it is NULL."""
    try:
        return _SEPARATOR.join(column), 0
    except TypeError:  # not texts alone
        pass
    nulls = len(column) - len([None for value in column if value is not None])
    texts = map(str, column) if not nulls else [_NULL if value is None else str(value) for value in column]
    return _SEPARATOR.join(texts), nulls
