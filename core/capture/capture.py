"""Capture: from the fields of one call to an event, in the caller's thread, without IO.

Context is merged, the kind decided on what the caller passed, then everything is redacted and copied
in one walk. Nothing that a caller logs makes it raise.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from logweir.capture.snapshot import Snapshotter
from logweir.context.binding import merge_context
from logweir.event import Event, Kind, new_event_id

__all__ = ["Capture", "KindOf", "TakeExplicit"]

TakeExplicit = Callable[[dict[str, Any]], Kind | None]
KindOf = Callable[[str, str, dict[str, Any]], Kind]

#: Bytes that every event takes beside its name and fields.
_OVERHEAD = 200
#: The most characters of a trace or span id; W3C's have 32 and 16.
_LONGEST_ID = 64
#: The most names whose redacted form is kept, and the longest of them.
_MOST_NAMES = 4096
_LONGEST_KEPT_NAME = 128


class Capture:
    """Turns calls into events.

    Args:
        service: The service name put into every event.
        env: The environment put into every event.
        take_explicit: Takes out of the fields what the caller said about the kind, if anything.
        kind_of: Decides the kind by level, name and fields where the caller said nothing.
        snapshot: Redacts, bounds and copies.
    """

    def __init__(
        self, service: str, env: str, take_explicit: TakeExplicit, kind_of: KindOf, snapshot: Snapshotter
    ) -> None:
        self._service = service
        self._env = env
        self._take_explicit = take_explicit
        self._kind_of = kind_of
        self.snapshot = snapshot
        self._text = snapshot.text
        self._names: dict[str, str] = {}

    def __call__(
        self,
        name: str,
        fields: dict[str, Any],
        level: str,
        kind: Kind | None = None,
        time_ns: int | None = None,
        event_id: str | None = None,
    ) -> Event:
        """Return the event of one call; takes ownership of ``fields``."""
        # The order matters: what the call says about its kind wins over what is bound; rules see the context
        # too, and see fields as the caller passed them, because after the snapshot a condition on a secret
        # field could not hold.
        if "persist_db" in fields or "kind" in fields:
            said = self._take_explicit(fields)
            kind = kind or said
        merge_context(fields)
        if "exc_info" in fields or "stack_info" in fields:
            _describe_exception(fields)
        if "persist_db" in fields or "kind" in fields:
            bound = self._take_explicit(fields)  # in any case: `persist_db` must not become a field
            kind = kind or bound
        if kind is None:
            kind = self._kind_of(level, name, fields)
        trace_id = fields.pop("trace_id", None)
        span_id = fields.pop("span_id", None)
        clean, size = self.snapshot(fields)
        # An empty name is falsy and cleaned each time, which costs little and is rare.
        text = self._names.get(name) or self._clean_name(name)
        return Event(
            event_id or new_event_id(),
            time_ns or time.time_ns(),
            kind,
            level,
            text,
            self._service,
            self._env,
            trace_id if trace_id is None or _is_plain_id(trace_id) else self._id(trace_id),
            span_id if span_id is None or _is_plain_id(span_id) else self._id(span_id),
            clean,
            size + len(text) + _OVERHEAD,
        )

    def _id(self, value: Any) -> str:
        return self._text(value)[:_LONGEST_ID]

    def _clean_name(self, name: str) -> str:
        """Redact a name, and keep the answer: most events have one of a few names."""
        clean = self._text(name)
        if len(name) <= _LONGEST_KEPT_NAME:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[name] = clean
        return clean


def _is_plain_id(value: Any) -> bool:
    """Whether this is an id that needs no second look: letters and digits alone."""
    return type(value) is str and value.isalnum() and len(value) <= _LONGEST_ID


def _describe_exception(fields: dict[str, Any]) -> None:
    """Replace ``exc_info`` and ``stack_info`` by text: ``exception``, ``error_type`` and ``stack``."""
    stack = fields.pop("stack_info", None)
    if stack:
        fields.setdefault("stack", stack if isinstance(stack, str) else _calling_stack())
    error = _exception_of(fields.pop("exc_info", None))
    if error is not None:
        fields.setdefault("error_type", type(error).__qualname__)
        fields.setdefault("exception", _format(error))


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and len(exc_info) == 3:  # noqa: PLR2004 - the shape of sys.exc_info()
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _format(error: BaseException) -> str:
    trace: TracebackType | None = error.__traceback__
    try:
        return "".join(traceback.format_exception(type(error), error, trace)).rstrip("\n")
    except Exception:  # noqa: BLE001 - a hostile __str__ or a broken traceback must not break the log call
        return type(error).__qualname__


def _calling_stack() -> str:
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to see the caller without raising
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("logweir", "structlog")
    ):
        frame = frame.f_back
    return "".join(traceback.format_stack(frame)).rstrip("\n")
