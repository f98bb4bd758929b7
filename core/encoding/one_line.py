"""Texts that were logged or configured, where one line is for people: nothing in them breaks or steers it."""

from __future__ import annotations

__all__ = ["on_one_line"]


def on_one_line(text: str) -> str:
    """Return the text with each character that is not printed, such as a line break, as its escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
