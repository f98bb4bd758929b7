"""Questions to put to every backend, and their right answers, which the workload itself knows.

A question is drawn from the events that are stored (so that it has an answer), by a seed (so that each
backend gets the same ones), and answered by looking at every event once. A backend whose answer differs is
wrong, however fast it is.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from logweir.benchmarks.suite.hourly_counts import Counts, HourlyCounts
from logweir.benchmarks.suite.workload import TRACE_LENGTH, SeededWorkload, Workload
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.query_match import matches, nanoseconds

__all__ = ["CLASSES", "Aggregation", "LabelQuestion", "Question", "Truth", "questions"]

QueryClass = Literal["exact", "trace", "user_time", "complex", "full_text", "aggregation", "label_time"]
#: Each class of question, in words.
CLASSES: dict[QueryClass, str] = {
    "exact": "one event by its id",
    "trace": "all events of one trace",
    "user_time": "what a user did in an hour",
    "complex": "kind, name and two fields in a span of time",
    "full_text": "a rare word anywhere in the text",
    "aggregation": "events by hour and level",
    "label_time": "one service and level in a span of time",
}
#: The most events that an answer is compared by.
LIMIT = 1000
#: Where events to ask about are looked for: in so many stretches of so many events.
_TRIES, _STRETCH = 10, 1000


@dataclass(frozen=True, slots=True)
class LabelQuestion:
    """Which events a service logged at a level from ``start`` up to ``end``; the oldest ``LIMIT`` of them."""

    service: str
    level: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How many events there are by hour (UTC, seconds since 1970) and level, from ``start`` up to ``end``."""

    start: datetime
    end: datetime


@dataclass(slots=True)
class Question:
    """A question and its answer.

    Attributes:
        kind: Its class.
        ask: What is asked.
        ids: The ids of the events of the answer, the oldest first.
        counts: The answer of an aggregation.
    """

    kind: QueryClass
    ask: Query | LabelQuestion | Aggregation
    ids: list[str]
    counts: Counts


class Truth:
    """The questions of a run and their answers, made once for each volume.

    Args:
        workload: The events.
        each: How many questions there are of every class.
        seed: What they are drawn by.
        kept: The file that keeps what takes long to count; none by default.
    """

    def __init__(self, workload: Workload, each: int, seed: int, kept: Path | None = None) -> None:
        self._workload, self._each, self._seed = workload, each, seed
        self._counts = HourlyCounts(workload, kept)
        self._known: dict[int, list[Question]] = {}

    def at(self, volume: int) -> list[Question]:
        """The questions about the first ``volume`` events."""
        if volume not in self._known:
            self._known[volume] = questions(self._workload, volume, self._each, self._seed, self._counts)
        return self._known[volume]


def questions(
    workload: Workload, volume: int, each: int, seed: int, counts: HourlyCounts | None = None
) -> list[Question]:
    """Draw ``each`` questions of every class about the first ``volume`` events, and answer them."""
    chance = random.Random(f"{seed}:{volume}")
    drawn: list[tuple[Question, range]] = []
    for kind in CLASSES:
        for _ in range(each):
            event = _some_event(workload, volume, chance, kind)
            if event is not None:
                ask = _draw(kind, workload, volume, event)
                question = Question(kind, ask, [], Counter())
                drawn.append((question, _where(ask, workload, volume, event)))
    _answer(drawn, workload, volume, counts or HourlyCounts(workload))
    return [question for question, _ in drawn]


def _draw(
    kind: QueryClass, workload: Workload, volume: int, event: Event
) -> Query | LabelQuestion | Aggregation:
    """A question of a class that an event is part of the answer to."""
    hour = timedelta(hours=1)
    start, end = event.datetime - hour / 2, event.datetime + hour / 2
    match kind:
        case "exact":
            return Query(ids=frozenset({event.id}), limit=LIMIT)
        case "trace":
            return Query(trace_id=event.trace_id, limit=LIMIT)
        case "user_time":
            return Query(fields={"user_id": event.fields["user_id"]}, start=start, end=end, limit=LIMIT)
        case "complex":
            names = [name for name in ("http_status", "status", "http_method") if name in event.fields]
            wanted = {name: event.fields[name] for name in [*names[:1], "user_id"] if name in event.fields}
            return Query(
                kind=event.kind, name=event.name, fields=wanted, start=start - 3 * hour, end=end, limit=LIMIT
            )
        case "full_text":
            return Query(text=event.fields["message"].rsplit(" ", 1)[-1], limit=LIMIT)
        case "aggregation":
            return Aggregation(_at(workload, 0), _at(workload, volume))
        case "label_time":
            minutes = timedelta(minutes=5)
            return LabelQuestion(
                event.service, event.level, event.datetime - minutes, event.datetime + minutes
            )


def _some_event(workload: Workload, volume: int, chance: random.Random, kind: QueryClass) -> Event | None:
    """An event that a question of this class can be about; None if there seems to be none."""
    for _ in range(_TRIES):
        start = chance.randrange(volume) // _STRETCH * _STRETCH
        fitting = [
            event for event in workload.events(start, min(start + _STRETCH, volume)) if _serves(event, kind)
        ]
        if fitting:
            return chance.choice(fitting)
    return None


def _serves(event: Event, kind: QueryClass) -> bool:
    match kind:
        case "trace":
            return event.trace_id is not None
        case "user_time" | "complex":
            return isinstance(event.fields.get("user_id"), str)
        case "full_text":
            message = event.fields.get("message")
            return isinstance(message, str) and message.rsplit(" ", 1)[-1].startswith("needle")
        case _:
            return True


def _at(workload: Workload, number: int) -> datetime:
    seconds, nanos = divmod(workload.first_ns + number * workload.step_ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000)


def _where(ask: object, workload: Workload, volume: int, event: Event) -> range:
    """Between which numbers the events of an answer lie, as the workload is made; else all of them."""
    number = (event.time - workload.first_ns) // workload.step_ns
    if isinstance(ask, Aggregation):
        return range(volume)
    if isinstance(ask, LabelQuestion) or ask.start is not None:  # type: ignore[attr-defined]
        first, last = (
            (nanoseconds(moment) - workload.first_ns) // workload.step_ns
            for moment in (ask.start, ask.end)  # type: ignore[attr-defined]
        )
        return range(max(0, first), min(volume, last + 2))
    if isinstance(workload, SeededWorkload) or ask.ids is not None:  # type: ignore[attr-defined]
        return range(max(0, number - TRACE_LENGTH), min(volume, number + TRACE_LENGTH + 1))
    return range(volume)  # events of one's own may share a trace, or a word, anywhere


def _answer(
    drawn: Sequence[tuple[Question, range]], workload: Workload, volume: int, counts: HourlyCounts
) -> None:
    """Answer every question by looking at each event that may be part of its answer."""
    for question, where in drawn:
        if isinstance(question.ask, Aggregation):
            question.counts = counts.of(volume)
            continue
        for event in workload.events(where.start, where.stop):
            if _holds(question.ask, event):
                question.ids.append(event.id)
                if len(question.ids) == LIMIT:
                    break


def _holds(ask: object, event: Event) -> bool:
    if isinstance(ask, Query):
        return matches(event, ask)
    assert isinstance(ask, LabelQuestion)  # noqa: S101 - aggregations are answered apart
    return (
        event.service == ask.service
        and event.level == ask.level
        and nanoseconds(ask.start) <= event.time < nanoseconds(ask.end)
    )
