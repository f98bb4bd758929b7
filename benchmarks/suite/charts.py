"""Charts as SVG text: lines with error bars on logarithmic axes, and stacked bars. Pure.

They are written by hand. Weighed against it was matplotlib, whose SVG of one of these charts has 33 kB (5 kB
here), takes a second beside a few milliseconds, brings 100 MB to install, and has colours that do not follow
the reader's light or dark; and Vega-Lite inlined, which is most of a megabyte of script in a page that has
none now, and draws nothing where scripts are off. Colours are classes (``s0`` to ``s6``) that the page
defines for light, dark and paper; markers and dashes distinguish the lines in grey as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from logweir.benchmarks.suite.units import duration

__all__ = ["SERIES", "Point", "lines", "marker", "stacked_bars"]

#: So many lines are distinguished; further ones begin anew.
SERIES = 7
_WIDTH, _HEIGHT = 440, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 12, 44
#: What is drawn at the first volume stays clear of the axis by so much.
_INSET = 10
#: Axes over more decades than this are marked by decades alone.
_WIDE = 2.2


class Point(NamedTuple):
    """A median with its range."""

    x: float
    median: float
    low: float
    high: float


def lines(
    title: str,
    x_label: str,
    unit: str,
    series: Mapping[int, Sequence[Point]],
    *,
    span: tuple[float, float] | None = None,
) -> str:
    """Lines over logarithmic axes; an empty text when there is nothing to draw.

    Args:
        title: For those who do not see it.
        x_label: What the horizontal axis counts.
        unit: Of the vertical axis; `ms` are marked in units that fit.
        series: The points of each line, by the number of its colour and marker.
        span: The least and the largest value of the vertical axis, where several charts share it.
    """
    drawn = {number: [point for point in line if point.low > 0] for number, line in series.items()}
    points = [point for line in drawn.values() for point in line]
    if not points:
        return ""
    low, high = span or (min(p.low for p in points), max(p.high for p in points))
    x_axis = _Axis(
        min(p.x for p in points), max(p.x for p in points), _LEFT + _INSET, _WIDTH - _RIGHT - _INSET
    )
    y_axis = _Axis(low, high, _HEIGHT - _BOTTOM, _TOP)
    parts = [*_axes(x_axis, y_axis, x_label, unit)]
    for place, (number, line) in enumerate(drawn.items()):
        aside = (place - (len(drawn) - 1) / 2) * 1.6  # so that bars do not hide each other
        parts += _line(number, line, x_axis, y_axis, aside)
    return _svg(title, parts)


class _Axis:
    """From values to pixels, logarithmically, from one of its marks to another."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        wide = math.log10(high / low) > _WIDE
        self._steps = (1,) if wide else (1, 2, 5)
        self.marks = list(self._marks(low, high))
        self._start, self._end = start, end

    def _marks(self, low: float, high: float) -> Iterator[float]:
        """The round values that enclose ``low`` and ``high``, and those between."""
        rounded = [
            step * 10.0**exponent
            for exponent in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
            for step in self._steps
        ]
        first = max(value for value in rounded if value <= low * 1.001)
        last = min(value for value in rounded if value >= high * 0.999 and value > first)
        return (value for value in rounded if first <= value <= last)

    def __call__(self, value: float) -> float:
        low, high = math.log10(self.marks[0]), math.log10(self.marks[-1])
        return self._start + (math.log10(value) - low) / (high - low) * (self._end - self._start)


def _axes(x_axis: _Axis, y_axis: _Axis, x_label: str, unit: str) -> Iterator[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for value in x_axis.marks:
        x = x_axis(value)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" class="grid"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{_short(value)}</text>'
    for value in y_axis.marks:
        y = y_axis(value)
        shown = duration(value).replace(".0 ", " ") if unit == "ms" else _short(value)
        yield f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 5:.1f}" text-anchor="end">{shown}</text>'
    middle = (_LEFT + right) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'


def _line(number: int, line: Sequence[Point], x_axis: _Axis, y_axis: _Axis, aside: float) -> list[str]:
    path = " ".join(f"{x_axis(point.x):.1f},{y_axis(point.median):.1f}" for point in line)
    parts = [f'<polyline points="{path}"/>']
    for point in line:
        x = x_axis(point.x) + aside
        if point.low < point.high:
            low, high = y_axis(point.low), y_axis(point.high)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        parts.append(_shape(number, x, y_axis(point.median)))
    return [f'<g class="s{number % SERIES}">', *parts, "</g>"]


def _shape(number: int, x: float, y: float) -> str:
    match number % 4:
        case 0:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        case 1:
            return f'<path d="M{x - 4:.1f} {y - 4:.1f}h8v8h-8z"/>'
        case 2:
            return f'<path d="M{x:.1f} {y - 5:.1f}l5 9h-10z"/>'
        case _:
            return f'<path d="M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z"/>'


def marker(number: int) -> str:
    """A line's marker by itself, for a legend."""
    shape = _shape(number, 13, 7)
    return (
        f'<svg class="key" viewBox="0 0 26 14" aria-hidden="true"><g class="s{number % SERIES}">'
        f'<polyline points="0,7 26,7"/>{shape}</g></svg>'
    )


def stacked_bars(title: str, bars: Mapping[str, Mapping[str, float]]) -> str:
    """One bar for each name, in parts named below; an empty text when there is nothing to draw."""
    highest = max((sum(parts.values()) for parts in bars.values()), default=0.0)
    if highest <= 0:
        return ""
    names = list(dict.fromkeys(part for parts in bars.values() for part in parts))
    left, step = 150, 32
    drawn: list[str] = []
    for row, (name, parts) in enumerate(bars.items()):
        y, x = 6 + row * step, float(left)
        drawn.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{escape(name)}</text>')
        for part, value in parts.items():
            width = value / highest * (_WIDTH - left - 60)
            kind = f"b{names.index(part) % SERIES}"
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="24" class="{kind}"/>')
            x += width
        drawn.append(f'<text x="{x + 5:.1f}" y="{y + 17}">{sum(parts.values()):,.0f}</text>')
    y, x = 24 + len(bars) * step, float(left)
    for number, part in enumerate(names):
        drawn.append(f'<rect x="{x:.1f}" y="{y - 11}" width="12" height="12" class="b{number % SERIES}"/>')
        drawn.append(f'<text x="{x + 17:.1f}" y="{y}">{escape(part)}</text>')
        x += 30 + 8 * len(part)
    return _svg(title, drawn, height=y + 10)


def _short(value: float) -> str:
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _svg(title: str, parts: Sequence[str], *, height: float = _HEIGHT) -> str:
    head = f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-label="{escape(title, quote=True)}">'
    return head + "".join(parts) + "</svg>"
