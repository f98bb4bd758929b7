"""Interrupting code between any two of its instructions, as a signal handler or a finaliser may.

Tracing asks before each instruction (``f_trace_opcodes``) of the package's own code. What interrupts is itself
not traced.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import logweir

__all__ = ["LONG", "interrupt_at", "interrupt_inside", "steps"]

#: Whether each instruction is tried, and not a sample of them: ``make soak``.
LONG = os.environ.get("LOGWEIR_SOAK") == "long"
_PACKAGE = Path(logweir.__file__).parent
_TESTING = str(_PACKAGE / "testing")


def interrupt_at(step: int, work: Callable[[], object], interrupt: Callable[[], object]) -> bool:
    """Do the work, and before its instruction number ``step`` what interrupts it; whether it has so many."""
    return interrupt_inside(lambda: True, step, work, interrupt)


def interrupt_inside(
    inside: Callable[[], bool], step: int, work: Callable[[], object], interrupt: Callable[[], object]
) -> bool:
    """Do what :func:`interrupt_at` does, and count only instructions before which ``inside`` is true."""
    done = 0

    def local(frame: FrameType, what: str, _arg: Any) -> Any:
        nonlocal done
        if what == "opcode" and done < step and inside():
            done += 1
            if done == step:
                interrupt()
        return local

    def trace(frame: FrameType, what: str, _arg: Any) -> Any:
        path = frame.f_code.co_filename
        if not path.startswith(str(_PACKAGE)) or path.startswith(_TESTING):
            return None
        frame.f_trace_opcodes = True
        return local(frame, what, _arg)

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return done >= step


def steps(sample: int) -> Iterator[int]:
    """Numbers of instructions to try: one in ``sample``, or each in the long form; without an end."""
    return itertools.count(1, 1 if LONG else sample)
