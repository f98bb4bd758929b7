"""The code that logs: its frame, for the stack of ``stack_info``, and its place, for reports."""

from __future__ import annotations

import sys
from types import FrameType

__all__ = ["calling_frame", "calling_place"]

#: Packages between a log call and its caller.
_BETWEEN = frozenset({"logweir", "structlog", "logging"})


def calling_frame() -> FrameType:
    """Return the frame of the code that logs."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to see the caller without raising
    while frame.f_back is not None and _package(frame) in _BETWEEN:
        frame = frame.f_back
    return frame


def calling_place() -> str:
    """Return file and line of the code that logs, for a report."""
    frame = calling_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
