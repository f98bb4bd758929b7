"""From the fields of a line to what an event needs: its name, level, time and trace.

What is to be looked at is worked out once for each shape of line, which is the names that it has: a program
writes few of them. What was understood and says no more than the event does by itself is taken out of
the fields; everything else stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

from logweir.config.input import InputConfig, zone_of
from logweir.encoding.fields import MISSING, look_up
from logweir.integrations.line_formats.table import GENERIC, KEY_SCALES, PRESETS, Preset
from logweir.integrations.line_formats.values import LEVEL_NAMES, Level, read_level, read_time, read_trace

__all__ = ["Plan", "Plans"]

#: The name of a field, or the way to one inside others.
_Path = str | tuple[str, ...]
_MOST_SHAPES = 2_000
_TELLING = tuple(preset for preset in PRESETS if preset.tells)
_TITLE_PART = re.compile(r"\{([^}]+)\}")
_SCALARS = (int, float, bool)


class Plan(NamedTuple):
    """What lines of one shape are looked at for."""

    preset: Preset
    message: tuple[_Path, ...]
    time: tuple[_Path, ...]
    level: tuple[tuple[_Path, str], ...]
    trace: tuple[_Path, ...]
    span: tuple[_Path, ...]


class Plans:
    """Understands the fields of lines.

    Args:
        config: The names that the user has given.
        preset: The format of all lines; None to recognise each.
    """

    def __init__(self, config: InputConfig, preset: Preset | None) -> None:
        self._config = config
        self._preset = preset
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._zone = zone_of(config.timezone)
        self._read_time = _reader(config.time_format, self._zone)
        self._own_times = frozenset(map(_path, config.time_key))
        self._own_traces = frozenset(map(_path, config.trace_key))
        self._own_levels = {name.lower(): Level(level, exact=False) for name, level in config.levels.items()}

    @property
    def zone(self) -> tzinfo:
        """The zone of times without an offset."""
        return self._zone

    def plan(self, fields: dict[str, Any], preset: Preset | None = None) -> Plan:
        """What a line is looked at for.

        Args:
            fields: Of the line.
            preset: Its format, where it is known from elsewhere.
        """
        shape: tuple[object, ...] = tuple(fields) if preset is None else (preset.name, None, *fields)
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._made(tuple(fields), preset or self._preset or _recognised(frozenset(fields)))
            if len(self._plans) >= _MOST_SHAPES:
                self._plans.clear()
            self._plans[shape] = plan
        return plan

    def understand(self, plan: Plan, fields: dict[str, Any]) -> tuple[str, str, int | None]:
        """Take out of the fields what an event has beside them: its name, level and time.

        Args:
            plan: For lines of this shape.
            fields: Of the line; they are changed.
        """
        level = "info"
        for path, scale in plan.level:
            value = fields.get(path) if type(path) is str else _inner(fields, path)
            found = LEVEL_NAMES.get(value) if type(value) is str and not self._own_levels else None
            found = found or self._own_levels.get(str(value).lower()) or read_level(value, scale)
            if found is not None:
                level = found.name
                if found.exact:
                    _remove(fields, path)
                break
        time_ns = self._time(plan, fields) if plan.time else None
        name = _message(plan.message, fields) if plan.message else ""
        if plan.trace or plan.span:
            self._ids(plan, fields)
        if not name and plan.preset.title:
            name = _title(plan.preset.title, fields)
        return name, level, time_ns

    def _made(self, shape: tuple[str, ...], preset: Preset) -> Plan:
        config, names = self._config, frozenset(shape)

        def found(own: Iterable[str], of_preset: Iterable[str], generic: Iterable[str]) -> tuple[_Path, ...]:
            candidates = [*own, *(name for name in (*of_preset, *generic) if name not in preset.ignores)]
            return tuple(dict.fromkeys(path for name in candidates if (path := _found(name, names))))

        levels = found(config.level_key, preset.level, GENERIC.level)
        return Plan(
            preset,
            found(config.message_key, preset.message, GENERIC.message),
            found(config.time_key, preset.time, GENERIC.time),
            tuple((path, KEY_SCALES.get(_last(path), preset.scale)) for path in levels),
            found(config.trace_key, preset.trace, GENERIC.trace),
            found(config.span_key, preset.span, GENERIC.span),
        )

    def _time(self, plan: Plan, fields: dict[str, Any]) -> int | None:
        for path in plan.time:
            value = fields.get(path) if type(path) is str else _inner(fields, path)
            if self._read_time is not None and path in self._own_times:
                found = self._read_time(value)
            else:
                found = read_time(value, self._zone)
            if found is not None:
                _remove(fields, path)
                return found
        return None

    def _ids(self, plan: Plan, fields: dict[str, Any]) -> None:
        """Put the ids under the names that the capture knows; what is no id of any kind stays where it is."""
        span_of_trace = None
        for path in plan.trace:
            value = _inner(fields, path)
            trace = read_trace(value)
            if trace is not None:
                if trace.exact:
                    _remove(fields, path)
                if "trace_id" not in fields:
                    fields["trace_id"] = trace.trace_id
                span_of_trace = trace.span_id
                break
            if path in self._own_traces and type(value) in (str, int) and "trace_id" not in fields:
                _remove(fields, path)
                fields["trace_id"] = str(value)
                break
        for path in plan.span:
            value = _inner(fields, path)
            if path != "span_id" and type(value) is str and value and "span_id" not in fields:
                _remove(fields, path)
                fields["span_id"] = value.lower()
                return
        if span_of_trace is not None:
            fields.setdefault("span_id", span_of_trace)


def _reader(form: str | None, zone: tzinfo) -> Callable[[Any], int | None] | None:
    """Reads texts of the user's own form."""
    if form is None:
        return None
    form = form.replace("%L", "%f")
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    def read(value: Any) -> int | None:
        try:
            moment = datetime.strptime(str(value), form)  # noqa: DTZ007 - a zone follows
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
            since = moment - epoch
        except (ValueError, OverflowError):
            return read_time(value, zone)
        return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000

    return read


