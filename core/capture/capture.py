"""Capture: from the fields of one call to an event, in the caller's thread, without IO.

Context is merged, the kind decided on what the caller passed, then everything is redacted and copied
in one walk. Nothing that a caller logs makes it raise.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any
from uuid import UUID

from logweir.capture.caller import calling_frame
from logweir.capture.message import add_field
from logweir.capture.ordinary import (
    ID,
    IDS,
    LONGEST_ID,
    NOTHING_BOUND,
    SPAN,
    WALKED,
    Bound,
    Ordinary,
    is_plain_id,
    keep,
)
from logweir.capture.snapshot import Snapshotter
from logweir.capture.tracebacks import format_error
from logweir.capture.truncation import ENTRY_COST
from logweir.context.binding import merge_context
from logweir.context.identity import identity, origin_of
from logweir.context.trace import FLAGS, current_span
from logweir.event import Event, Kind, new_event_id, uuid7

__all__ = ["ByHead", "Capture", "KindOf", "TakeExplicit"]

TakeExplicit = Callable[[dict[str, Any]], Kind | None]
KindOf = Callable[[str, str, dict[str, Any]], Kind]
#: What is the same for all events with one name, level and logger: the cleaned name, and what :data:`ByHead`
#: answers; and for all calls of one place: also the names of the fields, and their cost.
_Head = tuple[str, frozenset[str] | None, Kind]
_Site = tuple[str, frozenset[str] | None, Kind, Mapping[str, None], int]
ByHead = Callable[[str, str, str | None], tuple[frozenset[str] | None, Kind]]

#: Bytes that every event takes beside its name and fields.
_OVERHEAD = 200
_COST_OF_FLAGS = ENTRY_COST + len(FLAGS)
_ID_TYPES = frozenset({str, int, bytes, UUID})
#: Of a place that is kept: the most fields, and the longest name; and how often it is walked before that.
_MOST_NAMES, _LONGEST_KEPT_NAME, _ENOUGH_WALKS = 64, 128, 4


class Capture:
    """Turns calls into events.

    Args:
        service: The service name put into every event.
        env: The environment put into every event.
        take_explicit: Takes out of the fields what the caller said about the kind, if anything.
        kind_of: Decides the kind by level, name and fields where the caller said nothing.
        snapshot: Redacts, bounds and copies.
        by_head: Returns, by level, name and logger, the fields that decide the kind (None: all may) and the
            kind of an event that has none of them; by default ``kind_of`` is asked about every event.
        static: Fields of every event; those of its call and its logger win.
    """

    def __init__(
        self,
        service: str,
        env: str,
        take_explicit: TakeExplicit,
        kind_of: KindOf,
        snapshot: Snapshotter,
        by_head: ByHead | None = None,
        static: Mapping[str, Any] | None = None,
    ) -> None:
        self._service = service
        self._env = env
        self._take_explicit = take_explicit
        self._kind_of = kind_of
        self.snapshot = snapshot
        self._by_head = by_head or _ask
        self._static = static or {}
        self._ordinary = Ordinary(snapshot, self._static)
        self._text = snapshot.text
        self._heads: dict[tuple[str, str, str | None], _Head] = {}
        self._sites: dict[tuple[str | None, ...], _Site] = {}
        self._walks: dict[tuple[str | None, ...], int] = {}

    @property
    def enrich_errors(self) -> int:
        """How many times a function that adds fields has failed; there is none here."""
        return 0

    def __call__(  # noqa: C901, PLR0912 - written out, for each call of our own would show
        self,
        name: str,
        fields: dict[str, Any],
        level: str,
        kind: Kind | None = None,
        time_ns: int | None = None,
        event_id: str | None = None,
        bound: Bound = NOTHING_BOUND,
    ) -> Event:
        """Return the event of one call; takes ownership of ``fields``.

        Args:
            name: What happened.
            fields: Those of the call.
            level: Its level.
            kind: Its kind, when that is known.
            time_ns: When it happened; now by default.
            event_id: Its UUIDv7, when it has one.
            bound: What the logger carries.
        """
        # The hottest code beside the queue's: what was looked at before is looked up, so that hardly anything
        # is called where all is ordinary.
        ordinary = self._ordinary
        by, carried, of_carried, logger, trace_id, span_id = bound.carried
        if by is not ordinary:
            _, carried, of_carried, logger, trace_id, span_id = ordinary.carried(bound)
        site = self._sites.get((name, level, logger, *fields)) or self._site(name, level, logger, fields)
        text, asked, of_head, names, cost = site
        if cost < 0 or of_carried < 0:
            return self._in_general(text, name, fields, level, kind, time_ns, event_id, bound)
        cost += of_carried
        # With the names of the site, for those of the call may be of a class of the caller's.
        merged: dict[str, Any] = {**carried, **names, **fields}
        known_text, known_variable = ordinary.known_text, ordinary.known_variable
        walked, active = False, None
        for variable, value in copy_context().items():
            said, of_name = known_variable(variable) or ordinary.variable(variable)
            of_value = known_text(value) if of_name > 0 and type(value) is str else None
            if of_value is not None:
                if said not in merged:
                    merged[said] = value
                    cost += of_name + of_value
            elif of_name == ID and type(value) is str and value.isalnum() and len(value) <= LONGEST_ID:
                if said == "trace_id":
                    trace_id = trace_id or value
                else:
                    span_id = span_id or value
            elif of_name == SPAN:
                active = current_span()
            elif of_name and said not in merged and (value is not ... or said in identity.get()):
                if of_name < WALKED or value is ...:
                    return self._in_general(text, name, fields, level, kind, time_ns, event_id, bound)
                merged[said] = value
                of_value = ordinary.cost((value,))
                walked = walked or of_name < 0 or of_value < 0
                cost += of_name + of_value
        if active is not None and not IDS & bound.values.keys():
            # Before what is bound, which may be the request's around the span.
            trace_id, span_id, flags = active
            merged.setdefault(FLAGS, flags)
            cost += _COST_OF_FLAGS
        if kind is None:
            kind = of_head
            if asked is None or not merged.keys().isdisjoint(asked):
                kind = self._kind_of(level, name, _with_ids(merged, trace_id, span_id))
        if walked or len(merged) > ordinary.most_fields or (cost := ordinary.cost(fields.values(), cost)) < 0:
            merged, cost = self.snapshot(merged)
        return Event(
            event_id or str(uuid7()),
            time_ns or time.time_ns(),
            kind,
            level,
            text,
            self._service,
            self._env,
            trace_id,
            span_id,
            merged,
            cost + len(text) + _OVERHEAD,
        )

    def _in_general(
        self,
        text: str,
        name: str,
        fields: dict[str, Any],
        level: str,
        kind: Kind | None,
        time_ns: int | None,
        event_id: str | None,
        bound: Bound,
    ) -> Event:
        """Make an event whose fields must be walked, or mean something to us, such as its kind or an id."""
        fields, kind = self._gathered(fields, kind, bound)
        if kind is None:
            kind = self._kind_of(level, name, fields)
        trace_id, span_id = self._taken_id(fields, "trace_id"), self._taken_id(fields, "span_id")
        clean, size = self.snapshot(fields)
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

    def _gathered(
        self, fields: dict[str, Any], kind: Kind | None, bound: Bound
    ) -> tuple[dict[str, Any], Kind | None]:
        """Add what is bound to the fields of a call, and take out what they say about its kind."""
        # The order matters: what the call says about its kind wins over what its logger carries, and that
        # over the context; rules see the context too, and see fields as the caller passed them, because after
        # the snapshot a condition on a secret field could not hold.
        own: dict[str, Any] = {}
        if "persist_db" in fields or "kind" in fields:
            if kind is None:
                kind = self._take_explicit(fields)
            else:
                # It is of this kind by itself, such as an audit, so that its words are fields like any other.
                own = {word: fields.pop(word) for word in ("persist_db", "kind") if word in fields}
        if bound is not NOTHING_BOUND:
            fields = bound.all_fields(fields)
            if kind is None:
                kind = self._take_explicit(fields)
        _take_context(fields, self._static)
        if "exc_info" in fields or "stack_info" in fields:
            _describe_exception(fields)
        if "persist_db" in fields or "kind" in fields:
            said = self._take_explicit(fields)  # in any case: `persist_db` must not become a field
            kind = kind or said
        fields.update(own)
        return fields, kind

    def _taken_id(self, fields: dict[str, Any], name: str) -> str | None:
        """Take an id of the trace out of the fields, as text."""
        value = fields.pop(name, None)
        return value if value is None or is_plain_id(value) else self._id(fields, name, value)

    def _id(self, fields: dict[str, Any], name: str, value: Any) -> str | None:
        """Return an unusual id as text; what is no id, or would have to be cut, stays a field."""
        text = self._text(value) if type(value) in _ID_TYPES else ""
        if 0 < len(text) <= LONGEST_ID:
            return text
        fields[name] = value
        return None

    def _site(self, name: str, level: str, logger: str | None, fields: dict[str, Any]) -> _Site:
        """Work out what is the same for all calls like this one, and keep it: a program has few of them."""
        head = self._heads.get((name, level, logger)) or self._head(name, level, logger)
        names, cost = self._ordinary.shape(fields)
        site = *head, names, cost
        if len(name) <= _LONGEST_KEPT_NAME and len(fields) <= _MOST_NAMES:
            key = name, level, logger, *fields
            # What is still to be walked after some walks stays so.
            walks = self._walks.get(key, 0) + 1
            if cost != WALKED or walks > _ENOUGH_WALKS:
                keep(self._sites, key, site)
            else:
                keep(self._walks, key, walks)
        return site

    def _head(self, name: str, level: str, logger: str | None) -> _Head:
        """Work out what is the same for all events with this head, and keep it."""
        asked, otherwise = self._by_head(level, name, logger)
        # The ids of a trace are no fields when it comes to this; a rule about them is asked in any case.
        head = self._text(name), None if asked and not IDS.isdisjoint(asked) else asked, otherwise
        if len(name) <= _LONGEST_KEPT_NAME:
            keep(self._heads, (name, level, logger), head)
        return head


def _take_context(fields: dict[str, Any], static: Mapping[str, Any]) -> None:
    """Add what is bound; the ids of OpenTelemetry's current span count before those that are bound."""
    for name, value in static.items():
        fields.setdefault(name, value)
    if IDS.isdisjoint(fields) and (active := current_span()) is not None:
        fields["trace_id"], fields["span_id"], flags = active
        fields.setdefault(FLAGS, flags)
    merge_context(fields)


