"""Times as text: nanoseconds since 1970 to RFC 3339 in UTC, and back.

Nine fractional digits are always written, so that texts sort as the times do and nothing is lost on the
way. What is read may be written more loosely; a time without an offset is taken as UTC. Both are pure.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["format_time", "parse_time"]

_NANOS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
#: Of a time as :func:`format_time` writes it, and of one with a single digit behind the second.
_OWN_LENGTH, _SHORTEST, _DIGITS = 30, 22, 9
_FIRST_SECOND = -62_135_596_800  # 0001-01-01T00:00:00Z
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


class _SecondCache:
    """The text of the second that was formatted last: in a burst of events, almost always the right one.

    The second and its text travel in one tuple, so that threads never see halves of two entries.
    """

    __slots__ = ("entry",)

    def __init__(self) -> None:
        self.entry = (0, "1970-01-01T00:00:00")


_last_second = _SecondCache()


def format_time(ns: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339 in UTC with nine fractional digits.

    A time outside the years 1 to 9999, which RFC 3339 cannot write, becomes the nearest one inside.
    """
    second, nanos = divmod(ns, _NANOS)
    cached, text = _last_second.entry
    if second != cached:
        if second < _FIRST_SECOND:
            second, nanos = _FIRST_SECOND, 0
        elif second > _LAST_SECOND:
            second, nanos = _LAST_SECOND, _NANOS - 1
        text = (_EPOCH + timedelta(seconds=second)).isoformat()[:19]
        _last_second.entry = (second, text)
    return f"{text}.{str(nanos).zfill(9)}Z"  # faster than a format with a width


def parse_time(text: str) -> int:
    """Return an RFC 3339 time as nanoseconds since 1970; a time without an offset is taken as UTC.

    Digits beyond the ninth of the fraction are cut.

    Raises:
        ValueError: If the text is not such a time.
    """
    # As we write it ourselves, and most others: a burst has few seconds, of which each is read once.
    if _SHORTEST <= len(text) <= _OWN_LENGTH and text[19] == "." and text[-1] == "Z":
        fraction = text[20:-1]
        if fraction.isdecimal() and fraction.isascii():
            try:
                return _nanos_of_second(text[:19]) + int(fraction.ljust(_DIGITS, "0"))
            except ValueError:
                return _parse(text)  # which says it of the whole text
    return _parse(text)


@lru_cache(maxsize=256)
def _nanos_of_second(text: str) -> int:
    return _parse(f"{text}Z")


def _parse(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:64]!r}; write it as 2026-11-24T14:00:00Z")
    day, clock, fraction, offset = match.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}{_python_offset(offset)}")
    return (moment - _EPOCH) // _SECOND * _NANOS + int((fraction or "")[:9].ljust(9, "0"))


def _python_offset(offset: str | None) -> str:
    return "+00:00" if offset is None or offset in "Zz" else offset
