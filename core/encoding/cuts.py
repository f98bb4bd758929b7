"""How a text that is too long is cut: one rule for the snapshot, for whole events and for sinks. Pure.

Of several lines, as a traceback has them or what a program has printed, both ends are kept: where it began,
and the reason, which stands last. Of a single line it is the beginning. A mark says how much is gone.
"""

from __future__ import annotations

import re

__all__ = ["LONGEST_MARK", "cut_text", "is_cut", "joined", "kept_ends"]

#: The most bytes of a mark.
LONGEST_MARK = 48

#: What ends it is not taken, for it may begin another one.
_MARK = re.compile(r"…\[truncated \d+ characters\](?=(…|\Z))")


def kept_ends(text: str, room: int) -> tuple[int, int]:
    """Return how many characters of the beginning and of the end are kept where there is room for so many."""
    tail = room // 2 if text.find("\n", 0, room) >= 0 else 0
    return room - tail, tail


def joined(start: str, lost: int, end: str) -> str:
    """Return what is kept, with the mark of what is not."""
    mark = f"{start}…[truncated {lost} characters]"
    return f"{mark}…{end}" if end else mark


def cut_text(text: str, longest: int) -> str:
    """Return the text, cut to so many characters and the mark if it is longer."""
    if len(text) <= longest:
        return text
    head, tail = kept_ends(text, longest)
    return joined(text[:head], len(text) - longest, text[len(text) - tail :])


def is_cut(text: str, longest: int) -> bool:
    """Whether this may be what an earlier cut left, which is longer than the limit by its mark."""
    if len(text) > longest + LONGEST_MARK:
        return False
    return any(len(text) - len(mark.group() + mark[1]) <= longest for mark in _MARK.finditer(text))