def _ask(_level: str, _name: str, _logger: str | None) -> tuple[None, Kind]:
    return None, Kind.TRACING


def _with_ids(fields: dict[str, Any], trace_id: str | None, span_id: str | None) -> dict[str, Any]:
    """What rules see: the ids of a trace too."""
    if trace_id is None and span_id is None:
        return fields
    ids = (("trace_id", trace_id), ("span_id", span_id))
    return fields | {name: value for name, value in ids if value is not None}


def _describe_exception(fields: dict[str, Any]) -> None:
    """Replace ``exc_info`` and ``stack_info`` by text: ``exception``, ``error_type`` and ``stack``.

    What they cannot mean, such as text of an exception, stays a field; nothing is asked of it.
    """
    stack = fields.pop("stack_info", None)
    if type(stack) in _SWITCHES:
        stack = "".join(traceback.format_stack(calling_frame())).rstrip("\n") if stack else None
    elif type(stack) is not str:
        fields["stack_info"], stack = stack, None
    if stack:
        add_field(fields, "stack", stack)
    said = fields.pop("exc_info", None)
    error = _exception_of(said)
    if error is not None:
        origin = origin_of(error)
        if origin is not None and "trace_id" not in fields:  # it has left its request, or the like
            fields.update({name: said for name, said in origin.values.items() if name not in fields})
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
        return format_error(error)
    except Exception:  # noqa: BLE001 - a hostile __str__ or a broken traceback must not break the log call
        return _class_of(error)


def _class_of(error: BaseException) -> str:
    """The name of its class, which is not asked: its metaclass may refuse."""
    name: str = type.__dict__["__qualname__"].__get__(type(error))
    return name
