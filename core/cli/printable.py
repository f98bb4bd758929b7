"""How people are shown what programs wrote and counted: nothing in it may steer their terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from logweir.encoding.one_line import on_one_line

__all__ = ["json_printable", "printable", "sized", "utc"]

_KIB = 1024


def printable(text: str) -> str:
    """The text with every control character written as its escape; line breaks stay."""
    return "\n".join(map(on_one_line, text.split("\n")))


def json_printable(text: str) -> str:
    """JSON in which what is not printable (U+009B, U+202E, lone surrogates) is escaped as JSON does it."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1].replace("\x7f", r"\u007f")
        for char in text
    )


def utc(ns: int) -> str:
    """A time in nanoseconds, to the second."""
    try:
        return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{ns} ns"


def sized(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if count < _KIB:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KIB
    return f"{count:.1f} GiB"
