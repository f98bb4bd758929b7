"""Searching Loki: from a :class:`Query` to LogQL, and page by page through what it finds.

LogQL narrows a search down; whether an event matches is decided here, by the same rules as for every
other sink. Loki bounds the lines of an answer and the range of a query, so pages follow each other by time,
and a range is searched in windows. An answer that is full may be cut within a nanosecond: its last
nanosecond is asked for again, and if even that is more than an answer holds, by the ends of the ids.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.loki.encode import quoted, to_event
from logweir.sinks.searching import matches, nanoseconds

__all__ = ["AnswerTooLarge", "Ask", "Span", "answer_entries", "logql", "pages", "span_of"]

#: The most lines that Loki gives in an answer, unless it is configured otherwise.
PAGE = 5000
_FIRST_PAGE = 100
_GROWTH = 10
#: Bytes of lines to ask for at once, and what each has beside its text.
_ANSWER_BYTES = 2 * 2**20
_LINE_OVERHEAD = 300
#: The most ids that are named in a query; more are compared here.
_MOST_IDS = 100
#: Digits of ids that are told apart; more events than that share no nanosecond.
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


def span_of(query: Query, *, earliest: int, latest: int) -> Span:
    """The range to search; ``earliest`` and ``latest`` stand in where the query names none."""
    return Span(
        earliest if query.start is None else nanoseconds(query.start),
        latest if query.end is None else nanoseconds(query.end),
    )


def logql(query: Query, static: Mapping[str, str], placed: Sequence[str]) -> str:
    """The query in LogQL: it lets through all that match, and little else.

    Args:
        query: What is searched.
        static: The sink's labels with one fixed value.
        placed: Names of attributes that are labels or structured metadata.
    """
    selector = ", ".join(f"{name}={quoted(value)}" for name, value in static.items())
    return "{" + selector + "}" + "".join(_filters(query, placed))


def _filters(query: Query, placed: Sequence[str]) -> Iterator[str]:
    """The filters, those that are cheap and strict first."""
    if query.ids is not None and len(query.ids) <= _MOST_IDS:
        yield f" |~ {quoted('|'.join(re.escape(event_id) for event_id in sorted(query.ids)))}"
    if query.name is not None:
        yield f" |= {quoted(f'''{chr(34)}event{chr(34)}:{_json(query.name)}''')}"
    if query.text is not None:
        yield f" |= {quoted(_json(query.text)[1:-1])}"
    for value in query.fields.values():
        if isinstance(value, str):
            yield f" |= {quoted(_json(value))}"
    for name, value in (("kind", query.kind), ("trace_id", query.trace_id)):
        if value is None:
            continue
        if name in placed and value.isprintable() and value:
            yield f" | {name}={quoted(value)}"
        else:
            yield f" |= {quoted(_json(value))}"


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


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


async def pages(ask: Ask, logql_text: str, query: Query, span: Span, window: int) -> AsyncIterator[Event]:
    """Yield the events that match, in order of time."""
    wanted = replace(query, start=None, end=None, text=None)  # the span and LogQL see to these
    left = query.limit
    for part in span.windows(window, newest_first=query.newest_first):
        async for group in _instants(ask, logql_text, part, query):
            for event in _distinct(group, newest_first=query.newest_first):
                if not matches(event, wanted) or not span.start <= event.time < span.end:
                    continue
                if left is not None:
                    if left <= 0:
                        return
                    left -= 1
                yield event


def _distinct(found: Sequence[Found], *, newest_first: bool) -> list[Event]:
    """The events of whole nanoseconds in order, each once, though it may have been stored in two streams."""
    events: dict[str, Event] = {}
    for item in found:
        event = to_event(item.stamp, item.line, item.labels)
        if event is not None:
            events.setdefault(event.id, event)
    return sorted(events.values(), key=lambda event: (event.time, event.id), reverse=newest_first)


async def _instants(ask: Ask, text: str, span: Span, query: Query) -> AsyncIterator[list[Found]]:
    """Yield what is found in parts of whole nanoseconds, in order."""
    size = _Size(query.limit)
    start, end = span.start, span.end
    while start < end:
        found, asked = await _sized(ask, text, Span(start, end), size, newest_first=query.newest_first)
        if len(found) < asked:
            yield found
            return
        last = min(item.stamp for item in found) if query.newest_first else max(item.stamp for item in found)
        whole = [item for item in found if item.stamp != last]
        if whole:
            yield whole
            start, end = (start, last + 1) if query.newest_first else (last, end)
        else:
            yield await _instant(ask, text, last, size)
            start, end = (start, last) if query.newest_first else (last + 1, end)


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
            size.lines = max(1, asked // 8)
        else:
            size.learn(found)
            return found, asked


class _Size:
    """How many lines to ask for: Loki's processes give up on an answer of 4 MiB, after long trying.

    It starts small and follows the size of the lines that were seen.
    """

    def __init__(self, limit: int | None) -> None:
        self.lines = _FIRST_PAGE if limit is None else min(_FIRST_PAGE, max(1, limit + 1))

    def learn(self, found: Sequence[Found]) -> None:
        """Adapt to what was found."""
        weight = sum(len(item.line) + _LINE_OVERHEAD for item in found)
        if found:
            fitting = _ANSWER_BYTES * len(found) // weight
            self.lines = max(1, min(PAGE, fitting, self.lines * _GROWTH))


async def _instant(ask: Ask, text: str, stamp: int, size: _Size, suffix: str = "") -> list[Found]:
    """All of one nanosecond, by the ends of the ids where it is more than an answer holds."""
    narrowed = (
        f"{text} |~ {quoted(f'{chr(34)}id{chr(34)}:{chr(34)}[^{chr(34)}]*{suffix}{chr(34)}')}"
        if suffix
        else text
    )
    found, asked = await _sized(ask, narrowed, Span(stamp, stamp + 1), size, newest_first=False)
    if len(found) < asked or len(suffix) >= _LONGEST_SUFFIX:
        return found
    return [item for digit in _HEX for item in await _instant(ask, text, stamp, size, digit + suffix)]
