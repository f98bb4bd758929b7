"""From a driver's error to what the worker should do. Pure; the only place that knows driver errors."""

from __future__ import annotations

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, StatementError

from logweir.errors import SinkError, SinkRejected, SinkUnavailable

__all__ = ["verdict"]

#: What SQLite says when a row itself is at fault, though it says so by an operational error.
_ROW_FAULTS = ("string or blob too big", "too many sql variables")


def verdict(error: Exception) -> SinkError:
    """Return the sink error that a driver's error means: permanent only when the rows are at fault."""
    message = _message(error)
    if isinstance(error, DataError | IntegrityError):
        return SinkRejected(message)
    if isinstance(error, OperationalError) and message.lower().endswith(_ROW_FAULTS):
        return SinkRejected(message)
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
        return SinkRejected(message)  # SQLAlchemy could not put the values into the statement
    if isinstance(error, ValueError | TypeError | OverflowError):
        return SinkRejected(f"a value cannot be stored: {message}")
    return SinkUnavailable(message)


def _message(error: Exception) -> str:
    """The driver's own words, without the statement and the values that SQLAlchemy adds."""
    if isinstance(error, UnicodeEncodeError):
        return error.reason  # the whole text of the error quotes what was logged
    original = getattr(error, "orig", None) or error
    lines = str(original).splitlines()
    return lines[0] if lines else type(original).__name__
