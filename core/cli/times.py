"""Moments as people type them: ``2026-08-01``, ``2026-08-01T12:30``, or an age such as ``2h`` (ago)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

from logweir.settings.units import parse_duration

__all__ = ["MOMENT_HELP", "moment"]

MOMENT_HELP = "2026-08-01, 2026-08-01T12:30 (UTC), or an age such as 2h"
_AGE = re.compile(r"\d+(?:\.\d+)?(?:ms|[smhdw])")


def moment(text: str | None, now: datetime | None = None) -> datetime | None:
    """Return the moment that a text names; without a zone it is UTC.

    Raises:
        BadParameter: It names none.
    """
    if text is None:
        return None
    try:
        if _AGE.fullmatch(text):
            return (now or datetime.now(UTC)) - timedelta(seconds=parse_duration(text))
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"not a time: {text!r}; write {MOMENT_HELP}") from None