def _recognised(names: frozenset[str]) -> Preset:
    for preset in _TELLING:
        if any(tell <= names for tell in preset.tells):
            return preset
    return GENERIC


def _path(name: str) -> _Path:
    return tuple(name.split(".")) if "." in name else name


def _found(name: str, names: frozenset[str]) -> _Path | None:
    """The way to a name, if the shape has it, or the object that it may be in."""
    if name in names:
        return name
    path = _path(name)
    return path if type(path) is tuple and path[0] in names else None


def _last(path: _Path) -> str:
    return path if type(path) is str else path[-1]


def _inner(fields: dict[str, Any], path: _Path) -> Any:
    if type(path) is str:
        return fields.get(path)
    value: Any = fields
    for part in path:
        value = value.get(part) if type(value) is dict else None
    return value


def _remove(fields: dict[str, Any], path: _Path) -> None:
    """Take a field out, and the objects around it that have nothing else."""
    if type(path) is str:
        del fields[path]
        return
    first, rest = path[0], path[1:]
    inner = fields[first]
    _remove(inner, rest if len(rest) > 1 else rest[0])
    if not inner:
        del fields[first]


def _message(paths: tuple[_Path, ...], fields: dict[str, Any]) -> str:
    """The first text that is not empty, else the first number; an object is no name."""
    for path in paths:
        value = fields.get(path) if type(path) is str else _inner(fields, path)
        if type(value) is str and value:
            _remove(fields, path)
            return value.rstrip("\r\n")
        if type(value) is list and value and (text := _of_bytes(value)) is not None:
            _remove(fields, path)
            return text
    for path in paths:
        value = _inner(fields, path)
        if type(value) in _SCALARS:
            _remove(fields, path)
            return str(value)
        if value == "":
            _remove(fields, path)
            return ""
    return ""


def _of_bytes(value: list[Any]) -> str | None:
    """What journald writes of a text that is no UTF-8: its bytes as numbers."""
    try:
        return bytes(value).decode("utf-8", "backslashreplace")
    except (TypeError, ValueError):
        return None


def _title(title: str, fields: dict[str, Any]) -> str:
    def part(match: re.Match[str]) -> str:
        value = look_up(fields, match[1])
        return value if type(value) is str and value is not MISSING else ""

    return _TITLE_PART.sub(part, title).strip()
