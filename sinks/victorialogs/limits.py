"""What a VictoriaLogs takes, as its flags say. Pure.

It answers 200 and silently drops what is older than its retention, too far ahead, or longer than a line
may be. So the sink must know these limits itself. The page ``/flags`` shows what the server was started with;
what is not there has its default. Where the page is not to be seen (a gateway, ``-flagsAuthKey``, a cluster's
``vlinsert``, which does not know the retention of its nodes), the sink knows the limits of lines by default,
and no times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from logweir.settings.units import parse_size

__all__ = ["UNSEEN", "Flags", "Limits", "flags_of", "is_page_of_flags", "limits_at"]

_SECOND = 10**9
_DAY = 86_400 * _SECOND
#: A clock may differ by this from the server's; and what is so near to the retention is gone soon.
_CLOCKS_DIFFER = 60 * _SECOND
_FLAG = re.compile(r'^-([\w.]+)="(.*)"$', re.MULTILINE)
_PART = re.compile(r"(\d+(?:\.\d+)?)([a-zµ]*)")
_UNITS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
    "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0,
}  # fmt: skip
#: A duration without a unit is months, of the length that VictoriaMetrics gives them.
_MONTH = 31 * 86_400.0
_LONGEST_LINE = 256 * 1024
_MOST_COLUMNS = 1000
#: An entry above 2 MiB is dropped whatever the flag says; names of columns count, in the longer form.
_LONGEST_ENTRY = 2 * 2**20 - 64 * 1024
_ALWAYS = 2**63


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags that matter to the sink.

    Attributes:
        seen: Whether the server shows its flags.
        retention: Seconds; None if not known.
        future: Seconds that an event may lie ahead; None if not known.
        backfill: Seconds that an event may come late; None for as long as it is kept.
        longest_line: Bytes.
        most_columns: Of one entry.
        queue_wait: Seconds that a request may wait for its turn; then it is answered 200 and not stored.
        deletes: Whether entries can be deleted; None if not known.
    """

    seen: bool = False
    retention: float | None = None
    future: float | None = None
    backfill: float | None = None
    longest_line: int = _LONGEST_LINE
    most_columns: int = _MOST_COLUMNS
    queue_wait: float = 60.0
    deletes: bool | None = None


UNSEEN = Flags()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes now.

    Attributes:
        longest_line: Bytes of a line.
        most_columns: Of one entry.
        oldest: The earliest time, nanoseconds.
        newest: The latest time.
        flags: Where they come from.
    """

    longest_line: int = _LONGEST_LINE
    most_columns: int = _MOST_COLUMNS
    oldest: int = -_ALWAYS
    newest: int = _ALWAYS
    flags: Flags = field(default=UNSEEN)

    def refusal_of(self, time: int) -> str:
        """Why an event of this time is not sent."""
        if time < self.oldest:
            shorter = self.flags.backfill if self.flags.backfill is not None else self.flags.retention
            which = "maxBackfillAge" if self.flags.backfill is not None else "retentionPeriod"
            return (
                f"it is older than VictoriaLogs takes (-{which}, {_days(shorter)}, not before "
                f"{_text_of(self.oldest)}) and would be dropped without a word; set it wider and replay"
            )
        return (
            f"it lies further ahead than VictoriaLogs takes (-futureRetention, {_days(self.flags.future)}) "
            "and would be dropped without a word; correct the clock, or set it wider, and replay"
        )


def is_page_of_flags(page: str) -> bool:
    """Whether this is the page ``/flags``; it is empty where none was set."""
    return not page.strip() or _FLAG.match(page) is not None


def flags_of(page: str, retention: float | None = None) -> Flags:
    """Read the page ``/flags``.

    Args:
        page: Its text.
        retention: Seconds that the configuration states; the server's own word wins.
    """
    said = dict(_FLAG.findall(page))
    longest = (
        parse_size(said.get("insert.maxLineSizeBytes", "")) if "insert.maxLineSizeBytes" in said else None
    )
    flags = Flags(
        seen=True,
        retention=retention,
        longest_line=longest or _LONGEST_LINE,
        most_columns=int(said["insert.maxFieldsPerLine"])
        if "insert.maxFieldsPerLine" in said
        else _MOST_COLUMNS,
        queue_wait=_seconds(said, "insert.maxQueueDuration", 60.0),
        deletes=said.get("delete.enable") == "true",
    )
    if "storageNode" in said:  # the retention is that of its nodes
        return flags
    backfill = _seconds(said, "maxBackfillAge", 0.0)
    return replace(
        flags,
        retention=_seconds(said, "retentionPeriod", 7 * 86_400.0),
        future=_seconds(said, "futureRetention", 2 * 86_400.0),
        backfill=backfill or None,
    )


def limits_at(flags: Flags, now: int) -> Limits:
    """What the server takes at a time, in nanoseconds."""
    oldest, newest = -_ALWAYS, _ALWAYS
    if flags.retention is not None:
        # Whole days of UTC are kept, and whole ones taken.
        oldest = (now + _CLOCKS_DIFFER - int(flags.retention * _SECOND)) // _DAY * _DAY
    if flags.backfill is not None:
        oldest = max(oldest, now + _CLOCKS_DIFFER - int(flags.backfill * _SECOND))
    if flags.future is not None:
        newest = ((now - _CLOCKS_DIFFER + int(flags.future * _SECOND)) // _DAY + 1) * _DAY - 1
    longest = min(flags.longest_line, _LONGEST_ENTRY) - 1  # its line break counts
    return Limits(longest, flags.most_columns, oldest, newest, flags)


def _seconds(said: Mapping[str, str], name: str, default: float) -> float:
    """A duration as Go and VictoriaMetrics write it: ``1m0s``, ``7d``, or a number of months."""
    text = said.get(name, "")
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return default
    return sum(float(number) * (_UNITS.get(unit, _MONTH) if unit else _MONTH) for number, unit in parts)


def _days(seconds: float | None) -> str:
    return "as stated" if seconds is None else f"{seconds / 86_400:g} days"


def _text_of(time: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time // _SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return str(time)
