"""Times, levels and ids of traces as other loggers write them.

Pure. What is not understood is None, never an error.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from logweir.encoding.times import parse_time
from logweir.event import LEVELS, nearest_level

__all__ = [
    "LEVEL_NAMES",
    "TIME_SHAPES",
    "Level",
    "Trace",
    "read_level",
    "read_time",
    "read_trace",
    "text_time",
]

# -- times ----------------------------------------------------------------------------------------------

#: What is smaller is no moment, but a duration or a counter: 1973, in seconds.
_FIRST_NUMBER = 10**8
#: From here on a number counts milliseconds, microseconds, nanoseconds: each begins in 1973 with the next.
_MILLISECONDS, _MICROSECONDS, _NANOSECONDS = 10**11, 10**14, 10**17
_LAST_NUMBER = 253_402_300_800 * 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY_NS = 86_400 * 10**9
_LONGEST = 64

_MONTHS = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)  # noqa: SIM905
}
_MON = r"(?P<mon>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY_NAME = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = r"(?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,12}))?"
_OFFSET = r"(?:\s?(?P<offset>Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
#: How moments are written, the most frequent first: ISO 8601 and its like, access logs and RFC 2822, C's
#: ctime, and syslog's, which has no year.
TIME_SHAPES = tuple(
    re.compile(shape, re.ASCII | re.IGNORECASE)
    for shape in (
        rf"(?P<year>\d{{4}})[-/.]?(?P<month>\d\d)[-/.]?(?P<day>\d\d)[T\s]{_CLOCK}{_OFFSET}",
        rf"(?:{_DAY_NAME}, )?(?P<day>\d\d?)[/ -]{_MON}[/ -](?P<year>\d{{4}})[: ]{_CLOCK}{_OFFSET}",
        rf"{_DAY_NAME} {_MON} +(?P<day>\d\d?) {_CLOCK} (?P<year>\d{{4}}){_OFFSET}",
        rf"{_MON} +(?P<day>\d\d?) (?:(?P<year>\d{{4}}) )?{_CLOCK}",
    )
)


def read_time(value: Any, zone: tzinfo = UTC) -> int | None:
    """Nanoseconds since 1970 from a text, or from a number of seconds, milli-, micro- or nanoseconds.

    Args:
        value: What stands in the line.
        zone: Of texts without an offset.
    """
    if type(value) is str:
        if value.endswith("Z"):
            try:
                return parse_time(value)
            except ValueError:
                pass
        return text_time(value.strip(), zone) if len(value) <= _LONGEST else None
    if type(value) is int:
        return _of_number(value)
    if type(value) is float and math.isfinite(value) and value < _LAST_NUMBER:
        # A float of seconds has microseconds at best; what is behind them is noise.
        return round(value * 1e6) * 1000 if _FIRST_NUMBER <= value < _MILLISECONDS else _of_number(value)
    return None


def _of_number(value: float | Decimal) -> int | None:
    if not _FIRST_NUMBER <= value < _LAST_NUMBER:
        return None
    if value >= _NANOSECONDS:
        return int(value)
    if value >= _MICROSECONDS:
        return int(value * 1000)
    return int(value * 10**6) if value >= _MILLISECONDS else int(value * 10**9)


@lru_cache(maxsize=512)
def text_time(text: str, zone: tzinfo = UTC) -> int | None:
    """Nanoseconds since 1970 from a text as in any of the :data:`TIME_SHAPES`, or a number as text."""
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return _of_number(Decimal(text) if "." in text else int(text))
    for shape in TIME_SHAPES:
        match = shape.fullmatch(text)
        if match is not None:
            return _of_parts(match.groupdict(), zone)
    return None


def _of_parts(parts: dict[str, str | None], zone: tzinfo) -> int | None:
    month = _MONTHS[parts["mon"].lower()] if parts.get("mon") else int(parts.get("month") or 0)  # type: ignore[union-attr]
    fraction = int((parts["fraction"] or "")[:9].ljust(9, "0"))
    offset = parts.get("offset")
    where = _zone(offset) if offset else zone
    day, clock = int(parts["day"] or 0), parts["clock"]
    if parts["year"]:
        return _moment(int(parts["year"]), month, day, f"{clock}", where, fraction)
    # Nobody writes of tomorrow: where the year is missing, it is the last one that is not in the future.
    now = time.time_ns()
    this_year = datetime.fromtimestamp(now // 10**9, UTC).year
    for year in range(this_year + 1, this_year - 5, -1):
        found = _moment(year, month, day, f"{clock}", where, fraction)
        if found is not None and found <= now + _DAY_NS:
            return found
    return None


def _moment(year: int, month: int, day: int, clock: str, zone: tzinfo, fraction: int) -> int | None:
    hour, minute, second = map(int, clock.split(":"))
    try:
        # A leap second is the last moment before the next one.
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
        return (moment - _EPOCH) // _SECOND * 10**9 + fraction
    except (ValueError, OverflowError):
        return None


def _zone(offset: str) -> tzinfo:
    if offset[0] not in "+-":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    minutes = min(int(digits[:2]) * 60 + int(digits[2:]), 1439)
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


# -- levels ---------------------------------------------------------------------------------------------


class Level(NamedTuple):
    """A level of ours, and whether it says as much as what stood in the line."""

    name: str
    exact: bool


_ALIASES = {
    "debug": "dbg",
    "info": "information inf",
    "warning": "warn wrn",
    "error": "err",
    "critical": "fatal crit ftl",
}
_NEAREST = {
    "debug": "trace verbose vrb trc fine finer finest config silly",
    "info": "notice informational success default",
    "warning": "",
    "error": "severe",
    "critical": "emergency emerg alert panic dpanic",
}
_LETTERS = {
    "D": "debug",
    "V": "debug",
    "I": "info",
    "W": "warning",
    "E": "error",
    "F": "critical",
    "C": "critical",
}
#: The names of levels in lower case.
LEVEL_NAMES: dict[str, Level] = {name: Level(name, exact=True) for name in LEVELS} | {
    other: Level(name, exact)
    for names, exact in ((_ALIASES, True), (_NEAREST, False))
    for name, others in names.items()
    for other in others.split()
}
#: Go's slog: a level between two others is written as the distance from the one below.
_SLOG = re.compile(r"(DEBUG|INFO|WARN|ERROR)([+-]\d{1,3})")
_SLOG_BASE = {"DEBUG": -4, "INFO": 0, "WARN": 4, "ERROR": 8}
_LONGEST_LEVEL = 16

#: For each scale of numbers, from which number on a level holds; the number itself is exact.
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "pino": ((60, "critical"), (50, "error"), (40, "warning"), (30, "info"), (20, "debug"), (1, "debug")),
    "otel": ((21, "critical"), (17, "error"), (13, "warning"), (9, "info"), (5, "debug"), (1, "debug")),
    "monolog": ((500, "critical"), (400, "error"), (300, "warning"), (200, "info"), (100, "debug")),
    "slog": ((12, "critical"), (8, "error"), (4, "warning"), (0, "info"), (-4, "debug"), (-99, "debug")),
}
_SYSLOG = ("critical", "critical", "critical", "error", "warning", "info", "info", "debug")
_SYSLOG_EXACT = frozenset({2, 3, 4, 6, 7})
_SERVER_ERROR, _CLIENT_ERROR = 500, 400


def read_level(value: Any, scale: str = "") -> Level | None:
    """The level that a name or a number means.

    Args:
        value: What stands in the line.
        scale: What numbers count: ``pino`` (bunyan, too), ``python``, ``syslog``, ``pri``, ``otel``, ``http``
            (a status); where it is empty, the number itself decides between syslog, pino and Monolog.
    """
    if type(value) is str:
        if len(value) > _LONGEST_LEVEL:
            return None
        known = LEVEL_NAMES.get(value) or LEVEL_NAMES.get(value.strip().lower())
        if known is not None:
            return known
        if value in _LETTERS:
            return Level(_LETTERS[value], exact=True)
        if (match := _SLOG.fullmatch(value)) is not None:
            return Level(_on_scale(_SLOG_BASE[match[1]] + int(match[2]), "slog").name, exact=False)
        if not (value.isascii() and value.isdecimal()):
            return None
        value = int(value)
    return _of_level_number(value, scale) if type(value) is int else None


def _of_level_number(number: int, scale: str) -> Level | None:
    if not scale:
        scale = _guessed_scale(number)
    if scale == "python":
        return Level(nearest_level(number), exact=number in LEVELS.values()) if number > 0 else None
    if scale == "pri":
        return Level(_SYSLOG[number & 7], exact=False)
    if scale == "http":
        error = number >= _SERVER_ERROR
        return Level("error" if error else "warning" if number >= _CLIENT_ERROR else "info", exact=False)
    if scale == "syslog":
        return Level(_SYSLOG[number], number in _SYSLOG_EXACT) if 0 <= number < len(_SYSLOG) else None
    return _on_scale(number, scale) if scale and number > 0 else None


def _guessed_scale(number: int) -> str:
    if 0 <= number < len(_SYSLOG):
        return "syslog"
    if number % 10 == 0 and 10 <= number <= 60:  # noqa: PLR2004 - pino's and bunyan's trace and fatal
        return "pino"
    return "monolog" if number % 50 == 0 and 100 <= number <= 600 else ""  # noqa: PLR2004 - debug and emergency


def _on_scale(number: int, scale: str) -> Level:
    steps = _SCALES[scale]
    for begins, name in steps:
        if number >= begins:
            return Level(name, exact=number == begins)
    return Level(steps[-1][1], exact=False)


# -- traces ---------------------------------------------------------------------------------------------


class Trace(NamedTuple):
    """The ids in a text, and whether they say as much as it does."""

    trace_id: str
    span_id: str | None
    exact: bool


_HEX = re.compile(r"(?:0x)?([0-9a-f]{32}|[0-9a-f]{16})")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_GOOGLE = re.compile(r"projects/[^/]+/traces/([0-9a-f]{32})")
_XRAY = re.compile(r"(?:root=)?1-([0-9a-f]{8})-([0-9a-f]{24})(?:;.*)?")
_LONGEST_TRACE = 256


def read_trace(value: Any) -> Trace | None:
    """The ids that W3C, OpenTelemetry, B3, Google Cloud and X-Ray write, as lower-case hex without dashes."""
    if type(value) is not str or not 16 <= len(value) <= _LONGEST_TRACE:  # noqa: PLR2004 - the shortest id
        return None
    text = value.strip().lower()
    if match := _HEX.fullmatch(text):
        found, span, exact = match[1], None, True
    elif _UUID.fullmatch(text):
        found, span, exact = text.replace("-", ""), None, True
    elif match := _TRACEPARENT.fullmatch(text):
        found, span, exact = match[1], match[2], False
    elif match := _GOOGLE.fullmatch(text):
        found, span, exact = match[1], None, False
    elif match := _XRAY.fullmatch(text):
        found, span, exact = match[1] + match[2], None, False
    else:
        return None
    return Trace(found, span, exact) if found.strip("0") else None
