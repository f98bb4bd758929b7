from typing import Any

import pytest
from bson.errors import InvalidDocument
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    CursorNotFound,
    DocumentTooLarge,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.sinks.mongodb.verdicts import Failures, reason_of, verdict


def bulk_error(*errors: dict[str, Any], concern: bool = False) -> BulkWriteError:
    concerns = [{"code": 64, "errmsg": "waiting for replication timed out"}] if concern else []
    return BulkWriteError({"writeErrors": list(errors), "writeConcernErrors": concerns})


def entry(index: int, code: int, message: str = "", **more: Any) -> dict[str, Any]:
    return {"index": index, "code": code, "errmsg": message, **more}


def failures_of(error: BulkWriteError, size: int) -> Failures:
    failures = Failures()
    failures.add_bulk(error, range(size))
    return failures


MONGODBS = 'E11000 duplicate key error collection: db.logs index: _id_ dup key: { _id: "0199" }'
FERRETDBS = "Duplicate key violation on the requested collection: Index '_id_'"


@pytest.mark.parametrize(
    "found",
    [
        entry(0, 11000, MONGODBS),
        entry(0, 11000, FERRETDBS),
        entry(0, 11000, "whatever", keyPattern={"_id": 1}),
    ],
)
def test_an_id_that_is_there_is_a_duplicate(found: dict[str, Any]) -> None:
    failures = failures_of(bulk_error(found), 2)
    assert failures.duplicate == {0}
    assert not failures.rejected


@pytest.mark.parametrize(
    "found",
    [
        entry(0, 11000, "E11000 duplicate key error collection: db.logs index: user_id_1 dup key: { x: 1 }"),
        entry(0, 11000, "E11000 duplicate key error collection: db.logs index: _id_1_user dup key: { x: 1 }"),
        entry(0, 11000, MONGODBS, keyPattern={"fields.order": 1}),
    ],
)
def test_a_value_that_a_users_own_index_keeps_unique_is_no_duplicate_event(found: dict[str, Any]) -> None:
    failures = failures_of(bulk_error(found), 1)
    assert not failures.duplicate
    assert "11000" in failures.rejected[0]


def test_each_document_has_its_own_verdict() -> None:
    failures = failures_of(
        bulk_error(
            entry(1, 11000, MONGODBS),
            entry(2, 121, "Document failed validation"),
            entry(3, 112, "write conflict"),
            entry(4, 57, "names with dots"),
            entry(5, 13, "not authorized"),
            entry(6, 1, "unexpected EOF"),
        ),
        8,
    )
    assert failures.duplicate == {1}
    assert failures.rejected == {2: "Document failed validation (code 121)"}
    assert failures.retry == {3, 5, 6}
    assert failures.retry_reason == "unexpected EOF (code 1)"
    assert list(failures.misshapen) == [4]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (371, "User writes blocked"),
        (8000, "you are over your space quota"),
        (20, "not allowed while the server is read only"),
        (4711, "who knows"),
        (1, "cannot execute INSERT in a read-only transaction"),
    ],
)
def test_b1_what_the_server_or_the_account_is_to_blame_for_waits_document_by_document(
    code: int, said: str
) -> None:
    failures = Failures()
    failures.add_bulk(bulk_error(entry(0, code, said)), [0])
    assert (failures.retry, failures.rejected) == ({0}, {})


def test_what_the_majority_has_not_confirmed_is_sent_again() -> None:
    failures = failures_of(bulk_error(entry(0, 11000, MONGODBS), entry(1, 121, "no"), concern=True), 4)
    assert failures.retry == {0, 2, 3}
    assert failures.retry_reason == "written, and not confirmed: waiting for replication timed out (code 64)"
    assert not failures.duplicate
    assert list(failures.rejected) == [1]


@given(st.lists(st.sampled_from([11000, 121, 112, 57, 13, 4711]), max_size=8), st.booleans())
def test_no_document_has_two_verdicts_and_indexes_are_the_batchs(codes: list[int], concern: bool) -> None:
    errors = [entry(index, code, MONGODBS) for index, code in enumerate(codes)]
    together = Failures()
    together.add_bulk(bulk_error(*errors, concern=concern), range(100, 100 + len(codes)))
    verdicts = [*together.duplicate, *together.retry, *together.misshapen, *together.rejected]
    assert len(verdicts) == len(set(verdicts))
    assert all(100 <= index < 100 + len(codes) for index in verdicts)
    assert len(verdicts) == len(codes)


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        NotPrimaryError("not primary"),
        ServerSelectionTimeoutError("127.0.0.1:1: [Errno 111] Connection refused"),
        WTimeoutError("waiting for replication timed out", 64),
        OperationFailure("Authentication failed.", 18),
        OperationFailure("not authorized on db to execute command", 13),
        OperationFailure("interrupted at shutdown", 11600),
        OperationFailure("the database system is in recovery mode", 1),
        OperationFailure("busy", 4711, {"errorLabels": ["RetryableWriteError"]}),
        OperationFailure("who knows", 4711),
        OperationFailure("User writes blocked", 371),
        OperationFailure("you are over your space quota, using 513 MB of 512 MB", 8000),
        OperationFailure("cannot execute INSERT in a read-only transaction", 1),
        CursorNotFound("gone", 43),
        ConfigurationError("no such auth mechanism"),
        ConnectionResetError("reset"),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert type(verdict(error)) is SinkUnavailable


@pytest.mark.parametrize(
    "error",
    [
        InvalidDocument("Key names must not contain the NULL byte"),
        DocumentTooLarge("BSON document too large"),
        OverflowError("MongoDB can only handle up to 8-byte ints"),
        OperationFailure("Size 16777242 is larger than MaxDocumentSize 16777216", 2),
        OperationFailure("object to insert too large", 10334),
    ],
)
def test_documents_at_fault_are_refused(error: Exception) -> None:
    assert type(verdict(error)) is SinkRejected


@pytest.mark.parametrize("error", [OperationFailure("bug", 1), OperationFailure("no code")])
def test_what_nobody_knows_is_neither_tried_for_ever_nor_refused_at_once(error: Exception) -> None:
    assert type(verdict(error)) is SinkError


def test_refused_access_says_what_to_fix() -> None:
    assert "fix user, password or role" in str(verdict(OperationFailure("Authentication failed.", 18)))


def test_reasons_are_one_short_line_and_quote_no_topology() -> None:
    text = (
        "127.0.0.1:1: [Errno 111] Connection refused (configured timeouts: socketTimeoutMS: 10000.0ms), "
        "Timeout: 0.5s, Topology Description: <TopologyDescription id: 1>"
    )
    assert reason_of(ServerSelectionTimeoutError(text)) == "127.0.0.1:1: [Errno 111] Connection refused"
    full = OperationFailure("bug, full error: {'ok': 0.0}", 1)
    assert reason_of(full) == "bug (code 1)"
    assert len(reason_of(OperationFailure("x\n" * 9999, 2))) < 600
    assert reason_of(TimeoutError()) == "TimeoutError"


def test_what_was_logged_is_not_quoted() -> None:
    with pytest.raises(UnicodeEncodeError) as raised:
        "secret\ud800".encode()
    assert "secret" not in reason_of(raised.value)
