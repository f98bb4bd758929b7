"""Capture: from the fields of one call to an event, in the caller's thread, without IO.

Context is merged, the kind decided on what the caller passed, then everything is redacted and copied
in one walk. Nothing that a caller logs makes it raise.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any
from uuid import UUID

from logweir.capture.message import add_field
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
_ID_TYPES = frozenset({str, int, bytes, UUID})
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
        own: dict[str, Any] = {}
        if "persist_db" in fields or "kind" in fields:
            kind, own = self._said(fields, kind)
        merge_context(fields)
        if "exc_info" in fields or "stack_info" in fields:
            _describe_exception(fields)
        if "persist_db" in fields or "kind" in fields:
            bound = self._take_explicit(fields)  # in any case: `persist_db` must not become a field
            kind = kind or bound
        if own:
            fields.update(own)
        if kind is None:
            kind = self._kind_of(level, name, fields)
        trace_id = fields.pop("trace_id", None)
        if trace_id is not None and not _is_plain_id(trace_id):
            trace_id = self._id(fields, "trace_id", trace_id)
        span_id = fields.pop("span_id", None)
        if span_id is not None and not _is_plain_id(span_id):
            span_id = self._id(fields, "span_id", span_id)
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
            trace_id,
            span_id,
            clean,
            size + len(text) + _OVERHEAD,
        )

    def _said(self, fields: dict[str, Any], kind: Kind | None) -> tuple[Kind | None, dict[str, Any]]:
        """Take out what the call says about its kind; return the kind, and what is a field all the same."""
        if kind is None:
            return self._take_explicit(fields), {}
        # The call is of this kind by itself, such as an audit, so that its words are fields like any other.
        return kind, {word: fields.pop(word) for word in ("persist_db", "kind") if word in fields}

    def _id(self, fields: dict[str, Any], name: str, value: Any) -> str | None:
        """Return an unusual id as text; what is no id, or would have to be cut, stays a field."""
        text = self._text(value) if type(value) in _ID_TYPES else ""
        if 0 < len(text) <= _LONGEST_ID:
            return text
        fields[name] = value
        return None

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
    """Replace ``exc_info`` and ``stack_info`` by text: ``exception``, ``error_type`` and ``stack``.

    What they cannot mean, such as text of an exception, stays a field; nothing is asked of it.
    """
    stack = fields.pop("stack_info", None)
    if type(stack) in _SWITCHES:
        stack = _calling_stack() if stack else None
    elif type(stack) is not str:
        fields["stack_info"], stack = stack, None
    if stack:
        add_field(fields, "stack", stack)
    said = fields.pop("exc_info", None)
    error = _exception_of(said)
    if error is not None:
        add_field(fields, "error_type", _class_of(error))
        add_field(fields, "exception", _format(error))
    if not (said is error or type(said) in _SWITCHES or _is_exc_info(said)):
        fields["exc_info"] = said


#: The types of ``exc_info=True``, ``1``, ``None``: whether there is something to describe.
_SWITCHES = frozenset({bool, int, type(None)})


def _is_exc_info(value: Any) -> bool:
    """Whether this has the shape of ``sys.exc_info()``."""
    return type(value) is tuple and len(value) == len(_NO_EXCEPTION) and issubclass(type(value[1]), _ERRORS)


_NO_EXCEPTION = (None, None, None)
_ERRORS = (BaseException, type(None))


def _exception_of(exc_info: Any) -> BaseException | None:
    if issubclass(type(exc_info), BaseException):
        return exc_info  # type: ignore[no-any-return]
    if _is_exc_info(exc_info):
        return exc_info[1]  # type: ignore[no-any-return]
    # Anything else that is said there means what True means, as in the standard library.
    asked = type(exc_info) not in _SWITCHES or bool(exc_info)
    return sys.exc_info()[1] if asked else None


def _format(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error)).rstrip("\n")
    except Exception:  # noqa: BLE001 - a hostile __str__ or a broken traceback must not break the log call
        return _class_of(error)


def _class_of(error: BaseException) -> str:
    """The name of its class, which is not asked: its metaclass may refuse."""
    name: str = type.__dict__["__qualname__"].__get__(type(error))
    return name


def _calling_stack() -> str:
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to see the caller without raising
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("logweir", "structlog")
    ):
        frame = frame.f_back
    return "".join(traceback.format_stack(frame)).rstrip("\n")
