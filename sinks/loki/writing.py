"""Storing a batch whatever Loki refuses of it: each event to its own end, in as few requests as that takes.

When Loki refuses some entries, those that are known to be refused are changed (cut, re-stamped, with fewer
labels; see :mod:`logweir.sinks.loki.remedies`) or rejected with Loki's reason. The others are sent again,
and only a request that Loki took as a whole settles what was in it; an entry that it had stored already is
absorbed. Where it is not known which entries were refused, the request is halved. What was refused for
an unknown reason waits until it is known whose fault it is (see :mod:`logweir.sinks.loki.doubts`).

A request has one stream, its entries in order of time. Loki (3.7 and before) keeps but the last stream's
error of a request: what it refused of the others, for being too far behind or over the stream's rate, is
lost under a 204. Requests of different streams are made at once, a few at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from logweir.errors import SinkUnavailable
from logweir.sinks.loki.doubts import REFUSALS, Doubts
from logweir.sinks.loki.encode import Entry
from logweir.sinks.loki.remedies import FindRemedy
from logweir.sinks.loki.verdicts import Answer, Outcome, Throttled
from logweir.sinks.results import WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts
from logweir.sinks.shared.portions import portions

__all__ = ["AT_ONCE", "Push", "RequestSize", "store"]

#: Requests made at once.
AT_ONCE = 4
_SMALLEST_REQUEST = 1024
#: More bytes than the metadata of an entry usually has; where that could matter, it is measured.
_MOST_METADATA = 1500

#: Sends one request.
Push = Callable[[Sequence[Entry]], Awaitable[Answer]]


class RequestSize:
    """How large a request may be: less while Loki asks for less.

    What is sent again counts against Loki's rates again. A request that is larger than a burst may be would
    therefore never be taken; in smaller ones a batch gets through bit by bit.

    Args:
        most: The most bytes in a request.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = most

    def shrink(self) -> None:
        """Loki asked for less."""
        self.bytes = max(_SMALLEST_REQUEST, self.bytes // 2)

    def grow(self) -> None:
        """Loki took a request."""
        self.bytes = min(self._most, self.bytes * 2)


@dataclass(slots=True)
class _Verdicts(BatchVerdicts):
    """Verdicts so far, and the first failure: it is raised if Loki answered to nothing else.

    Attributes:
        failure: The first failure.
        unexplained: Index to reason of entries that were refused for a reason that is not known here.
        stored: Whether Loki took some entries.
    """

    failure: SinkUnavailable | None = None
    unexplained: dict[int, str] = field(default_factory=dict)
    stored: bool = False

    def explain(self, entries: Sequence[Entry], doubts: Doubts) -> None:
        """Hold an unknown reason against entries if others were taken, now or between refusals.

        If none was, it may be about all that is sent: the entries wait, and others pass.
        """
        if not self.unexplained:
            return
        self.answered = True
        ids = {entry.index: entry.event.id for entry in entries}
        for index, words in self.unexplained.items():
            if self.stored:
                self.rejected[index] = words
            elif doubts.is_at_fault(ids[index]):
                self.rejected[index] = f"{words} (refused {REFUSALS} times while Loki took others)"
            else:
                self.retry.add(index)
                self.retry_reason = words

    def put_off(self, error: SinkUnavailable, parts: Iterable[Sequence[Entry]]) -> None:
        """Note that these are to be sent again."""
        if self.failure is None:
            self.failure, self.retry_after = error, error.retry_after
        self.retry_reason = str(error)
        self.retry.update(entry.index for part in parts for entry in part)


async def store(
    entries: Sequence[Entry], push: Push, find_remedy: FindRemedy, size: RequestSize, doubts: Doubts
) -> WriteResult:
    """Send entries until each has its verdict.

    Args:
        entries: A batch.
        push: Sends one request.
        find_remedy: Says what becomes of a refused entry.
        size: How large a request may be.
        doubts: What earlier writes have seen of entries that were refused for an unknown reason.

    Raises:
        SinkUnavailable: Nothing was stored.
    """

    async def pushed(group: Sequence[Entry]) -> Answer:
        answer = await push(group)
        if answer.outcome is Outcome.STORED:
            doubts.taken(group)
        return answer

    verdicts = _Verdicts()
    parts = _by_stream(entries)
    streams = iter(parts)

    async def send_streams() -> None:
        for stream in streams:
            await _store_stream(stream, pushed, find_remedy, size, verdicts)

    await _together(send_streams, len(parts))
    verdicts.explain(entries, doubts)
    if verdicts.failure is not None and not verdicts.answered:
        raise verdicts.failure
    return verdicts.result()


async def _together(send_streams: Callable[[], Coroutine[None, None, None]], streams: int) -> None:
    """A few streams at once; they share what is left to send."""
    if streams <= 1:
        await send_streams()
        return
    async with asyncio.TaskGroup() as group:
        for _ in range(min(streams, AT_ONCE)):
            group.create_task(send_streams())


async def _store_stream(
    entries: Sequence[Entry], push: Push, find_remedy: FindRemedy, size: RequestSize, verdicts: _Verdicts
) -> None:
    """Send the entries of one stream, in order, until each has its verdict."""
    waiting = _portions(entries, size.bytes)[::-1]  # a stack: halves and changed entries go on top of it
    while waiting:
        group = waiting.pop()
        try:
            answer = await push(group)
        except SinkUnavailable as error:
            if isinstance(error, Throttled):
                size.shrink()  # it counts for every worker: the rate is the tenant's
            verdicts.put_off(error, (group, *waiting))
            return
        if answer.outcome is Outcome.STORED:
            size.grow()
            verdicts.answered = verdicts.stored = True
        else:
            waiting += _resolve(group, answer, find_remedy, verdicts)


def _resolve(
    group: Sequence[Entry], answer: Answer, find_remedy: FindRemedy, verdicts: _Verdicts
) -> list[Sequence[Entry]]:
    """Give verdicts on what was certainly refused; return what is to be sent now, the last one first."""
    blamed = answer.blamed(group)
    if not blamed:
        if len(group) > 1:
            # The first half goes first: within a stream, order of time keeps entries from falling behind.
            middle = len(group) // 2
            return [group[middle:], group[:middle]]
        blamed = {0: answer.refusals[0]} if answer.refusals else {}
    if not blamed:
        verdicts.unexplained[group[0].index] = answer.reason
        return []
    changed = []
    for position, refusal in blamed.items():
        remedy = find_remedy(group[position], refusal)
        if isinstance(remedy, Entry):
            changed.append(remedy)
        elif isinstance(remedy, str):
            verdicts.answered = True
            verdicts.rejected[group[position].index] = remedy
        else:
            # An answer about this entry, as a rejection is: others pass.
            verdicts.answered = True
            verdicts.retry.add(group[position].index)
            verdicts.retry_reason = refusal.reason
    rest = [entry for position, entry in enumerate(group) if position not in blamed]
    return [part for part in (*_by_stream(changed), rest) if part]


def _by_stream(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries of each stream, in order of time."""
    streams: dict[tuple[tuple[str, str], ...], list[Entry]] = {}
    # Streams are cached by the encoder, so that most batches are seen to be of one without comparing labels.
    if len({id(entry.stream) for entry in entries}) == 1:
        streams[()] = list(entries)
        entries = ()
    for entry in entries:
        streams.setdefault(entry.stream.labels, []).append(entry)
    for members in streams.values():
        members.sort(key=attrgetter("stamp"))
    return list(streams.values())


def _portions(entries: Sequence[Entry], largest: int) -> list[Sequence[Entry]]:
    """Entries in requests of bounded size."""
    if sum([len(entry.line) for entry in entries]) + _MOST_METADATA * len(entries) <= largest:
        return [entries]
    return portions(entries, _weight, largest)


def _weight(entry: Entry) -> int:
    """About the bytes of an entry on the wire."""
    return len(entry.line) + len("".join(entry.values)) + 24 * (1 + len(entry.names))
