"""From a driver's error to what the worker should do."""

import sqlite3

import pytest
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.sinks.sql.verdicts import verdict

STATEMENT = "INSERT INTO audit_log VALUES ('a secret value')"


def operational(message: str) -> OperationalError:
    return OperationalError(STATEMENT, {"user": "a secret value"}, sqlite3.OperationalError(message))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (operational("database is locked"), SinkUnavailable("database is locked")),
        (operational("database or disk is full"), SinkUnavailable("database or disk is full")),
        (operational("disk I/O error"), SinkUnavailable("disk I/O error")),
        (operational("no such table: audit_log"), SinkUnavailable("no such table: audit_log")),
        (operational("string or blob too big"), SinkRejected("string or blob too big")),
        (
            DatabaseError(STATEMENT, None, sqlite3.DatabaseError("file is not a database")),
            SinkUnavailable("file is not a database"),
        ),
        (
            IntegrityError(STATEMENT, None, sqlite3.IntegrityError("NOT NULL constraint failed: x.kind")),
            SinkRejected("NOT NULL constraint failed: x.kind"),
        ),
        (DataError(STATEMENT, None, Exception("out of range")), SinkRejected("out of range")),
        (InterfaceError(STATEMENT, None, Exception("gone")), SinkUnavailable("gone")),
        (StatementError("why", STATEMENT, None, TypeError("no JSON")), SinkRejected("no JSON")),
        (PoolTimeout("no connection came free"), SinkUnavailable("no connection came free")),
        (OSError(28, "No space left on device"), SinkUnavailable("[Errno 28] No space left on device")),
        (OverflowError("too large"), SinkRejected("a value cannot be stored: too large")),
        (operational(""), SinkUnavailable("OperationalError")),
    ],
    ids=str,
)
def test_an_error_is_permanent_only_when_a_row_is_at_fault(error: Exception, expected: SinkError) -> None:
    found = verdict(error)
    assert (type(found), str(found)) == (type(expected), str(expected))


def test_no_verdict_quotes_what_was_logged() -> None:
    try:
        "a secret \ud800".encode()
    except UnicodeEncodeError as error:
        assert "secret" not in str(verdict(error))
    assert "secret" not in str(verdict(operational("database is locked")))
