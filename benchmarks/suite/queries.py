"""How fast, and how rightly, a store answers: each class of question, cold and warm."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.results import Label, Measure
from logweir.benchmarks.suite.store import Store, opened
from logweir.benchmarks.suite.truth import LIMIT, Aggregation, LabelQuestion, Question
from logweir.errors import LogweirError
from logweir.sinks.contract import Query

__all__ = ["ask_all", "right_measures", "time_answer", "time_measures"]

_WARM_ROUNDS = 2


async def ask_all(native: Native, store: str, volume: int, asked: Sequence[Question]) -> list[Measure]:
    """Put every question, first on a connection that has just been made (cold), then again (warm).

    *Cold* means that neither the connection nor the question was used before; what the server or the
    operating system keep in memory is not emptied.
    """
    cold: dict[str, list[float]] = defaultdict(list)
    warm: dict[str, list[float]] = defaultdict(list)
    right: dict[str, list[float]] = defaultdict(list)
    for question in asked:
        async with opened(native, store) as opened_store:
            cold[question.kind].append(await time_answer(native, opened_store, store, question, right))
            for _ in range(_WARM_ROUNDS):
                warm[question.kind].append(await time_answer(native, opened_store, store, question, right))
    return [*time_measures(native, volume, cold, warm), *right_measures(native, volume, right)]


def time_measures(
    native: Native, volume: int, cold: dict[str, list[float]], warm: dict[str, list[float]]
) -> Iterator[Measure]:
    """The times of each class, in milliseconds."""
    for phase, by_kind in (("cold", cold), ("warm", warm)):
        for kind, times in by_kind.items():
            labels: dict[str, Label] = {"volume": volume, "class": kind, "phase": phase}
            yield Measure(backend=native.spec.name, name="query", labels=labels, unit="ms", values=times)


def right_measures(native: Native, volume: int, right: dict[str, list[float]]) -> Iterator[Measure]:
    """Which share of the answers of each class was right."""
    for kind, answers in right.items():
        labels: dict[str, Label] = {"volume": volume, "class": kind}
        share = [sum(answers) / len(answers)]
        yield Measure(backend=native.spec.name, name="query_right", labels=labels, unit="share", values=share)


async def time_answer(
    native: Native, opened_store: Store, store: str, question: Question, right: dict[str, list[float]]
) -> float:
    """Put a question; the milliseconds that its answer took, which is compared with the truth."""
    started = time.perf_counter()
    answer = await _answer(native, opened_store, store, question)
    milliseconds = (time.perf_counter() - started) * 1000
    expected = question.counts if isinstance(question.ask, Aggregation) else question.ids
    right[question.kind].append(float(answer == expected))
    return milliseconds


async def _answer(native: Native, opened_store: Store, store: str, question: Question) -> object:
    match question.ask:
        case Aggregation():
            return await native.aggregate(store, question.ask)
        case LabelQuestion():
            return await native.labelled(store, question.ask, LIMIT)
        case Query():
            return await opened_store.ids(question.ask)
        case _:
            raise LogweirError(f"no question: {question.ask!r}")
