"""Carrying a measured curve on to a volume that was not measured, within what is possible. Pure.

A larger store answers no faster than a smaller one, and never worse than in proportion to its size: every
estimate lies between these bounds, and grows with the volume. What an index answers is close to a power
law, a straight line on logarithmic axes, which is fitted by least squares where there are points enough; its
error is that of the prediction, with nine chances in ten. What goes through the whole store takes at least
the time of its bytes at the highest rate that was measured, and is expected to grow in proportion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

__all__ = ["Basis", "Estimate", "estimate", "estimate_scan", "grows_like_a_scan"]

#: How an estimate was made: read between measured volumes, carried on by a fit, in proportion to what is gone
#: through, or, where a fit has too few points, between standing still and growing in proportion.
Basis = Literal["measured", "fit", "scan", "bounds"]

Point = tuple[float, float]

#: A fit needs so many volumes, of which the last is so many times doubled from the first.
_FEWEST, _DOUBLINGS = 3, 3.0
#: A curve that is as steep as this over the last two doublings is one of what goes through everything.
_STEEP, _QUARTER = 0.8, 0.25
#: Student's t for nine chances in ten, by degrees of freedom; beyond them, the last.
_T90 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value at a volume.

    Attributes:
        value: What is expected there; with the basis `bounds`, the worst that is possible.
        low: The best that is possible there, or likely by the fit.
        high: The worst that is.
        reach: How many times larger the volume is than the largest that was measured; 1 for none.
        basis: How it was made.
        error: The factor by which a fit may be wrong, with nine chances in ten; None without a fit.
    """

    value: float
    low: float
    high: float
    reach: float = 1.0
    basis: Basis = "measured"
    error: float | None = None


def estimate(points: Sequence[Point], volume: float) -> Estimate | None:
    """Read the curve through ``points`` (volume, value) at ``volume``; None without a point.

    For values that grow with the volume or stand still, such as times.
    """
    known = _rising(points)
    if not known:
        return None
    largest, last = known[-1]
    if volume <= largest:
        return _measured(known, volume)
    reach = volume / largest
    worst = last * reach
    if len({at for at, _ in known}) < _FEWEST or math.log2(largest / known[0][0]) < _DOUBLINGS:
        return Estimate(worst, last, worst, reach, "bounds")
    slope, error = _fit(points, volume)
    value = last * reach**slope
    low, high = max(last, value / error), min(worst, value * error)
    return Estimate(value, low, high, reach, "fit", error)


def estimate_scan(
    points: Sequence[Point], volume: float, amount: Callable[[float], float] = float
) -> Estimate | None:
    """Read a curve of times of what goes through the whole store; None without a point.

    Args:
        points: Volumes and times.
        volume: Where.
        amount: How much there is to go through at a volume, such as bytes; in proportion to it beyond what
            was measured.
    """
    known = _rising(points)
    if not known:
        return None
    largest, last = known[-1]
    if volume <= largest:
        return _measured(known, volume)
    fastest = max(amount(at) / value for at, value in points if at > 0 and value > 0)
    worst = last * volume / largest
    return Estimate(worst, min(amount(volume) / fastest, worst), worst, volume / largest, "scan")


def grows_like_a_scan(points: Sequence[Point]) -> bool:
    """Whether the end of a curve, its last two doublings at least, is about in proportion to the volume."""
    known = _rising(points)
    before = [point for point in known if point[0] <= known[-1][0] * _QUARTER]
    return len(known) >= _FEWEST and bool(before) and _steepness(before[-1], known[-1]) >= _STEEP


def _rising(points: Sequence[Point]) -> list[Point]:
    """The points in order, and what falls by noise levelled with its neighbours, on a logarithmic axis."""
    levels: list[tuple[float, list[float]]] = []  # the mean logarithm of neighbours, and their volumes
    for at, value in sorted((at, value) for at, value in points if at > 0 and value > 0):
        mean, volumes = math.log(value), [at]
        while levels and levels[-1][0] > mean:
            earlier, others = levels.pop()
            mean = (earlier * len(others) + mean * len(volumes)) / (len(others) + len(volumes))
            volumes = others + volumes
        levels.append((mean, volumes))
    return [(at, math.exp(mean)) for mean, volumes in levels for at in volumes]


def _measured(known: Sequence[Point], volume: float) -> Estimate:
    """Between measured volumes, on logarithmic axes; below the smallest, as there."""
    value = known[0][1]
    for below, above in pairwise(known):
        if below[0] <= volume and below[0] < above[0]:
            share = math.log(min(volume, above[0]) / below[0]) / math.log(above[0] / below[0])
            value = below[1] * (above[1] / below[1]) ** share
    return Estimate(value, value, value)


def _steepness(before: Point, after: Point) -> float:
    return math.log(after[1] / before[1]) / math.log(after[0] / before[0])


def _fit(points: Sequence[Point], volume: float) -> tuple[float, float]:
    """The exponent, from 0 to 1, of the power law through the points, and its error's factor at a volume."""
    xs, ys = zip(*((math.log(at), math.log(value)) for at, value in points if at > 0 < value), strict=True)
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    freedom = len(xs) - 2
    away = 1 + 1 / len(xs) + (math.log(volume) - mean_x) ** 2 / spread
    error = _T90[min(freedom, len(_T90)) - 1] * math.sqrt(rest / freedom * away)
    return min(max(slope, 0.0), 1.0), math.exp(min(error, 700.0))  # what is larger has no exponential
