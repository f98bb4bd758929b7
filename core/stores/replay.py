"""Replaying dead letters: through a real write of a sink, with retries, each event id once.

A letter is removed only after the store answered *stored* or *duplicate*; after a crash in between it is
replayed again, and the store's answer is then *duplicate*. A letter that is refused again stays, with the
new reason and one attempt more. One that was not answered in time stays as it was.

The worker that delivers is the runtime's own: its retries, its splitting of refused batches, its reading
of verdicts. It gets each batch in a queue of its own, and in place of acknowledgements and of the dead
letters, books that note what became of each letter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.call_sink import call_sink
from logweir.delivery.counters import DeliveryCounters, SinkState
from logweir.delivery.dead_letters import DeadLetter, DeadLetters, Position, Selection
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.retry import pause_before_retry
from logweir.delivery.worker import Clock, Worker
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.process.threads import in_thread
from logweir.settings.delivery import BatchConfig, QueueConfig
from logweir.sinks import registry
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.threaded import as_async

__all__ = ["Outcome", "replay"]

_CLOSING = 5.0


@dataclass(slots=True)
class Outcome:
    """What became of the letters.

    Attributes:
        stored: Letters that their sink has now, by sink.
        refused: Letters that were refused again, by sink.
        unreadable: Letters whose event cannot be read, by letter id, with the reason.
        homeless: Letters of sinks that are not configured, by sink.
        unanswered: Why letters of a sink were not tried or not answered, by sink.
        waiting: How many letters these are, by sink.
    """

    stored: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    homeless: Counter[str] = field(default_factory=Counter)
    unanswered: dict[str, str] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Whether no letter is left of those that were asked for."""
        return not (self.refused or self.unreadable or self.homeless or self.waiting)


async def replay(
    config: RoutingConfig,
    letters: DeadLetters,
    selection: Selection,
    *,
    to: str | None = None,
    limit: int | None = None,
    timeout: float = 60.0,
    progress: Callable[[int], None] = lambda _done: None,
    clock: Clock | None = None,
) -> Outcome:
    """Send letters to their sinks, or to another one.

    Args:
        config: Where the sinks are declared.
        letters: The dead letters.
        selection: Which letters.
        to: The sink to send them to instead of their own.
        limit: At most this many letters.
        timeout: Seconds that one sink may go without an answer before its letters are left for later.
        progress: Called with how many letters more are done.
        clock: Time for back-off; injected by tests.

    Raises:
        OSError: The dead letters cannot be read or written.
    """
    outcome = Outcome()
    async with contextlib.AsyncExitStack() as opened:
        targets = _Targets(config, opened, timeout, clock or Clock(), outcome)
        after: Position | None = None
        left = limit
        while left is None or left > 0:
            size = targets.page if left is None else min(left, targets.page)
            start = after
            page = await in_thread(lambda: letters.read(selection, after=start, limit=size))  # noqa: B023
            if not page:
                break
            after = Position(page[-1].time, page[-1].id)
            left = None if left is None else left - len(page)
            for sink, group in _grouped(page, to):
                for batch in _batches(group, targets.batch_of(sink)):
                    await _replay_batch(letters, targets, sink, batch, outcome)
                    progress(len(batch))
    return outcome


def _grouped(page: Sequence[DeadLetter], to: str | None) -> Iterator[tuple[str, list[DeadLetter]]]:
    groups: dict[str, list[DeadLetter]] = defaultdict(list)
    for letter in page:
        groups[letter.sink if to is None else to].append(letter)
    yield from groups.items()


