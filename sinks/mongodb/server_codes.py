"""The error codes of MongoDB that verdicts know, under the server's own names.

Source: MongoDB documentation, "Error Codes", and the file that it is made of,
``src/mongo/base/error_codes.yml`` in the server's repository (commit 007ba934, later than 8.0). A name that
begins with ``OBSOLETE_`` there stands here without it: older servers, and others that speak MongoDB's
protocol, still answer so. Codes that the file does not name are marked with where they are from.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ServerCode"]


class ServerCode(IntEnum):
    """An error code of the server."""

    InternalError = 1
    BadValue = 2
    HostUnreachable = 6
    HostNotFound = 7
    UnknownError = 8
    FailedToParse = 9
    UserNotFound = 11
    Unauthorized = 13
    TypeMismatch = 14
    Overflow = 15
    AuthenticationFailed = 18
    IllegalOperation = 20
    InvalidBSON = 22
    LockTimeout = 24
    NamespaceNotFound = 26
    LockBusy = 46
    NamespaceExists = 48
    MaxTimeMSExpired = 50
    DollarPrefixedFieldName = 52
    InvalidIdField = 53
    NotSingleValueField = 54
    InvalidDBRef = 55
    EmptyFieldName = 56
    DottedFieldName = 57
    ShardKeyNotFound = 61
    StaleShardVersion = 63
    WriteConcernTimeout = 64
    ImmutableField = 66
    UnknownReplWriteConcern = 79
    NetworkTimeout = 89
    ShutdownInProgress = 91
    WriteConflict = 112
    ConflictingOperationInProgress = 117
    DocumentValidationFailure = 121
    FailedToSatisfyReadPreference = 133
    ReadConcernMajorityNotAvailableYet = 134
    CannotIndexParallelArrays = 171
    PrimarySteppedDown = 189
    NetworkInterfaceExceededTimeLimit = 202
    ExceededTimeLimit = 262
    ConnectionPoolExpired = 317
    InvalidBSONType = 357
    UserWritesBlocked = 371
    NonConformantBSON = 378
    ConnectionError = 384
    IngressRequestRateLimitExceeded = 462
    AtlasError = 8000  # MongoDB Atlas answers so, above all where it refuses user or password
    SocketException = 9001
    NotWritablePrimary = 10107
    BSONObjectTooLarge = 10334
    DuplicateKey = 11000
    DuplicateKeyOnUpdate = 11001  # of old servers; PyMongo takes it for a duplicate key too
    InterruptedAtShutdown = 11600
    InterruptedDueToReplStateChange = 11602
    DuplicateKeyOfCappedInsert = 12582  # of old servers; PyMongo takes it for a duplicate key too
    StaleConfig = 13388
    NotPrimaryNoSecondaryOk = 13435
    NotPrimaryOrSecondary = 13436
    OutOfDiskSpace = 14031
    GeoKeysNotExtracted = 16755  # the place in the source that says so
    KeyTooLong = 17280
    UpdatedDocumentTooLarge = 17419  # the place in the source that says so
    UpsertedDocumentTooLarge = 17420  # the place in the source that says so
