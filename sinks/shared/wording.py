"""What servers and encoders say, as messages show it: one line, bounded, nothing of what was logged. Pure."""

from __future__ import annotations

__all__ = ["encoding_fault", "in_one_line"]


def in_one_line(text: str, longest: int) -> str:
    """Return a text as one line of at most so many characters; a cut is marked."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest]}…"


def encoding_fault(error: Exception) -> str:
    """Return why a value cannot be encoded; the whole text of a Unicode error would quote what was logged."""
    return error.reason if isinstance(error, UnicodeEncodeError) else str(error)
