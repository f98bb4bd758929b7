"""Token buckets: so many bytes a second, and as many at once as the burst allows."""

from collections.abc import Callable


class Bucket:
    """One rate.

    Args:
        rate: Bytes a second.
        burst: The most bytes at once.
        now: Seconds, of a clock that does not go back.
    """

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._now = now
        self._tokens = burst
        self._at = now()

    def allows(self, size: int) -> bool:
        """Whether so many bytes may pass now; they are counted only if they do."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if size > self._tokens:
            return False
        self._tokens -= size
        return True
