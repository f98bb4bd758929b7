"""Token buckets: how much may come in a second, and at once. Source: Loki docs, limits_config (rates and bursts)."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """Refills at ``rate`` up to ``burst``; takes a whole amount or none of it."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()

    def take(self, amount: float) -> bool:
        """Whether the amount was there; what is larger than the burst never is."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if amount > self._tokens:
            return False
        self._tokens -= amount
        return True
