"""From a driver's error to what the worker should do. Pure; the only place that knows driver errors."""

from __future__ import annotations

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)

from logweir.errors import SinkError, SinkRejected, SinkUnavailable

__all__ = ["verdict"]

#: What SQLite says when a row itself is at fault, though it says so by an operational error.
_ROW_FAULTS = ("string or blob too big", "too many sql variables")


def verdict(error: Exception) -> SinkError:
    """Return the sink error that a driver's error means: permanent only when the rows are at fault."""
    message = _message(error)
    if isinstance(error, OperationalError) and message.lower().endswith(_ROW_FAULTS):
        return SinkRejected(message)
    if isinstance(error, DataError | IntegrityError):
        return SinkRejected(message)
    if isinstance(error, OperationalError | InterfaceError | OSError):
        return SinkUnavailable(message)
    if isinstance(error, DBAPIError):
        return SinkUnavailable(message)
    if isinstance(error, StatementError):
        return SinkRejected(message)
    if isinstance(error, SQLAlchemyError):
        return SinkUnavailable(message)
    return SinkUnavailable(f"{type(error).__name__}: {error}")


def _message(error: Exception) -> str:
    """The driver's own words, without the statement and the values that SQLAlchemy adds."""
    original = getattr(error, "orig", None)
    return str(original if original is not None else error).splitlines()[0]
