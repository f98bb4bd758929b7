"""How a process that was started came to its end, in words."""

from __future__ import annotations

import signal

__all__ = ["cause_of_end"]


def cause_of_end(code: int) -> str:
    """Say what a return code of ``subprocess`` means: ``exit code 1``, ``SIGKILL``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
