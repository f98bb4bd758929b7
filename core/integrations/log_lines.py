"""Lines of log files: from one line of JSON, or of text, to the arguments of ``Runtime.emit``.

Pure, and on the hot path of ``logweir run``. What other loggers write is understood by the table of
``line_formats/table.py``. A line that has the whole shape of an event as logweir's own
sinks write it is that event again, with its id.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from logweir.config.input import InputConfig, LineFormat
from logweir.encoding.events import decode_event
from logweir.event import LEVELS, Event
from logweir.integrations.line_formats.containers import Pieces
from logweir.integrations.line_formats.documents import records_of
from logweir.integrations.line_formats.plans import Plan, Plans
from logweir.integrations.line_formats.table import BY_NAME, Preset
from logweir.integrations.line_formats.texts import Texts, found_level, found_time

__all__ = ["LineFormat", "LineParser", "Parsed", "parse_line"]

_UUID_LENGTH = 36
_BOM = b"\xef\xbb\xbf"
#: What an event as logweir writes it always has, and how it begins.
_SHAPE = frozenset({"id", "time", "kind", "level", "event", "service", "env", "fields"})
_OWN_BEGINNING = b'{"id":"'
#: Says in a call whether there is something to describe; in a line, nothing is.
_SWITCHES = (bool, int, type(None))
_AUTO = InputConfig()

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


class LineParser:
    """Reads the lines of one file, in their order.

    Args:
        line_format: The format of the lines; ``auto`` recognises each, ``json`` takes objects alone,
            ``plain`` takes any text.
        config: What the user says about the names in the lines.

    Attributes:
        begun: Whether the beginning of an event was read whose end has not come.
    """

    def __init__(self, line_format: LineFormat = "auto", config: InputConfig = _AUTO) -> None:
        self._format = line_format
        preset = BY_NAME.get(line_format) if line_format not in {"auto", "json", "logweir"} else None
        #: What stands around the lines of applications, whose own formats are recognised then.
        self._around = preset if preset is not None and preset.wraps else None
        self._plans = Plans(config, None if self._around else preset)
        self._texts = Texts(preset, config.regex)
        self._pieces = Pieces()
        self.begun = False
        self._wrapping: Preset | None = None

    def __call__(self, line: bytes) -> Sequence[Parsed]:
        """The events that a line completes; none for a blank one.

        Args:
            line: The line, with or without its end.

        Raises:
            ValueError: The line cannot be read; the message says why.
        """
        line = line.strip()
        if line.startswith(b"{") and self._format != "plain":
            # As our own sinks begin a line: what is an event is decoded once.
            own = _own_event(line) if line.startswith(_OWN_BEGINNING) else None
            return self._of_object(line) if own is None else (_of_own(own),)
        if line.startswith(_BOM):
            return self(line.removeprefix(_BOM))
        if not line:
            return ()
        if self._format == "json":
            return self._of_object(line)
        text, end, further = line.decode("utf-8", "backslashreplace").partition("\n")
        found = self._of_text(text)
        if end and found:  # the lines behind the first, where they were joined
            found[-1].fields.setdefault("exception", further)
        return found

    def end(self) -> Sequence[Parsed]:
        """The events whose end has not come, as far as they did."""
        preset = self._wrapping
        if not self.begun or preset is None:
            return ()
        self.begun = False
        return tuple(self._unwrapped(whole, preset) for whole in self._pieces.rest(preset.wraps))

    def _of_object(self, line: bytes) -> Sequence[Parsed]:
        fields = _object(line)
        if len(fields) >= len(_SHAPE) and fields.keys() >= _SHAPE and (own := _own_event(line)) is not None:
            return (_of_own(own),)
        plan = self._plans.plan(fields)
        preset = plan.preset
        if self._around is not None and type(fields.get(self._around.wraps)) is str:
            preset = self._around
        if preset.wraps:
            return self._wrapped(fields, preset)
        if preset.records and (records := records_of(fields, preset)) is not None:
            return tuple(self._understood(record, self._plans.plan(record, preset)) for record in records)
        return (self._understood(fields, plan),)

    def _of_text(self, text: str) -> Sequence[Parsed]:
        found = None if self._format == "plain" else self._texts.fields_of(text)
        if found is None:
            level = found_level(text) or "info"
            return (Parsed(text, {}, level, found_time(text, self._plans.zone), None),)
        fields, preset = found
        if preset is not None and preset.wraps:
            return self._wrapped(fields, preset)
        says_level = preset is None or not fields.keys().isdisjoint(preset.level)
        parsed = self._understood(fields, self._plans.plan(fields, preset))
        if not says_level:
            parsed = parsed._replace(level=found_level(parsed.name) or parsed.level)
        return (parsed if parsed.name or preset is not None else parsed._replace(name=text),)

    def _understood(self, fields: dict[str, Any], plan: Plan) -> Parsed:
        if "exc_info" in fields or "stack_info" in fields:
            _keep_exception(fields)
            plan = self._plans.plan(fields, plan.preset)
        name, level, time_ns = self._plans.understand(plan, fields)
        return Parsed(name, fields, level, time_ns, None)

    def _wrapped(self, fields: dict[str, Any], preset: Preset) -> Sequence[Parsed]:
        self._wrapping = preset
        lines = self._pieces.whole(fields, preset.wraps)
        self.begun = bool(self._pieces)
        return tuple(self._unwrapped(line, preset) for line in lines)

    def _unwrapped(self, fields: dict[str, Any], preset: Preset) -> Parsed:
        """The event of an application inside a line of a container runtime."""
        text = fields.get(preset.wraps)
        if type(text) is str and text.lstrip().startswith("{"):
            try:
                inner = _object(text.strip().encode("utf-8", "surrogatepass"))
            except ValueError:
                inner = None  # only the text of the application: the line itself can be read
            if inner is not None and not self._plans.plan(inner).preset.wraps:
                return self._merged(text, inner, fields, preset)
        parsed = self._understood(fields, self._plans.plan(fields, preset))
        level = found_level(parsed.name) if parsed.level == "info" else None
        time_ns = found_time(parsed.name, self._plans.zone)
        return parsed._replace(level=level or parsed.level, time_ns=time_ns or parsed.time_ns)

    def _merged(self, text: str, inner: dict[str, Any], outer: dict[str, Any], preset: Preset) -> Parsed:
        own = _own_event(text.strip().encode("utf-8", "surrogatepass"))
        if own is not None:
            return _of_own(own)
        parsed = self._understood(inner, self._plans.plan(inner))
        del outer[preset.wraps]
        _, _, time_ns = self._plans.understand(self._plans.plan(outer, preset), outer)
        for name, value in outer.items():
            parsed.fields.setdefault(name, value)
        return parsed._replace(time_ns=parsed.time_ns or time_ns)


def _of_own(own: Event) -> Parsed:
    return Parsed(own.name, own.fields, own.level, own.time, own.id, own)


_of_thread = threading.local()  # a parser remembers, which must not be what another thread reads


def parse_line(line: bytes, line_format: LineFormat = "auto") -> Parsed | None:
    """Read one line for itself; None for a blank one, and for one that holds no event or only a piece of one.

    Of a line that holds many events this is the first; a :class:`LineParser` gives all of them.

    Args:
        line: The line, with or without its end.
        line_format: The format; ``auto`` recognises it.

    Raises:
        ValueError: The line cannot be read; the message says why.
    """
    parsers = _of_thread.__dict__
    parser = parsers.get(line_format)
    if parser is None:
        parser = parsers[line_format] = LineParser(line_format)
    found = parser(line)
    if not found:
        found = parser.end()
    return found[0] if found else None


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        value = _loosely(line)
        if value is None:
            raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError("not JSON that can be read: nested too deeply") from None
    if type(value) is not dict:
        raise ValueError(f"not a JSON object but {type(value).__name__}")
    return value


def _loosely(line: bytes) -> Any:
    """What Python and JavaScript write beyond JSON: NaN, 1e400, lone surrogates; None if it is not that."""
    try:
        return json.loads(line.decode("utf-8"), parse_float=_number)
    except (ValueError, RecursionError):
        return None


def _number(text: str) -> float | str:
    """A number that is too large for a float stays its text."""
    number = float(text)
    return number if math.isfinite(number) else text


def _own_event(line: bytes) -> Event | None:
    """The event that logweir wrote in this line, so that reading a file twice stores it once.

    Only the whole shape counts: the ``id`` of another program's line may well be a UUIDv7, of an order.
    """
    try:
        event = decode_event(line, whole=True)
    except (ValueError, RecursionError):
        return None
    return event if event.level in LEVELS and _is_event_id(event.id) else None


def _is_event_id(value: str) -> bool:
    if len(value) != _UUID_LENGTH or value[14] != "7":
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
