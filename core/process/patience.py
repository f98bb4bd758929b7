"""How long anybody may wait: what callers give as seconds, within what locks can take."""

from __future__ import annotations

import threading

__all__ = ["LONGEST_ASKED", "waitable"]

#: The most seconds that a configuration or a command may ask for, 100 years: what waits longer than a life is
#: meant to wait for ever, and no clock can.
LONGEST_ASKED = 36_500 * 86_400.0

#: Half of what locks can wait for, so that some seconds of grace may be added to it.
_LONGEST = threading.TIMEOUT_MAX / 2


def waitable(seconds: float) -> float:
    """Return a time that every lock can wait for; what is longer, such as ``inf``, is as good as for ever."""
    return min(seconds, _LONGEST)
