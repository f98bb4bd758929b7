"""From a driver's error to what the worker should do."""

import sqlite3

import pymysql
import pytest
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.sinks.sql.verdicts import (
    _NO_LETTER_ADVICE,
    _SQLITE_DAMAGED_ADVICE,
    DuplicateKey,
    RowsMustWait,
    TableMissing,
    is_useless,
    verdict,
)

STATEMENT = "INSERT INTO audit_log VALUES ('a secret value')"


def operational(message: str) -> OperationalError:
    return OperationalError(STATEMENT, {"user": "a secret value"}, sqlite3.OperationalError(message))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (operational("database is locked"), SinkUnavailable("database is locked")),
        (operational("database or disk is full"), SinkUnavailable("database or disk is full")),
        (operational("disk I/O error"), SinkUnavailable("disk I/O error")),
        (operational("no such table: audit_log"), TableMissing("no such table: audit_log")),
        (operational("table a has no column named b"), TableMissing("table a has no column named b")),
        (operational("string or blob too big"), SinkRejected("string or blob too big")),
        (
            DatabaseError(STATEMENT, None, sqlite3.DatabaseError("file is not a database")),
            SinkUnavailable(f"file is not a database: {_SQLITE_DAMAGED_ADVICE}"),
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


def mysql(code: int, message: str = "words") -> DBAPIError:
    return OperationalError(STATEMENT, None, pymysql.err.OperationalError(code, message))


@pytest.mark.parametrize("code", [1406, 1153, 1264, 1366, 1048, 3140, 3157, 3819, 4025, 1452, 1644])
def test_mysql_blames_the_row(code: int) -> None:
    found = verdict(mysql(code))
    assert (type(found), str(found)) == (SinkRejected, f"words ({code})")


@pytest.mark.parametrize(
    "code",
    [
        1213,
        1205,
        2003,
        2006,
        2013,
        1040,
        1203,
        1290,
        1836,
        1792,
        1044,
        1045,
        1142,
        1049,
        1021,
        1114,
        1030,
        3024,
        1969,
        3,
    ],
)
def test_mysql_asks_to_wait(code: int) -> None:
    assert type(verdict(mysql(code))) is SinkUnavailable


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1062, DuplicateKey),
        (1146, TableMissing),
        (1054, TableMissing),
        (1364, SinkUnavailable),
        (1064, SinkError),
    ],
)
def test_mysql_says_more_than_yes_or_no(code: int, expected: type[SinkError]) -> None:
    assert type(verdict(mysql(code))) is expected


class Postgres(Exception):
    def __init__(self, sqlstate: str | None, message: str = "words") -> None:
        self.sqlstate = sqlstate
        super().__init__(message)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("22001", SinkRejected),  # too long
        ("22003", SinkRejected),  # out of range
        ("22021", SinkRejected),  # U+0000
        ("22P02", SinkRejected),  # invalid text
        ("23502", SinkRejected),  # not null
        ("23503", SinkRejected),  # foreign key
        ("23514", SinkRejected),  # check
        ("22P05", RowsMustWait),  # a letter that the database's encoding lacks
        ("42703", TableMissing),  # unknown column
        ("42804", SinkUnavailable),  # a column of another type
        ("42883", SinkUnavailable),  # a trigger's function is gone
        ("0A000", SinkUnavailable),
        ("54000", SinkRejected),  # an index row too large
        ("P0001", SinkRejected),  # a trigger
        ("23505", DuplicateKey),
        ("42P01", TableMissing),
        ("42601", SinkError),  # syntax
        ("42501", SinkUnavailable),  # no privilege
        ("28P01", SinkUnavailable),  # wrong password
        ("3D000", SinkUnavailable),  # no such database
        ("40001", SinkUnavailable),  # serialization
        ("40P01", SinkUnavailable),  # deadlock
        ("55P03", SinkUnavailable),  # lock timeout
        ("57014", SinkUnavailable),  # statement timeout
        ("57P01", SinkUnavailable),  # shutdown
        ("53300", SinkUnavailable),  # too many connections
        ("53100", SinkUnavailable),  # disk full
        ("25006", SinkUnavailable),  # read-only
        ("08006", SinkUnavailable),  # connection failure
        ("XX000", SinkUnavailable),
        (None, SinkUnavailable),
    ],
)
def test_postgresql_speaks_by_sqlstate(state: str | None, expected: type[SinkError]) -> None:
    assert type(verdict(DBAPIError(STATEMENT, None, Postgres(state)))) is expected


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        (
            "Duplicate entry 'a secret value' for key 'audit_log.x'",
            "Duplicate entry *** for key 'audit_log.x'",
        ),
        (
            "Incorrect string value: '\\xF0 secret' for column 'c' at row 1",
            f"Incorrect string value: *** for column 'c' at row 1{_NO_LETTER_ADVICE}",
        ),
        (
            "Incorrect integer value: 'it's secret' for column 'c'",
            "Incorrect integer value: *** for column 'c'",
        ),
        ("Data too long for column 'user_id' at row 1", "Data too long for column 'user_id' at row 1"),
        ("Access denied for user 'u'@'localhost'", "Access denied for user 'u'@'localhost'"),
        ('invalid input syntax for type integer: "a secret"', "invalid input syntax for type integer: ***"),
        ('relation "audit_log" does not exist', 'relation "audit_log" does not exist'),
    ],
)
def test_values_that_a_server_quotes_are_masked(message: str, masked: str) -> None:
    assert str(verdict(DBAPIError(STATEMENT, None, Postgres("22000", message)))) == masked


def test_what_nobody_knows_is_left_to_the_worker() -> None:
    assert type(verdict(RuntimeError("readexactly() called twice"))) is SinkError


def test_a_wait_that_ran_out_says_so() -> None:
    found = verdict(TimeoutError())
    assert (type(found), str(found)) == (
        SinkUnavailable,
        "the database did not answer in time (statement_timeout; of a write, retry.timeout)",
    )


@pytest.mark.parametrize("code", [1290, 1792, 1836, 1820, 3032])
def test_b2_a_connection_that_will_always_be_refused_is_of_no_use(code: int) -> None:
    assert is_useless(pymysql.err.OperationalError(code, "words"))
    assert not is_useless(pymysql.err.OperationalError(1213, "deadlock"))


@pytest.mark.parametrize("state", ["25006", "26000", "42P05"])
def test_b2_so_is_one_of_postgresqls(state: str) -> None:
    assert is_useless(Postgres(state))
    assert not is_useless(Postgres("40P01"))
    assert not is_useless(Postgres(None))
