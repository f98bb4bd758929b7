"""How values are distributed, over fixed buckets: what a histogram of Prometheus is made of."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

__all__ = ["BATCH_SIZES", "WRITE_SECONDS", "Distribution", "Histogram"]

#: Upper bounds of the buckets for events in one write.
BATCH_SIZES = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0)
#: Upper bounds of the buckets for seconds of one write.
WRITE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A picture of a histogram.

    Attributes:
        bounds: Upper bounds of the buckets, each inclusive.
        counts: Values in each bucket; the last one, without a bound, takes what is larger.
        total: The sum of the values.
    """

    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    total: float = 0.0

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """The bound below which ``share`` of the values lie, at the best guess; None without values.

        Within a bucket values count as spread evenly; those above the last bound count as being there.
        """
        wanted = share * self.count
        if not self.count:
            return None
        lower = 0.0
        for bound, count, reached in zip(self.bounds, self.counts, accumulate(self.counts), strict=False):
            if reached >= wanted and count:
                return lower + (bound - lower) * (wanted - (reached - count)) / count
            lower = bound
        return lower

    def __add__(self, other: Distribution) -> Distribution:
        if not other.bounds or not self.bounds:
            return self if self.bounds else other
        counts = tuple(mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True))
        return Distribution(self.bounds, counts, self.total + other.total)


@dataclass(slots=True)
class Histogram:
    """Counts values into buckets; written by one thread, read by any.

    Attributes:
        bounds: Upper bounds of the buckets.
    """

    bounds: Sequence[float]
    _counts: list[int] = field(init=False)
    _total: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self._total += value

    def picture(self) -> Distribution:
        """What was counted so far."""
        return Distribution(tuple(self.bounds), tuple(self._counts), self._total)
