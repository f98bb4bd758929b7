"""From a driver's error to what the worker should do. Pure; the only place that knows driver errors.

Permanent is only what the rows themselves are to blame for. A server that is away, full, busy or read-only,
and an account that was locked out, are transient: an operator fixes it. What neither list knows
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
from logweir.redaction.scan import MASK

__all__ = [
    "DuplicateKey",
    "ReadOnlyFile",
    "RowsMustWait",
    "TableMissing",
    "as_sink_errors",
    "is_locked",
    "is_useless",
    "lacks_right",
    "verdict",
]


class DuplicateKey(SinkRejected):
    """A row has a key that is there already."""


class TableMissing(SinkUnavailable):
    """The table, or a column of it, is gone; with ``provision: true`` it can be made anew."""


class ReadOnlyFile(SinkUnavailable):
    """The connection to a file of SQLite cannot write; a new one may be able to."""


class RowsMustWait(SinkUnavailable):
    """There is no place yet for some rows, and there is for others: a partition, or a letter, is missing."""


#: MySQL and MariaDB: what a row is to blame for. Source: MySQL 8.0 Error Message Reference, "Server Error
#: Message Reference", whose names these are; MariaDB documentation, "MariaDB Error Code Reference", for 4025.
_MYSQL_ROW_FAULTS = {
    1048,  # ER_BAD_NULL_ERROR
    1153,  # ER_NET_PACKET_TOO_LARGE: larger than max_allowed_packet
    1216,  # ER_NO_REFERENCED_ROW: foreign key
    1264,  # ER_WARN_DATA_OUT_OF_RANGE
    1265,  # WARN_DATA_TRUNCATED
    1292,  # ER_TRUNCATED_WRONG_VALUE
    1366,  # ER_TRUNCATED_WRONG_VALUE_FOR_FIELD: an incorrect number; letters are another matter, see below
    1406,  # ER_DATA_TOO_LONG
    1452,  # ER_NO_REFERENCED_ROW_2: foreign key
    1644,  # ER_SIGNAL_EXCEPTION: a trigger's SIGNAL
    1690,  # ER_DATA_OUT_OF_RANGE: a number
    3140,  # ER_INVALID_JSON_TEXT
    3157,  # ER_JSON_DOCUMENT_TOO_DEEP
    3158,  # ER_JSON_DOCUMENT_NULL_KEY
    3819,  # ER_CHECK_CONSTRAINT_VIOLATED
    4025,  # ER_CONSTRAINT_FAILED (MariaDB): check constraint
}
_MYSQL_DUPLICATE = {1062, 1586}  # ER_DUP_ENTRY, ER_DUP_ENTRY_WITH_KEY_NAME
_MYSQL_TABLE_MISSING = {1146, 1054}  # ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR: unknown column
_MYSQL_NO_PARTITION = {1526, 1591}  # ER_NO_PARTITION_FOR_GIVEN_VALUE, and its _SILENT
#: MySQL and MariaDB: the character set of a column lacks a letter. It is said by the code of a wrong number.
_MYSQL_NO_LETTER = "Incorrect string value"
_NO_LETTER_ADVICE = "; the column's character set lacks a letter: convert the table to utf8mb4, the row waits"
#: MySQL and MariaDB: a connection that will get the same answer for ever, whoever writes, while a new one may
#: reach another server or another state of this one.
_MYSQL_USELESS = {
    1290,  # ER_OPTION_PREVENTS_STATEMENT: --read-only, --super-read-only
    1792,  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: the session began on a server that was read only
    1820,  # ER_MUST_CHANGE_PASSWORD: it expired
    1836,  # ER_READ_ONLY_MODE
    1047,  # ER_UNKNOWN_COM_ERROR: a node of Galera that is not part of the cluster
    3032,  # ER_SERVER_OFFLINE_MODE
    3100,  # ER_RUN_HOOK_ERROR: a member that left its replication group
}
#: MySQL and MariaDB: a missing right. One that holds for a whole database, or for all, belongs to the login:
#: an open connection does not get it when it is granted.
_MYSQL_NO_RIGHT = {
    1044,  # ER_DBACCESS_DENIED_ERROR
    1142,  # ER_TABLEACCESS_DENIED_ERROR
    1143,  # ER_COLUMNACCESS_DENIED_ERROR
    1227,  # ER_SPECIFIC_ACCESS_DENIED_ERROR
}
#: MySQL and MariaDB: syntax that their parser refuses, which is our fault, and nobody's row or server.
_MYSQL_UNKNOWN = {1064, 1149}  # ER_PARSE_ERROR, ER_SYNTAX_ERROR

#: PostgreSQL, by SQLSTATE or its class of two characters; longer codes win. What is not here is transient:
#: classes 08 (connection), 25 (read-only), 28 (login), 40 (deadlock), 53 (resources), 57 (shutdown), 58
#: (I/O). Source: PostgreSQL 17 documentation, Appendix A, "PostgreSQL Error Codes".
_POSTGRESQL = {
    "22": SinkRejected,  # data exceptions
    "23": SinkRejected,  # integrity
    "23505": DuplicateKey,  # unique_violation
    "22P05": RowsMustWait,  # untranslatable_character: the database's encoding lacks it
    "42703": TableMissing,  # undefined_column
    "54": SinkRejected,  # program limits, such as the size of an index row
    "P0001": SinkRejected,  # raise_exception: a trigger's RAISE
    "42P01": TableMissing,  # undefined_table
    "42601": SinkError,  # syntax_error, which is our fault
}
#: PostgreSQL: the same for its connections; `26000` and `42P05` are what prepared statements meet behind a
#: pooler that gives each transaction another connection of its own.
_POSTGRESQL_USELESS = {"25006", "26000", "42P05"}

#: What a pooler in transaction mode answers to a client that does not know of it.
_POOLER = re.compile(r"unsupported startup parameter|prepared statement .* (?:does not exist|already exists)")
_POOLER_ADVICE = "; is there a pooler such as PgBouncer before the server? Set pooler: true"

#: PostgreSQL says it as a check violation (23514), and only its words differ from those of a constraint.
_POSTGRESQL_NO_PARTITION = "no partition of relation"

#: What SQLite says when a row itself is at fault, though it says so by an operational error. Its driver gives
#: words where others give codes. Source: SQLite documentation, "Limits In SQLite" (SQLITE_LIMIT_LENGTH and
#: SQLITE_LIMIT_VARIABLE_NUMBER) and "Result and Error Codes" (SQLITE_CONSTRAINT_UNIQUE, SQLITE_ERROR).
_SQLITE_ROW_FAULTS = re.compile(r"string or blob too big|too many sql variables", re.IGNORECASE)
_SQLITE_DUPLICATE = "UNIQUE constraint failed"
_SQLITE_TABLE_MISSING = re.compile("no such table|has no column named")
_SQLITE_LOCKED = "database is locked"  # SQLITE_BUSY
_SQLITE_READ_ONLY = "attempt to write a readonly database"  # SQLITE_READONLY, and its READONLY_DBMOVED

#: SQLITE_CORRUPT and SQLITE_NOTADB: no later attempt can succeed; an operator saves what was stored.
_SQLITE_DAMAGED = re.compile(r"disk image is malformed|file is not a database|unsupported file format")
_SQLITE_DAMAGED_ADVICE = (
    "the file is damaged: end its writers, keep a copy, let `sqlite3 FILE .recover` save what is whole, and "
    "put the result in its place; what is to be stored waits"
)

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
        return SinkUnavailable(
            "the database did not answer in time (statement_timeout; of a write, retry.timeout)"
        )
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


def is_useless(error: BaseException) -> bool:
    """Whether the connection is of no use any more, though the server keeps it open: a driver's error."""
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state in _POSTGRESQL_USELESS
    return bool(error.args) and error.args[0] in _MYSQL_USELESS


