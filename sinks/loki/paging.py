"""Page by page through what a query finds, in parts of whole nanoseconds.

Loki bounds the lines of an answer, so pages follow each other by time. An answer that is full may be cut
within a nanosecond: its last nanosecond is asked for again, and if even that is more than an answer holds,
by the ends of the ids.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.sinks.loki.query import with_id_ending

__all__ = ["AnswerTooLarge", "Ask", "Found", "Span", "answer_entries", "instants"]

#: The most lines that Loki gives in an answer, unless it is configured otherwise.
PAGE = 5000
_FIRST_PAGE = 100
_GROWTH = 10
#: Bytes of lines to ask for at once, and what each has beside its text.
_ANSWER_BYTES = 2 * 2**20
_LINE_OVERHEAD = 300
#: Digits of ids that are distinguished; more events than that share no nanosecond.
_LONGEST_SUFFIX = 8
_HEX = "0123456789abcdef"

#: Asks one query: LogQL, start, end (not included), lines, newest first.
Ask = Callable[[str, int, int, int, bool], Awaitable[list["Found"]]]


class AnswerTooLarge(SinkUnavailable):
    """Loki's processes cannot pass the answer on; fewer lines may do."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry as Loki gave it.

    Attributes:
        stamp: Its time.
        line: Its line.
        labels: Its labels and structured metadata.
    """

    stamp: int
    line: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time in nanoseconds; the end is not included."""

    start: int
    end: int

    def windows(self, longest: int, *, newest_first: bool) -> Iterator[Span]:
        """The span in parts of bounded length."""
        if newest_first:
            end = self.end
            while end > self.start:
                yield Span(max(self.start, end - longest), end)
                end -= longest
        else:
            for start in range(self.start, self.end, longest):
                yield Span(start, min(self.end, start + longest))


def answer_entries(data: Any) -> list[Found]:
    """The entries of an answer of ``query_range``, whose streams come one after the other.

    Raises:
        SinkRejected: It is not such an answer.
    """
    try:
        streams = data["data"]["result"]
        return [
            Found(int(stamp), line, stream["stream"])
            for stream in streams
            for stamp, line in stream["values"]
        ]
    except (KeyError, TypeError, ValueError):
        raise SinkRejected("the answer to a query is not one of Loki's; is the url that of a Loki?") from None


async def instants(
    ask: Ask, text: str, span: Span, limit: int | None, *, newest_first: bool
) -> AsyncIterator[list[Found]]:
    """Yield what is found in parts of whole nanoseconds, in order."""
    size = _Size(limit)
    start, end = span.start, span.end
    while start < end:
        found, asked = await _sized(ask, text, Span(start, end), size, newest_first=newest_first)
        if len(found) < asked:  # it was not cut: nothing is left in the span
            yield found
            return
        # The cut may go through the last nanosecond: that is asked for again, and what is before it is whole.
        last = min(item.stamp for item in found) if newest_first else max(item.stamp for item in found)
        whole = [item for item in found if item.stamp != last]
        if whole:
            yield whole
            start, end = (start, last + 1) if newest_first else (last, end)
        else:  # the whole answer is one nanosecond
            yield await _instant(ask, text, last, size)
            start, end = (start, last) if newest_first else (last + 1, end)


async def _sized(
    ask: Ask, text: str, span: Span, size: _Size, *, newest_first: bool
) -> tuple[list[Found], int]:
    """Ask for as many lines as fit into an answer; return them, and how many were asked for.

    Raises:
        AnswerTooLarge: A single line does not fit.
    """
    while True:
        asked = size.lines
        try:
            found = await ask(text, span.start, span.end, asked, newest_first)
        except AnswerTooLarge:
            if asked == 1:
                raise
            size.shrink()
        else:
            size.learn(found)
            return found, asked


class _Size:
    """How many lines to ask for: Loki's processes give up on an answer of 4 MiB, after long trying.

    It starts small and follows the size of the lines that were seen.
    """

    def __init__(self, limit: int | None) -> None:
        self.lines = _FIRST_PAGE if limit is None else min(_FIRST_PAGE, max(1, limit + 1))
        self._most = PAGE

    def shrink(self) -> None:
        """As many were too many."""
        self._most = max(1, self.lines // 2)
        self.lines = max(1, self.lines // 8)

    def learn(self, found: Sequence[Found]) -> None:
        """Adapt to what was found."""
        weight = sum(len(item.line) + _LINE_OVERHEAD for item in found)
        if found:
            fitting = _ANSWER_BYTES * len(found) // weight
            self.lines = max(1, min(self._most, fitting, self.lines * _GROWTH))


async def _instant(ask: Ask, text: str, stamp: int, size: _Size, suffix: str = "") -> list[Found]:
    """All of one nanosecond, by the ends of the ids where it is more than an answer holds."""
    narrowed = with_id_ending(text, suffix)
    found, asked = await _sized(ask, narrowed, Span(stamp, stamp + 1), size, newest_first=False)
    if len(found) < asked or len(suffix) >= _LONGEST_SUFFIX:
        return found
    return [item for digit in _HEX for item in await _instant(ask, text, stamp, size, digit + suffix)]
