"""Carrying a measured curve on to a volume that was not measured. Pure.

Over volumes, times and rates of stores are close to power laws, straight lines on logarithmic axes; so a line
is fitted there by least squares. It is an estimate, and whoever uses it says so, with how far it reaches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BOUNDS", "Estimate", "estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value at a volume.

    Attributes:
        value: What is expected there.
        reach: How many times larger the volume is than the largest that was measured; 1 for none.
    """

    value: float
    reach: float

    @property
    def extrapolated(self) -> bool:
        """Whether nothing was measured at such a volume."""
        return self.reach > 1


#: The exponents that a curve may have: from not changing at all to growing as the volume does.
BOUNDS = (0.0, 1.0)


def estimate(
    points: Sequence[tuple[float, float]], volume: float, bounds: tuple[float, float] = BOUNDS
) -> Estimate | None:
    """Read the curve through ``points`` (volume, value) at ``volume``; None without a point.

    Between measured volumes it is interpolated. Beyond them the fitted line is followed, its exponent held
    within ``bounds``, so that noise in a few points does not become a prophecy.
    """
    known = sorted((x, y) for x, y in points if x > 0 and y > 0)
    if not known:
        return None
    largest = known[-1][0]
    if volume <= largest:
        return Estimate(_between(known, volume), 1.0)
    return Estimate(_beyond(known, volume, bounds), volume / largest)


def _between(known: Sequence[tuple[float, float]], volume: float) -> float:
    below = known[0]
    for point in known:
        if point[0] >= volume:
            if point[0] == below[0]:
                return point[1]
            share = math.log(volume / below[0]) / math.log(point[0] / below[0])
            return below[1] * math.pow(point[1] / below[1], share) if share > 0 else below[1]
        below = point
    return below[1]


def _beyond(known: Sequence[tuple[float, float]], volume: float, bounds: tuple[float, float]) -> float:
    largest, value = known[-1]
    exponent = min(max(_slope(known), bounds[0]), bounds[1])
    return value * math.pow(volume / largest, exponent)


def _slope(known: Sequence[tuple[float, float]]) -> float:
    """The exponent of the power law; 0 where a single point says nothing."""
    xs = [math.log(x) for x, _ in known]
    ys = [math.log(y) for _, y in known]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if not spread:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
