"""The event: one immutable record of something that happened, shared by every sink it is routed to.

Its ``fields`` hold JSON's own types only (see :mod:`logweir.encoding.values`), so that every sink can store
them without asking what a value is. Nobody changes an event after it was made.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from uuid_utils import uuid7

__all__ = ["LEVELS", "Event", "Kind", "known_level", "nearest_level", "new_event_id", "severity", "uuid7"]


class Kind(StrEnum):
    """What an event is worth: audit must never be lost; tracing is plentiful."""

    AUDIT = "audit"
    TRACING = "tracing"


#: Severity of each level name, on the standard library's scale.
LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

_OTHER_NAMES = {"warn": "warning", "err": "error", "fatal": "critical"}
_BY_NUMBER = {number: name for name, number in LEVELS.items()}
_LONGEST_NAME = 16


def severity(level: str) -> int:
    """Return the number of a level name (an unknown name counts as ``info``)."""
    return LEVELS.get(level, 20)


def known_level(value: object) -> str | None:
    """Return the level that a caller means by its name in either case, ``warn`` and its like, or its number.

    None for anything else, which is no level; nothing is asked of it that could raise.
    """
    if type(value) is str:
        name = value.strip().lower() if len(value) <= _LONGEST_NAME else value
        name = _OTHER_NAMES.get(name, name)
        return name if name in LEVELS else None
    return _BY_NUMBER.get(value) if type(value) is int else None


def nearest_level(number: float) -> str:
    """Return the level nearest to a number; half-way between two, as NOTICE at 25, it is the lower one."""
    known = _BY_NUMBER.get(number)  # type: ignore[call-overload]
    return known or min(LEVELS, key=lambda name: (abs(LEVELS[name] - number), LEVELS[name]))


def new_event_id() -> str:
    """Return a new UUIDv7 (RFC 9562) as text: time-ordered, the idempotency key in every sink."""
    return str(uuid7())


class Event(msgspec.Struct, frozen=True, kw_only=False, gc=False):
    """One log event, ready to be stored.

    Attributes:
        id: UUIDv7 as text; the idempotency key in every sink.
        time: When it happened, nanoseconds since 1970-01-01 UTC.
        kind: Audit or tracing.
        level: ``debug``, ``info``, ``warning``, ``error`` or ``critical``.
        name: What happened (structlog's ``event``); for audit, the action.
        service: The service that logged it.
        env: The environment it ran in.
        trace_id: 32 hex digits (W3C trace context), if known.
        span_id: 16 hex digits, if known.
        fields: Everything else: JSON types only, redacted.
        size: Approximate bytes, for the bounds of queues and batches; not stored.
    """

    id: str
    time: int
    kind: Kind
    level: str
    name: str
    service: str
    env: str
    trace_id: str | None
    span_id: str | None
    fields: dict[str, Any]
    size: int = 0

    @property
    def datetime(self) -> datetime:
        """The time as an aware UTC ``datetime`` (microseconds)."""
        seconds, nanos = divmod(self.time, 1_000_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000)
