"""Replaying dead letters: through a real write of a sink, with retries, each event id once.

A letter is removed only after the store answered *stored* or *duplicate*; after a crash in between it is
replayed again, and the store's answer is then *duplicate*. A letter that is refused again stays, with the
new reason and one attempt more. One that was not answered in time stays as it was. To a sink behind a broker
letters are published; what its broker has confirmed is the workers', and removed here.

What goes over the wire is an event; several letters may hold the same one, because several sinks refused
it. Books join the two: they know which letters an event settles.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from logweir.config.models import RoutingConfig
from logweir.config.sinks import context_of
from logweir.delivery.brokers.making import make_broker, place_of
from logweir.delivery.dead_letters import DeadLetter, DeadLetters, Position, Selection
from logweir.delivery.forwarder import Forwarder
from logweir.delivery.worker import Clock
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.process.threads import in_thread
from logweir.settings.delivery import BatchConfig
from logweir.sinks.contract import Sink, SinkConfig
from logweir.stores.all_dead_letters import AllDeadLetters
from logweir.stores.bounded_delivery import Delivered, Patience, deliver, open_within
from logweir.stores.reading import OpenSink, opened

__all__ = ["Outcome", "replay"]


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
    letters: DeadLetters | AllDeadLetters,
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
    async with contextlib.AsyncExitStack() as stack:
        targets = _Targets(config, stack, timeout, clock or Clock(), outcome)
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
    letters: DeadLetters | AllDeadLetters,
    targets: _Targets,
    sink: str,
    group: list[DeadLetter],
    outcome: Outcome,
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


class _Books:
    """Notes what becomes of the letters of one batch."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._letters: dict[str, list[DeadLetter]] = defaultdict(list)
        self.events: dict[str, Event] = {}
        self.delivered = Delivered()

    def expect(self, letter: DeadLetter) -> None:
        """Note a letter that is about to be sent.

        Raises:
            ValueError: There is no event in it.
        """
        event = letter.event()
        self.events.setdefault(event.id, event)
        self._letters[event.id].append(letter)

    @property
    def stored(self) -> int:
        """Letters whose event the store has."""
        return sum(len(self._letters[event_id]) for event_id in self.delivered.present)

    @property
    def refused(self) -> int:
        """Letters whose event was refused."""
        return sum(len(self._letters[event_id]) for event_id in self.delivered.rejected)

    @property
    def waiting(self) -> int:
        """Letters without an answer."""
        return sum(map(len, self._letters.values())) - self.stored - self.refused

    def close(self, letters: DeadLetters | AllDeadLetters) -> None:
        """Carry over into the dead letters what is known; blocks."""
        stored = [letter.id for event_id in self.delivered.present for letter in self._letters[event_id]]
        if stored:
            letters.remove(stored)
        refused = [
            (letter.id, reason if letter.sink == self._sink else f"sink {self._sink!r}: {reason}")
            for event_id, reason in self.delivered.rejected.items()
            for letter in self._letters[event_id]
        ]
        if refused:
            letters.refused_again(refused)


class _Target:
    """One open sink, and whether it still answers."""

    def __init__(self, sink: OpenSink, timeout: float, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        # Like the runtime, a replay takes what no sink should raise for a passing fault at first.
        self._patience = Patience(silence=timeout, unexpected=True)
        self.answers = True

    async def deliver(self, books: _Books, outcome: Outcome) -> None:
        """Send a batch; gives up when nothing was answered for too long."""
        events = list(books.events.values())
        try:
            await deliver(self._sink, events, self._patience, into=books.delivered, clock=self._clock)
        except SinkUnavailable as error:
            if books.waiting:
                outcome.unanswered[self._sink.name] = str(error)
                outcome.waiting[self._sink.name] += books.waiting
                self.answers = books.delivered.healthy  # then it only puts off some events


class _Targets:
    """The sinks that letters are sent to, opened when they are first needed."""

    def __init__(
        self,
        config: RoutingConfig,
        stack: contextlib.AsyncExitStack,
        timeout: float,
        clock: Clock,
        outcome: Outcome,
    ) -> None:
        self._config = config
        self._stack = stack
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
        if target is None or not target.answers:
            self._outcome.waiting[name] += letters
            return None
        return target

    async def _open(self, name: str) -> _Target | None:
        try:
            if self._config.sinks[name].queue.goes_over_a_broker:
                return _Target(await self._forwarder(name), self._timeout, self._clock)
            sink = await self._stack.enter_async_context(
                opened(name, self._config, lambda sink: open_within(sink, self._timeout, self._clock))
            )
        except Exception as error:  # noqa: BLE001 - a sink may raise anything; the others go on
            self._outcome.unanswered[name] = str(error) or type(error).__name__
            return None
        return _Target(sink, self._timeout, self._clock)

    async def _forwarder(self, name: str) -> OpenSink:
        """What publishes to the workers of a sink, who write to it as to any event's sink."""
        settings, context = self._config.sinks[name], context_of(name, self._config)
        broker = make_broker(settings.queue, place_of(settings.type, context))
        forwarder: Sink[SinkConfig] = Forwarder(settings, broker, context)
        self._stack.push_async_callback(forwarder.close)
        await open_within(forwarder, self._timeout, self._clock)
        return OpenSink(name, forwarder, forwarder)