def _batches(group: Sequence[DeadLetter], bounds: BatchConfig) -> Iterator[list[DeadLetter]]:
    """What a worker writes at once, so that an event which is put off holds up no more than its batch."""
    batch: list[DeadLetter] = []
    size = 0
    for letter in group:
        if batch and (len(batch) >= bounds.max_events or size + len(letter.body) > bounds.max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(letter)
        size += len(letter.body)
    if batch:
        yield batch


async def _replay_batch(
    letters: DeadLetters, targets: _Targets, sink: str, group: list[DeadLetter], outcome: Outcome
) -> None:
    books = _Books(sink)
    for letter in group:
        try:
            books.expect(letter)
        except ValueError as error:
            outcome.unreadable[letter.id] = str(error)
    try:
        if books.events and (target := await targets.get(sink, books.waiting)) is not None:
            await target.deliver(books, outcome)
    finally:
        # Also when we are cancelled: what the store has answered must not be forgotten.
        await in_thread(lambda: books.close(letters))
        outcome.stored.update({sink: books.stored} if books.stored else {})
        outcome.refused.update({sink: books.refused} if books.refused else {})


class _Books(OpenReceipts):
    """Notes what becomes of the letters of one batch; takes the place of the receipts and dead letters."""

    def __init__(self, sink: str) -> None:
        super().__init__()
        self._sink = sink
        self.letters: dict[str, list[DeadLetter]] = defaultdict(list)
        self.events: dict[str, Event] = {}
        self._stored: list[str] = []
        self._refused: list[tuple[str, str]] = []
        self.answers = 0

    def expect(self, letter: DeadLetter) -> None:
        """Note a letter that is about to be sent.

        Raises:
            ValueError: There is no event in it.
        """
        event = letter.event()
        self.events.setdefault(event.id, event)
        self.letters[event.id].append(letter)

    @property
    def stored(self) -> int:
        """Letters whose event the store has."""
        return len(self._stored)

    @property
    def refused(self) -> int:
        """Letters whose event was refused."""
        return len(self._refused)

    @property
    def waiting(self) -> int:
        """Letters without an answer."""
        return sum(map(len, self.letters.values())) - self.stored - self.refused

    def settled(self, sink: str, event: Event, failure: str | None = None) -> None:
        """See :meth:`OpenReceipts.settled`; refusals are noted with their own reason by :meth:`add`."""
        self.answers += 1
        if failure is None:
            self._stored += [letter.id for letter in self.letters[event.id]]

    def add(self, refused: Sequence[DeadLetter]) -> None:
        """Take what the worker would put into the dead letters."""
        for letter in refused:
            event_id = letter.id.removesuffix(f":{letter.sink}")
            for known in self.letters[event_id]:
                own = known.sink == letter.sink
                reason = letter.reason if own else f"sink {letter.sink!r}: {letter.reason}"
                self._refused.append((known.id, reason))

    def close(self, letters: DeadLetters) -> None:
        """Carry over into the dead letters what is known; blocks."""
        if self._stored:
            letters.remove(self._stored)
        if self._refused:
            letters.refused_again(self._refused)

    def __bool__(self) -> bool:
        return True


class _Target:
    """One opened sink."""

    def __init__(self, name: str, sink: Sink[SinkConfig], timeout: float, clock: Clock) -> None:
        self._name = name
        self._sink = sink
        self._timeout = timeout
        self._clock = clock
        self.unanswered = ""

    async def open(self) -> None:
        """Open the sink, with retries.

        Raises:
            SinkUnavailable: It could not be opened in time.
        """
        attempts = 0
        error: Exception = SinkUnavailable("it did not open")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                while True:
                    try:
                        await call_sink(self._sink.open, self._sink.config.retry.timeout)
                    except Exception as problem:  # noqa: BLE001 - a sink may raise anything; it is tried again
                        error = problem
                        attempts += 1
                        await self._clock.sleep(pause_before_retry(attempts, self._sink.config.retry))
                    else:
                        return
        raise SinkUnavailable(f"cannot be opened: {str(error) or type(error).__name__}")

    async def close(self) -> None:
        """Close the sink, whatever it says."""
        with contextlib.suppress(Exception):
            await call_sink(self._sink.close, _CLOSING)

    async def deliver(self, books: _Books, outcome: Outcome) -> None:
        """Send a batch; gives up when nothing was answered for too long."""
        counters = DeliveryCounters()
        work = asyncio.ensure_future(self._worker(books, counters).run())
        try:
            while not work.done():
                before = books.answers
                await asyncio.wait((work,), timeout=self._timeout)
                if not work.done() and books.answers == before:
                    break
        finally:
            work.cancel()
            await asyncio.wait((work,), timeout=_CLOSING)
        if work.done() and not work.cancelled():
            work.result()
        if books.waiting:
            reason = counters.last_error or f"no answer within {self._timeout:g} s"
            outcome.unanswered[self._name] = reason
            outcome.waiting[self._name] += books.waiting
            if counters.state is not SinkState.HEALTHY:  # otherwise it only puts off some events
                self.unanswered = reason

    def _worker(self, books: _Books, counters: DeliveryCounters) -> Worker:
        settings = self._sink.config
        patient = settings.model_copy(
            update={"retry": settings.retry.model_copy(update={"max_attempts": None})}
        )
        loop = asyncio.get_running_loop()
        bounds = QueueConfig(max_events=len(books.events), max_bytes=2**62)

        def wake(callback: Callable[[], None]) -> None:
            loop.call_soon_threadsafe(callback)

        queue = MemoryQueue(bounds, "drop_newest", wake)
        for event in books.events.values():
            queue.put(event)
        queue.close()
        books_as_letters: Any = books
        return Worker(self._name, self._sink, patient, queue, books_as_letters, counters, books, self._clock)


class _Targets:
    """The sinks that letters are sent to, opened when they are first needed."""

    def __init__(
        self,
        config: RoutingConfig,
        opened: contextlib.AsyncExitStack,
        timeout: float,
        clock: Clock,
        outcome: Outcome,
    ) -> None:
        self._config = config
        self._opened = opened
        self._timeout = timeout
        self._clock = clock
        self._outcome = outcome
        self._known: dict[str, _Target | None] = {}
        self.page = max(sink.batch.max_events for sink in config.sinks.values())

    def batch_of(self, name: str) -> BatchConfig:
        """How the letters of a sink are grouped."""
        sink = self._config.sinks.get(name)
        return BatchConfig() if sink is None else sink.batch

    async def get(self, name: str, letters: int) -> _Target | None:
        """The sink, open; None, with these letters noted as waiting, if it cannot serve."""
        if name not in self._config.sinks:
            self._outcome.homeless[name] += letters
            return None
        if name not in self._known:
            self._known[name] = await self._open(name)
        target = self._known[name]
        if target is None or target.unanswered:
            self._outcome.waiting[name] += letters
            return None
        return target

    async def _open(self, name: str) -> _Target | None:
        settings = self._config.sinks[name]
        context = context_of(name, self._config)
        sink_class: Any = registry.resolve(settings.type)
        try:
            target = _Target(name, as_async(sink_class(settings, context)), self._timeout, self._clock)
            self._opened.push_async_callback(target.close)
            await target.open()
        except Exception as error:  # noqa: BLE001 - a sink may raise anything; the others go on
            self._outcome.unanswered[name] = str(error) or type(error).__name__
            return None
        return target
