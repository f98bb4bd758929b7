"""Rows as SQL literals, for MySQL and MariaDB, whose driver takes longer to write values than to send them.

A text is put between single quotes, where only the quote, the backslash and U+0000 mean something to the
server; a session with ``NO_BACKSLASH_ESCAPES`` takes the backslash as it is. Columns are written one after
the other, so that one search shows for a whole column that nothing in it needs an escape. Pure.

In the bytes of UTF-8 a quote or a backslash is always the character; in GBK, Big5 or Shift-JIS it may be half
of another one, see :func:`may_write`. Source: MySQL 8.4 Reference Manual, "String Literals" and
"mysql_real_escape_string()"; MariaDB Knowledge Base, "String Literals".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["LONGEST_STATEMENT", "may_write", "statements", "written"]

#: The most bytes of a statement of more than one row, as the driver joins them.
LONGEST_STATEMENT = 1_024_000

#: Of the connection; in their bytes, ASCII stands for itself alone.
_SAFE_CHARSETS = frozenset({"utf8mb4", "utf8mb3", "utf8"})
_NO_BACKSLASH_ESCAPES = 512  # of the server's status flags, in each of its answers


def may_write(connection: Any) -> bool:
    """Return whether the rules of this module hold on a driver's connection."""
    return connection.charset in _SAFE_CHARSETS


def written(rows: Sequence[Sequence[Any]], server_status: int) -> list[bytes]:
    """Return rows as SQL, each between its parentheses.

    Args:
        rows: At least one, all of one length: of ``str``, ``int``, finite ``float`` and ``None``.
        server_status: The flags of the server's last answer on this connection.

    Raises:
        TypeError: A value is of another type.
        ValueError: A text cannot be written in UTF-8, or a number is infinite.
    """
    backslash = not server_status & _NO_BACKSLASH_ESCAPES
    columns = [_literals(column, backslash=backslash) for column in zip(*rows, strict=True)]
    return [f"({','.join(row)})".encode() for row in zip(*columns, strict=True)]


def statements(insert: str, made: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the statements that insert rows, each of one row or of :data:`LONGEST_STATEMENT` bytes at most.

    Args:
        insert: The statement up to and with ``VALUES``.
        made: The rows as SQL, at least one.
    """
    start = insert.encode() + b" "
    first, size = 0, len(start)
    for index, row in enumerate(made):
        if size + len(row) > LONGEST_STATEMENT and index > first:
            yield start + b",".join(made[first:index])
            first, size = index, len(start)
        size += len(row) + 1
    yield start + b",".join(made[first:])


def _literals(column: tuple[Any, ...], *, backslash: bool) -> Sequence[str]:
    kinds = set(map(type, column))
    if kinds == {str}:
        return _texts(column, backslash=backslash)
    if kinds == {int}:
        return list(map(str, column))
    if len(kinds) == 1 and column[0] is None:
        return ("NULL",) * len(column)
    return [_literal(value, backslash=backslash) for value in column]


def _texts(column: Sequence[str], *, backslash: bool) -> list[str]:
    together = "".join(column)
    if backslash and ("\\" in together or "\0" in together):
        column = [text.replace("\\", "\\\\").replace("\0", "\\0") for text in column]
    if "'" in together:
        column = [text.replace("'", "''") for text in column]
    return [f"'{text}'" for text in column]


def _literal(value: Any, *, backslash: bool) -> str:
    if value is None:
        return "NULL"
    if type(value) is str:
        return _texts((value,), backslash=backslash)[0]
    if type(value) is int:
        return str(value)
    if type(value) is float and value - value == 0.0:  # neither infinite nor not a number
        # With an exponent it is a DOUBLE; without, the server would read a DECIMAL.
        text = repr(value)
        return text if "e" in text else f"{text}e0"
    if type(value) is float:
        raise ValueError(f"{value} is no number that the database has")
    raise TypeError(f"a value of type {type(value).__qualname__} has no literal")