def lacks_right(error: DBAPIError) -> bool:
    """Whether a right is missing that only a new connection would have once it is granted."""
    arguments = error.orig.args if error.orig is not None else ()
    return bool(arguments) and arguments[0] in _MYSQL_NO_RIGHT


def is_locked(error: OperationalError) -> bool:
    """Whether another process has the SQLite file for itself just now."""
    return _SQLITE_LOCKED in str(error.orig)


def _verdict_of(error: DBAPIError) -> type[SinkError]:
    original = error.orig
    state = getattr(original, "sqlstate", None)
    if isinstance(state, str):
        if _POSTGRESQL_NO_PARTITION in str(original):
            return RowsMustWait
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2], SinkUnavailable)
    arguments = original.args if original is not None else ()
    if arguments and isinstance(arguments[0], int):
        return _mysql_verdict(arguments[0], str(arguments[1:]))
    return _verdict_by_class(error)


def _mysql_verdict(code: int, words: str) -> type[SinkError]:
    if _MYSQL_NO_LETTER in words:
        return RowsMustWait
    for codes, kind in (
        (_MYSQL_DUPLICATE, DuplicateKey),
        (_MYSQL_TABLE_MISSING, TableMissing),
        (_MYSQL_NO_PARTITION, RowsMustWait),
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
    if isinstance(error, OperationalError) and _SQLITE_TABLE_MISSING.search(message):
        return TableMissing
    if isinstance(error, OperationalError) and _SQLITE_READ_ONLY in message:
        return ReadOnlyFile
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
    words = _QUOTED_VALUE.sub(rf"\1 {MASK}", lines[0]) if lines and lines[0] else type(original).__name__
    if _MYSQL_NO_LETTER in words:
        return words + _NO_LETTER_ADVICE
    if _POOLER.search(words):
        return words + _POOLER_ADVICE
    return f"{words}: {_SQLITE_DAMAGED_ADVICE}" if _SQLITE_DAMAGED.search(words) else words
