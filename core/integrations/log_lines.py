"""Lines of log files: from one line of JSON, or of plain text, to the arguments of ``Runtime.emit``.

Pure and on the hot path of ``logweir run``. Names that other loggers use are understood: ``event``,
``message`` or ``msg`` for what happened, ``level`` or ``severity``, ``time``, ``timestamp`` or ``ts``. A
line that has the whole shape of an event as logweir's own sinks write it is that event again, with its id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from logweir.encoding.events import decode_event
from logweir.encoding.times import parse_time
from logweir.event import LEVELS, Event

__all__ = ["LineFormat", "Parsed", "parse_line"]

LineFormat = Literal["auto", "json", "plain"]

_NAMES = ("event", "message", "msg")
_TIMES = ("time", "timestamp", "ts")
_LEVEL_ALIASES = {"warn": "warning", "err": "error", "fatal": "critical", "trace": "debug", "notice": "info"}
_MILLISECONDS_FROM = 10**11
_NANOSECONDS_FROM = 10**17
_UUID_LENGTH = 36
#: What an event as logweir writes it always has, and what it may have.
_SHAPE = frozenset({"id", "time", "kind", "level", "event", "service", "env", "fields"})
_IDS = frozenset({"trace_id", "span_id"})
#: Says in a call whether there is something to describe; in a line, nothing is.
_SWITCHES = (bool, int, type(None))

_decode = msgspec.json.Decoder().decode


class Parsed(NamedTuple):
    """The arguments of ``Runtime.emit``."""

    name: str
    fields: dict[str, Any]
    level: str
    time_ns: int | None
    event_id: str | None
    own: Event | None = None
    """The event that the line is, if logweir wrote it; ``fields`` are its own."""


def parse_line(line: bytes, line_format: LineFormat = "auto") -> Parsed | None:
    """Read one line; None for a blank one.

    Args:
        line: The line, with or without its end.
        line_format: ``json`` takes objects alone, ``plain`` takes any text, ``auto`` takes for JSON
            what begins with a brace.

    Raises:
        ValueError: The line cannot be read; the message says why.
    """
    line = line.strip()
    if not line:
        return None
    if line_format == "plain" or (line_format == "auto" and not line.startswith(b"{")):
        return Parsed(line.decode("utf-8", "backslashreplace"), {}, "info", None, None)
    fields = _object(line)
    own = _own_event(line, fields) if len(fields) >= len(_SHAPE) else None
    if own is not None:
        return Parsed(own.name, own.fields, own.level, own.time, own.id, own)
    if "exc_info" in fields or "stack_info" in fields:
        _keep_exception(fields)
    return Parsed(_name(fields), fields, _level(fields), _time(fields), None)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError("not JSON that can be read: nested too deeply") from None
    if type(value) is not dict:
        raise ValueError(f"not a JSON object but {type(value).__name__}")
    return value


def _own_event(line: bytes, fields: dict[str, Any]) -> Event | None:
    """The event that logweir wrote in this line, so that reading a file twice stores it once.

    Only the whole shape counts: the ``id`` of another program's line may well be a UUIDv7, of an order.
    """
    if not (fields.keys() >= _SHAPE and fields.keys() - _SHAPE <= _IDS and _is_event_id(fields["id"])):
        return None
    try:
        event = decode_event(line)
    except (ValueError, RecursionError):
        return None
    return event if event.level in LEVELS else None


def _is_event_id(value: Any) -> bool:
    if type(value) is not str or len(value) != _UUID_LENGTH or value[14] != "7":
        return False
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False


def _keep_exception(fields: dict[str, Any]) -> None:
    """Keep text under the names that it would have as an event; a switch has nothing to switch on here."""
    for key, name in (("exc_info", "exception"), ("stack_info", "stack")):
        value = fields.get(key)
        if type(value) is str and name not in fields:
            fields[name] = fields.pop(key)
        elif type(value) in _SWITCHES:
            fields.pop(key, None)


def _name(fields: dict[str, Any]) -> str:
    for key in _NAMES:
        if key in fields:
            name = fields.pop(key)
            return name if type(name) is str else str(name)
    return ""


def _level(fields: dict[str, Any]) -> str:
    for key in ("level", "severity"):
        value = fields.get(key)
        if type(value) is str:
            level = value.lower()
            level = _LEVEL_ALIASES.get(level, level)
            if level in LEVELS:
                del fields[key]
                return level
    return "info"


def _time(fields: dict[str, Any]) -> int | None:
    for key in _TIMES:
        if key in fields:
            nanos = _nanoseconds(fields[key])
            if nanos is not None:
                del fields[key]
                return nanos
    return None


def _nanoseconds(value: Any) -> int | None:
    """Nanoseconds from RFC 3339 text, or from a number of seconds, milliseconds or nanoseconds."""
    try:
        if type(value) is str:
            return (
                parse_time(value)
                if value.endswith("Z")
                else int(datetime.fromisoformat(value).timestamp() * 1e6) * 1000
            )
        if type(value) in (int, float) and value > 0:
            if value >= _NANOSECONDS_FROM:
                return int(value)
            return int(value * 10**6) if value >= _MILLISECONDS_FROM else int(value * 10**9)
    except (ValueError, OverflowError):
        return None
    return None
