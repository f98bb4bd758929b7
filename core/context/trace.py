"""Traces: the ids that hold the events of one request together, across services.

They follow W3C Trace Context (levels 1 and 2): :class:`TraceParent` reads and writes the header. The ids are
bound as ``trace_id`` and ``span_id``, like every other value that events carry; ids are random and never all
zero.

Where the application has imported OpenTelemetry's API, the current span counts before what is bound. It is
never imported from here.
"""

from __future__ import annotations

import re
import secrets
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from structlog.contextvars import bind_contextvars

from logweir.context.identity import bound_values
from logweir.diagnostics import report

__all__ = [
    "FLAGS",
    "SPAN_VARIABLE",
    "TraceParent",
    "active_span",
    "begin_trace",
    "current_span",
    "current_trace_id",
    "current_traceparent",
    "new_span_id",
    "new_trace_id",
    "parse_traceparent",
    "trace_flags",
]

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?",
    re.ASCII,
)
_SAMPLED = 0x01
_RANDOM = 0x02
trace_flags: ContextVar[int] = ContextVar("logweir_trace_flags", default=_SAMPLED)
#: The field of an event that has the flags of OpenTelemetry's current span.
FLAGS = "trace_flags"
#: What OpenTelemetry calls the context variable that holds its current span, among others.
SPAN_VARIABLE = "current_context"


@dataclass(frozen=True, slots=True)
class TraceParent:
    """The place of a unit of work in a trace: the content of a ``traceparent`` header.

    Attributes:
        trace_id: 32 lower-case hex digits, not all zero.
        span_id: 16 lower-case hex digits, not all zero.
        flags: The flags that are defined today: 1 sampled, 2 random trace id.
    """

    trace_id: str
    span_id: str
    flags: int = _SAMPLED

    def __str__(self) -> str:
        """The header's text, in version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @classmethod
    def new(cls) -> TraceParent:
        """Begin a trace."""
        return cls(new_trace_id(), new_span_id(), _SAMPLED | _RANDOM)

    def child(self) -> TraceParent:
        """The next span of the same trace."""
        return TraceParent(self.trace_id, new_span_id(), self.flags)


def parse_traceparent(header: str) -> TraceParent | None:
    """Read a ``traceparent`` header; None if it is invalid, which means that a new trace begins.

    Version ``ff``, upper-case digits and ids of zeros are invalid. Of a version later than ours the parts
    that we know are read, as the standard asks.
    """
    match = _TRACEPARENT.fullmatch(header.strip(" \t"))
    if match is None or match["version"] == "ff":
        return None
    if match["version"] == "00" and match["rest"]:
        return None
    if not match["trace"].strip("0") or not match["span"].strip("0"):
        return None
    return TraceParent(match["trace"], match["span"], int(match["flags"], 16) & (_SAMPLED | _RANDOM))


def new_trace_id() -> str:
    """Return a random trace id: 32 hex digits, never all zero."""
    return f"{secrets.randbelow(2**128 - 1) + 1:032x}"


def new_span_id() -> str:
    """Return a random span id: 16 hex digits, never all zero."""
    return f"{secrets.randbelow(2**64 - 1) + 1:016x}"


def active_span() -> TraceParent | None:
    """OpenTelemetry's current span; None where there is none, or its API is not imported."""
    found = current_span()
    return None if found is None else TraceParent(*found)


#: What was read last, and of what: several events in a row belong to one span.
_last_span: tuple[object, tuple[str, str, int] | None] = (None, None)


def current_span() -> tuple[str, str, int] | None:
    """The ids and flags of :func:`active_span`; for each event, and therefore faster."""
    global _last_span  # noqa: PLW0603 - one assignment; an answer that another thread replaces is found again
    # Another thread may be in the middle of importing it, so that the function is not there yet.
    find: Any = getattr(sys.modules.get("opentelemetry.trace"), "get_current_span", None)
    if find is None:
        return None
    try:
        context = find().get_span_context()
        known, found = _last_span
        if context is known:
            return found
        ids = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        read = *ids, int(context.trace_flags) & (_SAMPLED | _RANDOM)
        found = read if context.is_valid else None
    except Exception as error:  # noqa: BLE001 - spans may be of any class, and the event must not be lost
        report("current span", "OpenTelemetry's current span cannot be read: %s", type(error).__qualname__)
        return None
    _last_span = context, found
    return found


def current_trace_id() -> str | None:
    """The trace id that events carry here: that of OpenTelemetry's current span, or the one that is bound."""
    active = current_span()
    if active is not None:
        return active[0]
    trace_id = bound_values().get("trace_id")
    return None if trace_id is None else str(trace_id)


def current_traceparent() -> str | None:
    """The ``traceparent`` header to send with requests to other services; None outside of a trace."""
    active = active_span()
    if active is not None:
        return str(active)
    bound = bound_values()
    if "trace_id" not in bound:
        return None
    return str(
        TraceParent(str(bound["trace_id"]), str(bound.get("span_id") or new_span_id()), trace_flags.get())
    )


def begin_trace(trace: TraceParent) -> None:
    """Bind a trace and its span, until the surrounding :func:`~logweir.context.binding.scope` ends."""
    bind_contextvars(trace_id=trace.trace_id, span_id=trace.span_id)
    trace_flags.set(trace.flags)
