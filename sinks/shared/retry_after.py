"""How long a server asks us to wait: the header ``Retry-After``. Pure.

RFC 9110, section 10.2.3, has two forms: whole seconds, or a date of HTTP. Servers and gateways write more
(fractions, negative numbers, ``nan``), and the sinks differ in what they take of it: the options say how.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["seconds_to_wait"]


def seconds_to_wait(
    header: str | None, now: datetime | None = None, *, dates: bool = True, fractions: bool = True
) -> float | None:
    """Return the seconds that a Retry-After asks for, never less than 0; None if it asks for nothing.

    Args:
        header: The value of the header, if it came.
        now: The time from which a date counts.
        dates: Whether a date is understood.
        fractions: Whether numbers are understood that are not whole seconds, which RFC 9110 does not know.
    """
    text = (header or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, now) if dates else None
    if not math.isfinite(seconds) or not (fractions or text.isdecimal()):
        return None
    return max(0.0, seconds)


def _seconds_until(text: str, now: datetime | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" comes back without a zone
    return max(0.0, (aware - (now or datetime.now(UTC))).total_seconds())
