"""Interrupting a call at any point of its Python code, as a signal handler or a finaliser does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["interrupted"]


@contextmanager
def interrupted(instruction: int, interrupt: Callable[[], object]) -> Iterator[None]:
    """Call ``interrupt`` in the middle of what this block does in logweir's own code.

    Args:
        instruction: Before which of its instructions, counted from the first one; never, if there are fewer.
        interrupt: What to do then, once.
    """
    left = instruction

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if not frame.f_globals.get("__name__", "").startswith("logweir."):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                sys.settrace(None)
                interrupt()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
