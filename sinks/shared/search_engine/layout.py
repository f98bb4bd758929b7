"""Where events stand: in a data stream, or in daily indexes chosen by the event's own time. Pure.

A server keeps an id once *in an index*. In the daily layout an event always goes to the index of its
own day, whenever it is sent, so that an event that is sent again meets itself also after midnight. A data
stream writes to its newest backing index; :mod:`logweir.sinks.shared.search_engine.rollover` looks after
events that are sent again after a rollover.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["LAST_NS", "Layout", "clamped"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_NS = 86_400 * 10**9
#: 2262-01-01: a little before the last time that a ``date_nanos`` can hold.
LAST_NS = (datetime(2262, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) * 10**9


def clamped(time_ns: int) -> int:
    """The time, or the nearest that a server can keep in nanoseconds."""
    return time_ns if 0 <= time_ns <= LAST_NS else min(max(time_ns, 0), LAST_NS)


@lru_cache(maxsize=64)
def _date(day: int) -> str:
    """A day, counted from 1970; the events of a batch have one or two."""
    return f"{_EPOCH + timedelta(days=day):%Y.%m.%d}"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the events of one sink stand.

    Attributes:
        name: The data stream, or the alias of the daily indexes; searches go there.
        streaming: Whether it is a data stream.
    """

    name: str
    streaming: bool

    def index_of(self, time_ns: int) -> str:
        """The index (or stream) that an event of this time is written to."""
        if self.streaming:
            return self.name
        return f"{self.name}-{_date(clamped(time_ns) // _DAY_NS)}"

    @property
    def patterns(self) -> list[str]:
        """What the index template applies to; narrow, so that ``app`` leaves ``app-errors`` alone."""
        return [self.name] if self.streaming else [f"{self.name}-1*", f"{self.name}-2*"]
