"""From what the driver raises to what the worker should do. Pure; the only place that knows error codes.

Codes stand in :mod:`logweir.sinks.mongodb.server_codes`. A document is at fault for codes that speak of
documents, and for no others: one that nobody knows here speaks of the server. An error without a code, or
with one that means anything, becomes a plain :class:`SinkError`: the worker takes it for a passing fault,
three times, and then splits the batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidName,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from logweir.errors import SinkError, SinkRejected, SinkUnavailable
from logweir.sinks.mongodb.server_codes import ServerCode
from logweir.sinks.shared.batch_verdicts import BatchVerdicts

__all__ = ["DRIVER_ERRORS", "Failures", "as_sink_errors", "reason_of", "verdict"]

#: All that a call of the driver raises, connections and values included.
DRIVER_ERRORS = (PyMongoError, BSONError, OSError, ValueError, TypeError, OverflowError)

# Source of the rules: MongoDB documentation, "Error Codes", and the categories that error_codes.yml gives to
# codes: RetriableError, NetworkError, NotPrimaryError, StaleShardVersionError, WriteConcernError pass.
# Locks, conflicts and a full disk have no such category, and pass too: the same batch can be stored later.

_DUPLICATE = {
    ServerCode.DuplicateKey,
    ServerCode.DuplicateKeyOnUpdate,
    ServerCode.DuplicateKeyOfCappedInsert,
}
#: The user or the password is refused, or the user may not write: an operator fixes it, and events wait.
_REFUSED_ACCESS = {
    ServerCode.UserNotFound,
    ServerCode.Unauthorized,
    ServerCode.AuthenticationFailed,
    ServerCode.AtlasError,
}
#: Passing states of a server: elections, shutdowns, locks, timeouts, a full disk.
_PASSING = {
    # The network between the servers, or between a router and a shard.
    ServerCode.HostUnreachable,
    ServerCode.HostNotFound,
    ServerCode.NetworkTimeout,
    ServerCode.NetworkInterfaceExceededTimeLimit,
    ServerCode.ConnectionPoolExpired,
    ServerCode.ConnectionError,
    ServerCode.SocketException,
    # An election, a shutdown, a member that is starting.
    ServerCode.ShutdownInProgress,
    ServerCode.InterruptedAtShutdown,
    ServerCode.InterruptedDueToReplStateChange,
    ServerCode.PrimarySteppedDown,
    ServerCode.NotWritablePrimary,
    ServerCode.NotPrimaryNoSecondaryOk,
    ServerCode.NotPrimaryOrSecondary,
    ServerCode.FailedToSatisfyReadPreference,
    ServerCode.ReadConcernMajorityNotAvailableYet,
    # A router that has not heard yet where a chunk lives now.
    ServerCode.StaleShardVersion,
    ServerCode.StaleConfig,
    # Load: locks, time limits, a rate limit.
    ServerCode.LockTimeout,
    ServerCode.LockBusy,
    ServerCode.MaxTimeMSExpired,
    ServerCode.ExceededTimeLimit,
    ServerCode.WriteConflict,
    ServerCode.ConflictingOperationInProgress,
    ServerCode.IngressRequestRateLimitExceeded,
    # Written, and not confirmed as asked for: too few members, or a mode that an operator has yet to define.
    ServerCode.WriteConcernTimeout,
    ServerCode.UnknownReplWriteConcern,
    ServerCode.OutOfDiskSpace,
}
#: The server refuses the form of the fields: names with dollars or dots or none, or nesting too deep. Such a
#: document is sent once more in its guarded form, before it is rejected.
_FORM = {
    ServerCode.BadValue,
    ServerCode.Overflow,
    ServerCode.InvalidBSON,
    ServerCode.DollarPrefixedFieldName,
    ServerCode.NotSingleValueField,
    ServerCode.InvalidDBRef,
    ServerCode.EmptyFieldName,
    ServerCode.DottedFieldName,
    ServerCode.InvalidBSONType,
    ServerCode.NonConformantBSON,
}
#: The documents are at fault, not the server: wrong form, wrong value, too large.
_DOCUMENTS = _FORM | {
    ServerCode.FailedToParse,
    ServerCode.TypeMismatch,
    ServerCode.InvalidIdField,
    ServerCode.ShardKeyNotFound,
    ServerCode.ImmutableField,
    ServerCode.CannotIndexParallelArrays,
    ServerCode.GeoKeysNotExtracted,
    ServerCode.DocumentValidationFailure,
    ServerCode.BSONObjectTooLarge,
    ServerCode.KeyTooLong,
    ServerCode.UpdatedDocumentTooLarge,
    ServerCode.UpsertedDocumentTooLarge,
}
#: Errors that mean anything; FerretDB says so while its PostgreSQL is away, and then its words must decide.
_UNSPECIFIC = {ServerCode.InternalError, ServerCode.UnknownError}
#: The words of Go's network errors and of PostgreSQL (FerretDB hands both on).
_AWAY = re.compile(
    r"\bEOF\b|connect|broken pipe|reset by peer|closed|terminat|time(?:d )?out|too many clients|"
    r"database system is|shutting down|recovery mode|no space left|could not extend|read-?only|"
    r"permission denied|quota|disk full|out of memory|password|certificate",
    re.IGNORECASE,
)
#: Labels by which a server says itself that trying again may help (MongoDB driver specifications, "Retryable
#: Writes", "Transactions" and "Client Backpressure").
_PASSING_LABELS = ("RetryableWriteError", "TransientTransactionError", "SystemOverloadedError")

_ID_INDEX = re.compile(r"index:?\s+'?_id_(?!\w)", re.IGNORECASE)
#: Where the driver goes on with the whole state of its topology.
_TAIL = re.compile(r",? \(configured timeouts:.*|, Timeout: .*|, full error: .*", re.DOTALL)
_LONGEST = 500


@dataclass(slots=True)
class Failures(BatchVerdicts):
    """The verdicts on a batch, and what they are made from.

    Attributes:
        misshapen: Index to reason of those whose fields the server cannot take as they are.
        unconfirmed: Whether the bulk as a whole is not safe yet.
    """

    misshapen: dict[int, str] = field(default_factory=dict)
    unconfirmed: bool = False

    def add_bulk(self, error: BulkWriteError, indexes: Sequence[int]) -> None:
        """Take over what an unordered bulk answered.

        Args:
            error: What the driver made of the answer.
            indexes: Where in the batch each document of the bulk is.
        """
        details: Mapping[str, Any] = error.details or {}
        for entry in details.get("writeErrors", ()):
            _sort_in(entry, indexes[int(entry["index"])], self)
        # A write concern that was not met speaks of the bulk as a whole: what was written or found is not
        # safe yet, and is sent again until it is.
        for concern in details.get("writeConcernErrors", ()):
            said = _reason(str(concern.get("errmsg", "")), concern.get("code"))
            self.unconfirmed = True
            self.retry_reason = f"written, and not confirmed: {said}"
            self.retry.update(set(indexes) - self.misshapen.keys() - self.rejected.keys())
            self.duplicate.difference_update(indexes)


def _sort_in(entry: Mapping[str, Any], index: int, failures: Failures) -> None:
    code = entry.get("code")
    reason = _reason(str(entry.get("errmsg", "")), code)
    if code in _DUPLICATE and _is_about_id(entry):
        failures.duplicate.add(index)
    elif code in _FORM:
        failures.misshapen[index] = reason
    elif code in _DOCUMENTS or code in _DUPLICATE or (code in _UNSPECIFIC and not _passes(code, reason)):
        failures.rejected[index] = reason
    else:
        failures.retry.add(index)
        failures.retry_reason = reason


def _is_about_id(entry: Mapping[str, Any]) -> bool:
    """Whether it is the event's id that was there, and not a value that a user's own index keeps unique."""
    pattern = entry.get("keyPattern")
    if pattern is not None:  # some servers say it in words only, such as FerretDB
        return list(pattern) == ["_id"]
    return _ID_INDEX.search(str(entry.get("errmsg", ""))) is not None


@contextmanager
def as_sink_errors() -> Iterator[None]:
    """Turn what the driver raises into what a worker understands."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise verdict(error) from None


