"""Sizes and durations as Loki's flags and pages write them."""

import re

SECOND = 10**9
_UNITS = {
    "w": 7 * 86_400 * SECOND, "d": 86_400 * SECOND, "h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND,
    "ms": 10**6, "us": 10**3, "ns": 1,
}  # fmt: skip
_SIZES = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?B?)", re.IGNORECASE)
_PART = re.compile(r"(\d+)(ms|us|ns|[wdhms])")


def parse_size(text: str) -> int:
    """Bytes: ``20KB`` is 20,480, as in Loki's byte sizes."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size")
    unit = match[2].upper()
    return int(float(match[1]) * _SIZES[unit if unit in _SIZES else f"{unit}B"])


def show_size(size: int) -> str:
    """Bytes in the largest unit that leaves at least one: ``1MB``."""
    for unit in ("GB", "MB", "KB"):
        if size >= _SIZES[unit]:
            return f"{round(size / _SIZES[unit], 2):g}{unit}"
    return f"{size}B"


def parse_duration(text: str) -> int:
    """Nanoseconds: ``1w``, ``30d1h``, ``10m``."""
    if text == "0":
        return 0
    if not text or _PART.sub("", text):
        raise ValueError(f"{text!r} is no duration")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def show_duration(nanoseconds: int) -> str:
    """As :func:`parse_duration` reads it: ``1w``; nothing is ``0s``."""
    parts = []
    for unit, size in _UNITS.items():
        count, nanoseconds = divmod(nanoseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_flag(text: str) -> bool:
    """A switch."""
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"
