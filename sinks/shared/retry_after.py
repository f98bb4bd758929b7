"""The header Retry-After, which holds seconds or a date (RFC 9110, section 10.2.3). Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["seconds_to_wait"]


def seconds_to_wait(header: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that the header asks for, never less than none; None where it says nothing.

    Args:
        header: The header's text, if it came. Some servers send fractions of a second.
        now: From when a date counts; by default now.
    """
    text = (header or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
