"""Figures as people read them: three significant digits, and a unit of a size that fits. Pure."""

from __future__ import annotations

__all__ = ["count", "duration", "figure", "size", "span"]

#: From so many milliseconds on, a time is shown in the unit, which has so many milliseconds.
_TIMES = ((2 * 86_400_000, 86_400_000, "days"), (7_200_000, 3_600_000, "h"), (120_000, 60_000, "min"))
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_COUNTS = ((1e9, "billion"), (1e6, "million"))


def figure(value: float, unit: str = "") -> str:
    """A value with three significant digits or so, and its unit; times in a unit that fits."""
    return duration(value) if unit == "ms" else f"{_digits(value)} {unit}".rstrip()


def span(low: float, high: float, unit: str = "") -> str:
    """From one value to another, the unit said once where it is the same: `0.85 to 1.28 ms`."""
    first, last = figure(low, unit), figure(high, unit)
    number, _, name = first.partition(" ")
    return f"{number if name and last.endswith(f' {name}') else first} to {last}"


def duration(milliseconds: float) -> str:
    """A time: `0.94 ms`, `8.61 s`, `45 min`, `3.2 h`."""
    for least, unit, name in _TIMES:
        if milliseconds >= least:
            return f"{float(f'{milliseconds / unit:.2g}'):,.12g} {name}"
    if milliseconds >= 1000:
        return f"{_short(milliseconds / 1000)} s"
    return f"{_digits(milliseconds)} ms"


def size(octets: float) -> str:
    """A number of bytes: `33.2 GB`, in powers of ten."""
    for unit, name in _SIZES:
        if octets >= unit:
            return f"{_digits(octets / unit)} {name}"
    return f"{_digits(octets)} bytes"


def count(number: float) -> str:
    """How many of something: `36.5 million`, `50,000`."""
    for unit, name in _COUNTS:
        if number >= unit:
            return f"{_short(number / unit)} {name}"
    return f"{number:,.0f}"


def _short(value: float) -> str:
    """Three significant digits, without zeros at the end."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
