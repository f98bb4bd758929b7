"""Storing a batch whatever Loki refuses of it: each event to its own end, in as few requests as that takes.

When Loki refuses some entries, those that are known to be refused are mended (cut, re-stamped, with fewer
labels) or rejected with Loki's reason. The others are sent again, and only a request that Loki took as a
whole settles what was in it; an entry that it had stored already is absorbed. Where it is not known which
entries were refused, the request is halved. The order of a stream's entries is kept within each request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from logweir.errors import SinkUnavailable
from logweir.results import WriteResult
from logweir.sinks.loki.encode import Entry
from logweir.sinks.loki.verdicts import Answer, Outcome, Refusal

__all__ = ["Mend", "Push", "Remedy", "Wait", "store"]

#: Sends one request.
Push = Callable[[Sequence[Entry]], Awaitable[Answer]]


class Wait:
    """The verdict on an entry that may be stored later as it is."""


#: What becomes of a refused entry: another entry, Loki's last word, or waiting.
Remedy = Entry | str | Wait
Mend = Callable[[Entry, Refusal], Remedy]


@dataclass(slots=True)
class _State:
    """What is known about a batch so far."""

    rejected: dict[int, str] = field(default_factory=dict)
    retry: set[int] = field(default_factory=set)
    retry_after: float | None = None
    settled: bool = False


async def store(entries: Sequence[Entry], push: Push, mend: Mend, largest: int) -> WriteResult:
    """Send entries until each has its verdict.

    Args:
        entries: A batch.
        push: Sends one request.
        mend: Says what becomes of a refused entry.
        largest: The most bytes in a request.

    Raises:
        SinkUnavailable: Nothing was stored.
    """
    state = _State()
    waiting = _portions(entries, largest)[::-1]
    while waiting:
        group = waiting.pop()
        try:
            answer = await push(group)
        except SinkUnavailable as error:
            if not state.settled and not state.retry:
                raise
            state.retry.update(entry.index for part in (group, *waiting) for entry in part)
            state.retry_after = error.retry_after
            break
        if answer.outcome is Outcome.STORED:
            state.settled = True
        else:
            waiting += _resolve(group, answer, mend, state)
    return WriteResult(retry=frozenset(state.retry), rejected=state.rejected, retry_after=state.retry_after)


def _resolve(group: Sequence[Entry], answer: Answer, mend: Mend, state: _State) -> list[Sequence[Entry]]:
    """Give verdicts on what was certainly refused; return what is to be sent now, the last one first."""
    blamed = answer.blamed(group)
    if not blamed:
        if len(group) > 1:
            middle = len(group) // 2
            return [group[middle:], group[:middle]]
        blamed = {0: answer.refusals[0]} if answer.refusals else {}
    if not blamed:
        state.settled = True
        state.rejected[group[0].index] = answer.reason
        return []
    mended = []
    for position, refusal in blamed.items():
        remedy = mend(group[position], refusal)
        if isinstance(remedy, Entry):
            mended.append(remedy)
        elif isinstance(remedy, str):
            state.settled = True
            state.rejected[group[position].index] = remedy
        else:
            state.retry.add(group[position].index)
    rest = [entry for position, entry in enumerate(group) if position not in blamed]
    return [part for part in (mended, rest) if part]


def _portions(entries: Sequence[Entry], largest: int) -> list[Sequence[Entry]]:
    """The entries in requests of bounded size."""
    portions: list[Sequence[Entry]] = []
    start = size = 0
    for position, entry in enumerate(entries):
        weight = _weight(entry)
        if size and size + weight > largest:
            portions.append(entries[start:position])
            start, size = position, 0
        size += weight
    if start < len(entries):
        portions.append(entries[start:])
    return portions


def _weight(entry: Entry) -> int:
    """About the bytes of an entry on the wire."""
    weight = len(entry.line) + 24
    for name, value in entry.metadata:
        weight += len(name) + len(value) + 8
    return weight