def verdict(error: Exception) -> SinkError:
    """Return the sink error that a driver's error means: permanent only when the documents are at fault."""
    message = reason_of(error)
    if isinstance(error, OperationFailure) and error.code in _REFUSED_ACCESS:
        return SinkUnavailable(f"the server refuses us access; fix user, password or role: {message}")
    if isinstance(error, ConfigurationError | InvalidName):
        return SinkUnavailable(f"the driver cannot work with the url: {message}")
    if isinstance(error, AutoReconnect | ConnectionFailure | ExecutionTimeout | WriteConcernError):
        return SinkUnavailable(message)
    if isinstance(error, OperationFailure):
        return _verdict_by_code(error, message)
    if isinstance(error, DocumentTooLarge | BSONError | ValueError | TypeError | OverflowError):
        return SinkRejected(f"a value cannot be stored: {message}")
    return SinkUnavailable(message) if isinstance(error, OSError) else SinkError(message)


def _verdict_by_code(error: OperationFailure, message: str) -> SinkError:
    if _passes(error.code, message) or any(error.has_error_label(label) for label in _PASSING_LABELS):
        return SinkUnavailable(message)
    if error.code in _DOCUMENTS:
        return SinkRejected(message)
    # A code that is not known here speaks of the server: what documents can be refused for is known.
    return SinkError(message) if error.code in _UNSPECIFIC or error.code is None else SinkUnavailable(message)


def _passes(code: Any, message: str) -> bool:
    return code in _PASSING or (code in _UNSPECIFIC and _AWAY.search(message) is not None)


def reason_of(error: Exception) -> str:
    """The driver's own words, in one line; what was logged is not quoted, nor any password."""
    if isinstance(error, UnicodeEncodeError):
        return error.reason  # the whole text of the error quotes what was logged
    if isinstance(error, BSONError) and not isinstance(error, PyMongoError):
        return str(error).partition(" | ")[0].partition(": <")[0][:_LONGEST]
    return _reason(str(error) or type(error).__name__, getattr(error, "code", None))


def _reason(text: str, code: Any) -> str:
    line = " ".join(_TAIL.sub("", text).split())[:_LONGEST]
    return f"{line} (code {code})" if code is not None else line
