"""From a driver's error to what the worker should do. Pure; the only place that knows driver errors.

Permanent is only what the rows themselves are to blame for. A server that is away, full, busy or read-only,
and an account that was locked out, are transient: an operator will see to them. What neither list knows
becomes a plain :class:`SinkError`, which a worker tries a few times before it looks for the row at fault.
Messages are the server's own words without the values that it quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError as RowError
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.redaction.patterns import MASK

__all__ = ["DuplicateKey", "TableMissing", "as_sink_errors", "verdict"]


class DuplicateKey(SinkRejected):
    """A row has a key that is there already."""


class TableMissing(SinkUnavailable):
    """The table is gone; with ``provision: true`` it can be made anew."""


#: MySQL and MariaDB: what a row is to blame for.
_MYSQL_ROW_FAULTS = {
    1048,  # a column cannot be null
    1054,  # unknown column
    1136,  # column count does not match
    1153,  # packet larger than max_allowed_packet
    1216,  # foreign key
    1264,  # out of range
    1265,  # data truncated
    1292,  # incorrect value
    1364,  # no default value
    1366,  # incorrect string, or number
    1406,  # data too long
    1452,  # foreign key
    1644,  # a trigger's SIGNAL
    1690,  # a number out of range
    3140,  # invalid JSON
    3157,  # JSON too deep
    3158,  # JSON key too long
    3819,  # check constraint
    4025,  # check constraint (MariaDB)
}
_MYSQL_DUPLICATE = {1062, 1586}
_MYSQL_TABLE_MISSING = {1146}
#: MySQL and MariaDB: syntax that their parser refuses, which is our fault, and nobody's row or server.
_MYSQL_UNKNOWN = {1064, 1149}

#: PostgreSQL, by SQLSTATE or its class of two characters; longer codes win.
_POSTGRESQL = {
    "22": SinkRejected,  # data exceptions
    "23": SinkRejected,  # integrity
    "23505": DuplicateKey,
    "42703": SinkRejected,  # undefined column
    "42804": SinkRejected,  # datatype mismatch
    "54": SinkRejected,  # program limits, such as the size of an index row
    "P0001": SinkRejected,  # a trigger's RAISE
    "42P01": TableMissing,
    "42501": SinkUnavailable,  # insufficient privilege
    "42": SinkError,  # syntax
    "0A": SinkError,  # feature not supported
}

#: What SQLite says when a row itself is at fault, though it says so by an operational error.
_SQLITE_ROW_FAULTS = re.compile(
    r"string or blob too big|too many sql variables|has no column named", re.IGNORECASE
)
_SQLITE_DUPLICATE = "UNIQUE constraint failed"
_SQLITE_TABLE_MISSING = "no such table"

#: The parts of messages where servers quote what was to be stored.
_QUOTED_VALUE = re.compile(r"(value:?|entry|type [\w ]+:) (?:'.*?'(?= for | at |$)|\".*\")", re.DOTALL)


@contextmanager
def as_sink_errors() -> Iterator[None]:
    """Turn whatever the driver raises into what a worker understands."""
    try:
        yield
    except SinkError:
        raise
    except Exception as error:  # noqa: BLE001 - drivers raise all sorts when a connection breaks
        raise verdict(error) from None


def verdict(error: Exception) -> SinkError:
    """Return the sink error that a driver's error means: permanent only when the rows are at fault."""
    if isinstance(error, TimeoutError) and not error.args:
        return SinkUnavailable("the database did not answer in time")
    message = _message(error)
    if isinstance(error, UnicodeEncodeError | OverflowError):
        return SinkRejected(f"a value cannot be stored: {message}")
    if isinstance(error, DBAPIError):
        return _verdict_of(error)(message)
    if isinstance(error, StatementError):
        return SinkRejected(message)  # SQLAlchemy could not put the values into the statement
    if isinstance(error, OSError | PoolTimeout):
        return SinkUnavailable(message)
    return SinkError(message)


def _verdict_of(error: DBAPIError) -> type[SinkError]:
    original = error.orig
    state = getattr(original, "sqlstate", None)
    if isinstance(state, str):
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2], SinkUnavailable)
    arguments = original.args if original is not None else ()
    if arguments and isinstance(arguments[0], int):
        return _mysql_verdict(arguments[0])
    return _verdict_by_class(error)


def _mysql_verdict(code: int) -> type[SinkError]:
    for codes, kind in (
        (_MYSQL_DUPLICATE, DuplicateKey),
        (_MYSQL_TABLE_MISSING, TableMissing),
        (_MYSQL_ROW_FAULTS, SinkRejected),
        (_MYSQL_UNKNOWN, SinkError),
    ):
        if code in codes:
            return kind
    return SinkUnavailable


def _verdict_by_class(error: DBAPIError) -> type[SinkError]:
    """Go by the kind of error where there is no code: SQLite, and what drivers raise by themselves."""
    message = str(error.orig)
    if isinstance(error, IntegrityError):
        return DuplicateKey if _SQLITE_DUPLICATE in message else SinkRejected
    if isinstance(error, RowError):
        return SinkRejected
    if isinstance(error, InterfaceError) and isinstance(getattr(error.orig, "__cause__", None), ValueError):
        return SinkRejected  # asyncpg could not put the values into the statement
    if isinstance(error, OperationalError) and _SQLITE_ROW_FAULTS.search(message):
        return SinkRejected
    if isinstance(error, OperationalError) and _SQLITE_TABLE_MISSING in message:
        return TableMissing
    return SinkUnavailable


def _message(error: Exception) -> str:
    """The driver's own words, without the statement, and without the values that it or SQLAlchemy quotes."""
    if isinstance(error, UnicodeEncodeError):
        return error.reason  # the whole text of the error quotes what was logged
    original = getattr(error, "orig", None) or error
    cause = getattr(original, "__cause__", None)
    if hasattr(original, "sqlstate") and cause is not None:
        original = cause  # SQLAlchemy's copy of asyncpg's error has its class in front of the words
    arguments = original.args
    if len(arguments) == 2 and isinstance(arguments[0], int) and not isinstance(original, OSError):  # noqa: PLR2004 - MySQL's code and words
        text = f"{arguments[1]} ({arguments[0]})"
    else:
        text = str(original)
    lines = text.splitlines()
    return _QUOTED_VALUE.sub(rf"\1 {MASK}", lines[0]) if lines and lines[0] else type(original).__name__
