"""An event as a person reads it on a terminal: one line, and below it what was raised.

    16:00:00.123 warning  tracing stock.low                      [shop.orders] item=widget left=2

Levels, names and values have colours where the terminal shows them. Whatever could move the cursor or forge
a line is escaped, and each line of a traceback is indented: a line that begins with a time is an event.
"""

from __future__ import annotations

import os
from typing import TextIO

import msgspec

from logweir.encoding.one_line import on_one_line
from logweir.encoding.times import format_time
from logweir.event import Event

__all__ = ["console_lines", "has_colors"]

_encode = msgspec.json.Encoder().encode
_INDENT = "    "
#: Fields that have lines of their own below the event's.
_BELOW = ("exception", "stack")
#: Event names are padded to this, so that fields begin in one column.
_NAME_WIDTH = 30

_RESET, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_KEY, _VALUE, _AUDIT = "\x1b[36m", "\x1b[35m", "\x1b[1;34m"
_LEVELS = {
    "debug": "\x1b[32m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}


def has_colors(stream: TextIO) -> bool:
    """Whether a stream shows colours: a terminal does, unless ``NO_COLOR`` or ``TERM=dumb`` says otherwise.

    ``FORCE_COLOR`` asks for them elsewhere too, as under a runner whose output is a pipe.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def console_lines(event: Event, *, colors: bool) -> str:
    """The lines of an event, without a break at the end.

    Raises:
        TypeError, ValueError: A value of the event cannot be written as JSON.
    """
    paint = _painted if colors else _plain
    kind = event.kind.value
    parts = [
        paint(format_time(event.time)[11:23], _DIM),
        paint(f"{on_one_line(event.level):<8}", _LEVELS.get(event.level, _BOLD)),
        paint(f"{kind:<7}", _AUDIT if kind == "audit" else _DIM),
        paint(f"{on_one_line(event.name):<{_NAME_WIDTH}}", _BOLD),
    ]
    fields = dict(event.fields)
    logger = fields.pop("logger", None)
    if isinstance(logger, str):
        parts.append(f"[{on_one_line(logger)}]")
    below = [text for name in _BELOW if isinstance(text := fields.get(name), str) and fields.pop(name)]
    parts += [
        f"{paint(on_one_line(name), _KEY)}={paint(on_one_line(_text(value)), _VALUE)}"
        for name, value in fields.items()
    ]
    first = " ".join(parts).rstrip()
    return "\n".join([first, *(_INDENT + on_one_line(line) for text in below for line in text.splitlines())])


def _text(value: object) -> str:
    """A value as JSON, but a word without its quotes."""
    if isinstance(value, str) and value and not any(char in value for char in " \"'=\\"):
        return value
    return _encode(value).decode()


def _painted(text: str, style: str) -> str:
    return f"{style}{text}{_RESET}"


def _plain(text: str, _: str) -> str:
    return text
