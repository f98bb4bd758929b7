"""How long anybody may wait: what callers give as seconds, within what locks can take."""

from __future__ import annotations

import threading

__all__ = ["waitable"]

#: Half of what locks can wait for, so that some seconds of grace may be added to it.
_LONGEST = threading.TIMEOUT_MAX / 2


def waitable(seconds: float) -> float:
    """Return a time that every lock can wait for; what is longer, such as ``inf``, is as good as for ever."""
    return min(seconds, _LONGEST)
