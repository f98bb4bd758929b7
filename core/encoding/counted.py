"""How a number and what it counts are written: in reports, in errors, on the terminal."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, noun: str, one: str = "", more: str = "") -> str:
    """A number and what it counts: 1 event, 2,000 events; with a verb for one and for more: 1 event was."""
    things, verb = (noun, one) if number == 1 else (f"{noun}s", more)
    return f"{number:,} {things} {verb}".rstrip()
