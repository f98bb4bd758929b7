"""How long a server asks us to wait: the header ``Retry-After``, read in one way for all sinks. Pure.

RFC 9110, section 10.2.3, has two forms: whole seconds, or a date of HTTP. Fractions are taken as well; what
is no time to wait (``nan``, a negative number, words) asks for nothing. A wait is bounded, whatever is said:
a clock that is wrong there, or a quota that ends next month, must not stop a sink for days.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from logweir.settings.delivery import bounded_wait

__all__ = ["seconds_to_wait"]


def seconds_to_wait(header: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After asks for, bounded; None if it asks for nothing.

    Args:
        header: The value of the header, if it came.
        now: The time from which a date counts.
    """
    text = (header or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text, now)
    if text.isdecimal():
        return bounded_wait(seconds)  # so many digits that they are infinite are a long wait too
    return bounded_wait(seconds) if 0 <= seconds < float("inf") else None


def _seconds_until(text: str, now: datetime | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" comes back without a zone
        seconds = (aware - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return bounded_wait(seconds)
