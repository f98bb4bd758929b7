"""The classes of questions at one volume: cold, after what is cached was emptied, and warm, asked again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

from logweir.benchmarks.suite.growth.emptying import Emptying
from logweir.benchmarks.suite.growth.process import watched
from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.queries import right_measures, time_answer, time_measures
from logweir.benchmarks.suite.results import Label, Measure
from logweir.benchmarks.suite.store import opened
from logweir.benchmarks.suite.truth import Question

__all__ = ["ask_cold_and_warm"]

_MIB = 2**20
#: Classes that look at many rows: they come last, and a server is started again before each of them.
_SCANS = frozenset({"full_text", "aggregation"})
#: A class whose answers take so many milliseconds is asked once, not for each question.
_SLOW_MS = 5_000


class _Asked:
    """What one round of questions found."""

    def __init__(self) -> None:
        self.cold: dict[str, list[float]] = defaultdict(list)
        self.warm: dict[str, list[float]] = defaultdict(list)
        self.read: dict[str, list[float]] = defaultdict(list)
        self.right: dict[str, list[float]] = defaultdict(list)


async def ask_cold_and_warm(
    native: Native, store: str, volume: int, asked: Sequence[Question], emptying: Emptying
) -> list[Measure]:
    """Put every question; where a server must be started again for it, the first of each class is cold."""
    ordered = sorted(asked, key=lambda question: question.kind in _SCANS)
    found = _Asked()
    before = await emptying.resident(native, store)
    after: int | None = None
    for place, (kind, of_class) in enumerate(groupby(ordered, key=lambda question: question.kind)):
        for number, question in enumerate(of_class):
            is_cold = not (number and emptying.restarts)
            if is_cold:
                restart = number == 0 and (place == 0 or kind in _SCANS)
                await emptying.empty(native, store, restart=restart)
                after = await emptying.resident(native, store) if after is None else after
            await _ask(native, store, question, found, is_cold=is_cold)
            if found.warm[kind][-1] > _SLOW_MS:
                break
    measures = [*time_measures(native, volume, found.cold, found.warm)]
    measures += right_measures(native, volume, found.right)
    measures += _read_measures(native, volume, found.read)
    return [*measures, *_cached(native, volume, {"before": before, "after": after})]


async def _ask(native: Native, store: str, question: Question, found: _Asked, *, is_cold: bool) -> None:
    process = watched(native.spec.url)
    async with opened(native, store) as opened_store:
        begun = process.counters() if is_cold else None
        first = await time_answer(native, opened_store, store, question, found.right)
        ended = process.counters() if is_cold else None
        if is_cold:
            found.cold[question.kind].append(first)
        if begun is not None and ended is not None:
            found.read[question.kind].append(float(ended.read - begun.read))
        found.warm[question.kind].append(
            await time_answer(native, opened_store, store, question, found.right)
        )


def _read_measures(native: Native, volume: int, read: dict[str, list[float]]) -> Iterator[Measure]:
    for kind, values in read.items():
        labels: dict[str, Label] = {"volume": volume, "class": kind}
        yield Measure(
            backend=native.spec.name, name="bytes_read", labels=labels, unit="bytes/question", values=values
        )


def _cached(native: Native, volume: int, kept: dict[str, int | None]) -> Iterator[Measure]:
    for when, size in kept.items():
        if size is not None:
            labels: dict[str, Label] = {"volume": volume, "when": when}
            yield Measure(
                backend=native.spec.name, name="cached", labels=labels, unit="MiB", values=[size / _MIB]
            )
