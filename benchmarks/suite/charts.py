"""Charts as SVG text: lines with error bars on logarithmic axes, and stacked bars. Pure; no library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

__all__ = ["COLOURS", "Point", "lines", "stacked_bars"]

#: Distinguished also by people who see colours differently, and in grey print by the markers.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")
_WIDTH, _HEIGHT = 430, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 30, 40


class Point(NamedTuple):
    """A median with its range."""

    x: float
    median: float
    low: float
    high: float


def lines(title: str, x_label: str, y_label: str, series: Mapping[str, Sequence[Point]]) -> str:
    """Lines over logarithmic axes; an empty text when there is nothing to draw."""
    points = [point for line in series.values() for point in line if point.low > 0]
    if not points:
        return ""
    x_axis = _Axis(min(p.x for p in points), max(p.x for p in points), _LEFT, _WIDTH - _RIGHT)
    y_axis = _Axis(min(p.low for p in points), max(p.high for p in points), _HEIGHT - _BOTTOM, _TOP)
    parts = [*_frame(title, x_label, y_label), *_ticks(x_axis, y_axis)]
    for number, (name, line) in enumerate(series.items()):
        parts += _line(number, name, [point for point in line if point.low > 0], x_axis, y_axis)
    return _svg(title, parts)


class _Axis:
    """From values to pixels, logarithmically, in whole decades."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low = math.floor(math.log10(low))
        self.high = max(self.low + 1, math.ceil(math.log10(high)))
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def decades(self) -> list[float]:
        return [10.0**exponent for exponent in range(self.low, self.high + 1)]


def _frame(title: str, x_label: str, y_label: str) -> list[str]:
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    return [
        f'<text x="{_LEFT}" y="16" class="title">{escape(title)}</text>',
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>',
    ]


def _ticks(x_axis: _Axis, y_axis: _Axis) -> list[str]:
    parts: list[str] = []
    for value in x_axis.decades():
        x = x_axis(value)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" class="grid"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 14}" text-anchor="middle">{_short(value)}</text>'
        )
    for value in y_axis.decades():
        y = y_axis(value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>')
    return parts


def _line(number: int, name: str, line: Sequence[Point], x_axis: _Axis, y_axis: _Axis) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    path = " ".join(f"{x_axis(point.x):.1f},{y_axis(point.median):.1f}" for point in line)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>']
    for point in line:
        x = x_axis(point.x) + (number - 2) * 1.5  # side by side, so that bars do not hide each other
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y_axis(point.low):.1f}" y2="{y_axis(point.high):.1f}" '
            f'stroke="{colour}"/>'
        )
        parts.append(_marker(number, x, y_axis(point.median), colour))
    parts.append(_marker(number, _LEFT + 8 + 74 * (number % 5), _TOP - 2 + 11 * (number // 5), colour))
    legend_x, legend_y = _LEFT + 14 + 74 * (number % 5), _TOP + 2 + 11 * (number // 5)
    parts.append(f'<text x="{legend_x}" y="{legend_y}">{escape(name[:12])}</text>')
    return parts


def _marker(number: int, x: float, y: float, colour: str) -> str:
    if number % 3 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    if number % 3 == 1:
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>'
    return f'<path d="M{x:.1f} {y - 4:.1f}l4 7h-8z" fill="{colour}"/>'


def stacked_bars(title: str, unit: str, bars: Mapping[str, Mapping[str, float]]) -> str:
    """One bar for each name, in parts; an empty text when there is nothing to draw."""
    highest = max((sum(parts.values()) for parts in bars.values()), default=0.0)
    if highest <= 0:
        return ""
    names = sorted({part for parts in bars.values() for part in parts})
    step, height = 34, 40 + 34 * len(bars) + 14 * len(names)
    drawn = [f'<text x="8" y="16" class="title">{escape(title)} ({escape(unit)})</text>']
    for row, (name, parts) in enumerate(bars.items()):
        y, x = 28 + row * step, 110.0
        drawn.append(f'<text x="{x - 6}" y="{y + 15}" text-anchor="end">{escape(name)}</text>')
        for part, value in sorted(parts.items()):
            width = value / highest * (_WIDTH - 180)
            colour = COLOURS[names.index(part) % len(COLOURS)]
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="22" fill="{colour}"/>')
            x += width
        drawn.append(f'<text x="{x + 4:.1f}" y="{y + 15}">{sum(parts.values()):,.0f}</text>')
    for number, part in enumerate(names):
        y = 36 + len(bars) * step + number * 14
        colour = COLOURS[number % len(COLOURS)]
        drawn.append(f'<rect x="110" y="{y - 8}" width="9" height="9" fill="{colour}"/>')
        drawn.append(f'<text x="124" y="{y}">{escape(part)}</text>')
    return _svg(title, drawn, height=height)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _svg(title: str, parts: Sequence[str], *, height: int = _HEIGHT) -> str:
    head = f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
    return head + "".join(parts) + "</svg>"
