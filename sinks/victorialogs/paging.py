"""Page by page through what a query finds, in order of time.

Pages follow each other by time, and within the nanosecond that a page ended in by number. VictoriaLogs sorts
all that a query finds, however few rows it is asked for: so after the first page, a query asks for a stretch
of time that holds about a page, and a long search takes as long as it is long.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from logweir.encoding.times import parse_time
from logweir.sinks.victorialogs.client import Row
from logweir.sinks.victorialogs.query import Span, span_filter

__all__ = ["AskRows", "rows_of"]

#: Asks one query of LogsQL.
AskRows = Callable[[str], AsyncIterator[Row]]

_FIRST_PAGE = 100
_LARGEST_PAGE = 5_000
_GROWTH = 10
#: Bytes of columns to ask for at once.
_PAGE_BYTES = 8 * 2**20
#: The shortest stretch, in nanoseconds.
_SHORTEST = 10**6


async def rows_of(
    ask: AskRows, conditions: str, span: Span, limit: int | None, *, newest_first: bool
) -> AsyncIterator[tuple[int, Row]]:
    """Yield every row with its time, in order.

    Args:
        ask: Asks one query.
        conditions: Its conditions, but for times.
        span: Between which times.
        limit: How many are wanted at first; more are found all the same.
        newest_first: The order.
    """
    place = _Place(*span, newest_first)
    size = _FIRST_PAGE if limit is None else min(_FIRST_PAGE, limit + 1)
    stretch: int | None = None
    while True:
        part = place.part(stretch)
        # Read to its end: an answer that is given up in the middle costs its connection.
        page = [row async for row in ask(_query(conditions, part, place, size))]
        for row in page:
            yield place.pass_by(row), row
        if len(page) == size:
            if stretch is None:
                await place.find_end(ask, conditions)
            place.go_on()
            size = _next_size(size, page)
            covered = abs(parse_time(page[-1]["_time"]) - parse_time(page[0]["_time"]))
            stretch = max(_SHORTEST, covered * size // len(page))
        elif stretch is None:
            return
        else:
            place.leave(part)
            stretch *= 2 if page else 8
        if place.is_at_end:
            return


def _query(conditions: str, part: Span, place: _Place, size: int) -> str:
    order = " desc" if place.newest_first else ""
    sort = f"sort by (_time{order}, id{order}) offset {place.passed} limit {size}"
    return f"{conditions} {span_filter(part)} | {sort} | delete _stream, _stream_id"


def _next_size(size: int, page: list[Row]) -> int:
    weight = sum(len(text) for row in page for text in row.values())
    return max(1, min(_LARGEST_PAGE, size * _GROWTH, _PAGE_BYTES * len(page) // weight))


@dataclass(slots=True)
class _Place:
    """How far a search is.

    Attributes:
        start: What is left begins here; None where it is open.
        end: What is left ends before this.
        newest_first: The direction.
        stamp: The time of the last row.
        passed: Rows of that time that were passed by.
    """

    start: int | None
    end: int | None
    newest_first: bool
    stamp: int | None = None
    passed: int = 0

    @property
    def is_at_end(self) -> bool:
        return self.start is not None and self.end is not None and self.start >= self.end

    def part(self, stretch: int | None) -> Span:
        """What to ask for next."""
        if stretch is None or self.start is None or self.end is None:
            return self.start, self.end
        if self.newest_first:
            return max(self.start, self.end - stretch), self.end
        return self.start, min(self.end, self.start + stretch)

    def pass_by(self, row: Row) -> int:
        """Note a row; return its time."""
        stamp = parse_time(row["_time"])
        self.passed = self.passed + 1 if stamp == self.stamp else 1
        self.stamp = stamp
        return stamp

    def go_on(self) -> None:
        """There may be more behind the last row, of its own time too."""
        if self.stamp is None:
            return
        if self.newest_first:
            self.end = self.stamp + 1
        else:
            self.start = self.stamp

    def leave(self, part: Span) -> None:
        """There is no more in this part."""
        self.stamp, self.passed = None, 0
        if self.newest_first:
            self.end = part[0]
        else:
            self.start = part[1]

    async def find_end(self, ask: AskRows, conditions: str) -> None:
        """Ask how far the rows go, where the search has no bound there."""
        which = "min" if self.newest_first else "max"
        if (self.start if self.newest_first else self.end) is not None:
            return
        query = f"{conditions} {span_filter((self.start, self.end))} | stats {which}(_time) as _time"
        async for row in ask(query):
            if self.newest_first:
                self.start = parse_time(row["_time"])
            else:
                self.end = parse_time(row["_time"]) + 1
