"""A worker: takes batches from one queue and sees every event of them to its end.

Every event that a worker takes settles exactly once: stored, duplicate, or a dead letter. A write that
fails for now is repeated with back-off, without end unless ``retry.max_attempts`` says otherwise. A
batch that is refused as a whole is split in halves until the poisoned event is alone; it becomes a dead
letter and the rest is stored. An exception that no sink should raise counts as transient, three times;
then the batch is split like a refused one. Order is kept within a worker.

What fails as a whole stays in hand, for the backend is away and nothing else would pass. What the sink
itself asks to send again, event by event, is put off: the queue sets it aside (:mod:`.set_aside`), and the
worker goes on with others. What was set aside and then fails as a whole is put off again, for that may be
about these events. Where a sink put off all of a batch, the worker pauses before the next one.

The bookkeeping: a worker has one lease, and in hand the groups of its events that are not settled yet,
in their order. At every ``await`` the groups, and what is put off, hold exactly what is not known to be
stored or a dead letter. So a worker that is cancelled, or fails by a defect of ours, gives back to the queue
what is in hand, or resumes with it: nothing is lost, and what a write that was cut off has stored is absorbed
by its id.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from logweir.delivery.answer_check import sound, wait_of
from logweir.delivery.call_sink import call_sink
from logweir.delivery.counters import DeliveryCounters
from logweir.delivery.dead_letters import DeadLetter, LetterBox
from logweir.delivery.own_copies import for_sink
from logweir.delivery.queue import EventQueue, Lease
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.retry import pause_before_retry
from logweir.delivery.set_aside import PutOff
from logweir.delivery.watchdog import SinkCall
from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.process.pacing import paced
from logweir.process.standstill import under_way
from logweir.process.threads import in_thread
from logweir.settings.delivery import BatchConfig, RetryConfig
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult

__all__ = ["Clock", "Worker"]

#: Times that an unexpected exception is taken for a passing fault.
_UNEXPECTED_ATTEMPTS = 3
#: The longest pause after a batch of which nothing passed, in seconds: what comes next may pass.
_LONGEST_PACE = 1.0
#: Attempts from which on all pauses are alike; what has so many waits together.
_MANY_ATTEMPTS = 16
_PUT_OFF = "the sink asks to send it again"


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, injected so that tests need not wait for it."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class _Group:
    """Events that are written together, and how often that has failed."""

    events: Sequence[Event]
    attempts: int = 0
    unexpected: int = 0


@dataclass(frozen=True, slots=True)
class _Failure:
    """A write that failed as a whole."""

    message: str
    transient: bool = True
    expected: bool = True
    retry_after: float | None = None


class Worker:
    """One of the workers of a sink.

    Args:
        sink_name: The sink's name in routing.yaml.
        sink: The opened sink.
        config: The sink's batch and retry settings.
        queue: Where events come from.
        dead_letters: Where events go that will never be stored.
        counters: The sink's counters.
        receipts: Those that wait for sinks.
        clock: Time.
    """

    def __init__(
        self,
        sink_name: str,
        sink: Sink[SinkConfig],
        config: SinkConfig,
        queue: EventQueue,
        dead_letters: LetterBox,
        counters: DeliveryCounters,
        receipts: OpenReceipts,
        clock: Clock,
    ) -> None:
        self._name = sink_name
        self._sink = sink
        self._for_sink = for_sink(sink)
        self._batch: BatchConfig = config.batch
        self._retry: RetryConfig = config.retry
        self._queue = queue
        self._dead_letters = dead_letters
        self._counters = counters
        self._receipts = receipts
        self._clock = clock
        # Kept here and not in local variables, so that they outlive a cancelled or failed `run`.
        self._in_hand: deque[_Group] = deque()
        self._put_off: list[PutOff] = []
        self._lease: Lease | None = None
        # How long to pause before the next batch, and after how many of which nothing passed.
        self._pace = 0.0
        self._fruitless = 0

    async def run(self) -> None:
        """Deliver until the queue is closed and empty; called again after a crash, it resumes."""
        batch = self._batch
        while True:
            if self._lease is None:
                if self._pace:
                    pace, self._pace = self._pace, 0.0
                    await self._clock.sleep(pace)
                self._lease = await self._queue.take(batch.max_events, batch.max_bytes, batch.linger)
                if self._lease is None:
                    return
                self._in_hand.append(_Group(self._lease.events))
            await self._deliver()
            self.let_go()

    def let_go(self) -> None:
        """End the lease; what is still in hand, as after a cancellation, waits in the queue again."""
        unsettled = [event for group in self._in_hand for event in group.events]
        put_off, self._put_off = self._put_off, []
        self._in_hand.clear()
        if self._lease is not None:
            lease, self._lease = self._lease, None
            self._queue.settle(lease, unsettled, put_off)

    @property
    def _earlier(self) -> Mapping[int, int]:
        """How often events that were set aside were tried before; empty for a batch that was not."""
        return self._lease.attempts if self._lease is not None else {}

    async def _deliver(self) -> None:
        """Write the groups in hand until none is left; a group leaves only when its events are settled.

        What fails after a reload has handed the queue over is left to the workers of the new one.
        """
        groups = self._in_hand
        # Only a group that has failed is left to others: a first write may be what the drain waits for.
        while groups and not (groups[0].attempts and self._queue.handed_over):
            group = groups[0]
            answer = await self._write(group.events)
            if isinstance(answer, WriteResult):
                await self._account(group, answer)
            else:
                await self._handle_failure(group, answer)

    async def _write(self, events: Sequence[Event]) -> WriteResult | _Failure:
        counters = self._counters
        counters.begun()
        started = self._clock.monotonic()
        failure: _Failure
        try:
            call = SinkCall(self._name, "write", self._sink, counters)
            batch = self._for_sink(events)
            with paced(self._queue.has_leisure):
                result = await call_sink(lambda: self._answer(batch), self._retry.timeout, call)
        except TimeoutError:
            failure = _Failure(f"no answer within {self._retry.timeout:g} s")
        except SinkUnavailable as error:
            failure = _Failure(str(error), retry_after=wait_of(error.retry_after))
        except SinkRejected as error:
            failure = _Failure(str(error), transient=False)
        except Exception as error:  # noqa: BLE001 - a custom sink may raise anything; the event must survive it
            failure = _Failure(f"{type(error).__name__}: {error}", expected=False)
        else:
            counters.answered(len(events), self._clock.monotonic() - started)
            return result
        counters.failed(failure.message)
        report(f"{self._name}.failure", "sink %r failed: %s", self._name, failure.message)
        return failure

    async def _answer(self, batch: Sequence[Event]) -> WriteResult:
        """The sink's answer, if it can be one: looking at it runs code of the sink as well."""
        return sound(await self._sink.write(batch), len(batch))

    async def _account(self, group: _Group, result: WriteResult) -> None:
        events = group.events
        # Counters and receipts come first and without an `await`, so that no cancellation comes in between.
        letters = [(events[index], reason) for index, reason in sorted(result.rejected.items())]
        self._counters.duplicate += len(result.duplicate)
        self._counters.stored += (
            len(events) - len(result.retry) - len(result.duplicate) - len(result.rejected)
        )
        self._note_stored(events, result)
        # From here on only what is not stored is in hand, or put off, whenever the worker may be cancelled.
        self._in_hand.popleft()
        self._note_pace(len(events), result)
        if result.retry:
            waiting = [events[index] for index in sorted(result.retry)]
            letters += self._set_aside(group, waiting, result.retry_reason or _PUT_OFF, result.retry_after)
        # While their disk fails, dead letters are a group of their own, in front.
        if letters:
            self._in_hand.appendleft(_Group([event for event, _ in letters]))
            await self._dead_letter(letters)
            self._in_hand.popleft()

    def _note_pace(self, events: int, result: WriteResult) -> None:
        # What was set aside has a pace of its own: that nothing of it passes says nothing of the others.
        passed = len(result.retry) < events
        if passed:
            self._fruitless = 0
            self._counters.succeeded()
        if result.retry and (passed or self._earlier):
            self._counters.failures += 1
        elif result.retry:
            self._counters.failed(result.retry_reason or _PUT_OFF)
            self._fruitless += 1
            longest = self._retry.model_copy(update={"max": min(self._retry.max, _LONGEST_PACE)})
            self._pace = pause_before_retry(self._fruitless, longest)
        if result.retry:
            self._pace = max(self._pace, result.retry_after or 0.0)

    def _set_aside(
        self, group: _Group, waiting: Sequence[Event], reason: str, retry_after: float | None
    ) -> list[tuple[Event, str]]:
        """Put off events of a group; returns those that are out of attempts, with the reason."""
        waits: dict[int, list[tuple[Event, int]]] = {}
        letters = []
        for event in waiting:
            attempts = group.attempts + self._earlier.get(id(event), 0) + 1
            if self._retry.max_attempts is not None and attempts >= self._retry.max_attempts:
                letters.append((event, reason))
            else:
                waits.setdefault(min(attempts, _MANY_ATTEMPTS), []).append((event, attempts))
        for attempts, events in waits.items():
            pause = pause_before_retry(attempts, self._retry, retry_after=retry_after)
            self._put_off.append(PutOff(events, pause, reason))
        number = sum(len(events) for events in waits.values())
        self._counters.put_off_events(number, reason)
        put_off = counted(number, "event")
        report(f"{self._name}.put_off", "sink %r put off %s: %s", self._name, put_off, reason)
        return letters

    def _note_stored(self, events: Sequence[Event], result: WriteResult) -> None:
        if self._receipts:
            open_indexes = result.retry | result.rejected.keys()
            for index, event in enumerate(events):
                if index not in open_indexes:
                    self._receipts.settled(self._name, event)

    async def _handle_failure(self, group: _Group, failure: _Failure) -> None:
        # Refused whole: split, for one event may be the cause. Alone, or out of attempts: a dead letter.
        # Otherwise it may pass: the same group again, after a pause.
        attempts = group.attempts + 1
        unexpected = group.unexpected + (not failure.expected)
        refused = not failure.transient or unexpected >= _UNEXPECTED_ATTEMPTS
        if refused and len(group.events) > 1:
            self._split(group)
        elif not refused and failure.expected and self._earlier:
            self._pace = max(self._pace, failure.retry_after or 0.0)
            letters = self._set_aside(group, group.events, failure.message, failure.retry_after)
            self._in_hand[0] = replace(group, events=[event for event, _ in letters])
            await self._dead_letter(letters)
            self._in_hand.popleft()
        elif refused or attempts == self._retry.max_attempts:
            await self._dead_letter([(event, failure.message) for event in group.events])
            self._in_hand.popleft()
        else:
            self._in_hand[0] = replace(group, attempts=attempts, unexpected=unexpected)
            await self._pause(attempts, len(group.events), failure.retry_after)

    def _split(self, group: _Group) -> None:
        # The halves begin with no attempts: each is a batch that was never written. Order is kept, the first
        # half goes first. A poisoned event among n is alone after about log2(n) refusals.
        middle = len(group.events) // 2
        self._in_hand.popleft()
        self._in_hand.extendleft([_Group(group.events[middle:]), _Group(group.events[:middle])])

    async def _pause(self, attempts: int, events: int, retry_after: float | None) -> None:
        self._counters.retried += events
        await self._clock.sleep(pause_before_retry(attempts, self._retry, retry_after=retry_after))

    async def _dead_letter(self, letters: list[tuple[Event, str]]) -> None:
        """Write dead letters, if any; while their disk fails they stay in hand and it is tried again."""
        if not letters:
            return
        records = [DeadLetter.of_event(self._name, reason, event) for event, reason in letters]
        attempts = 0
        while True:
            try:
                async with under_way():
                    await in_thread(lambda: self._dead_letters.add(records))
            except OSError as error:
                attempts += 1
                report(f"{self._name}.dead_letters", "dead letters cannot be written: %s", error)
                await self._clock.sleep(pause_before_retry(attempts, self._retry))
            else:
                break
        self._counters.dead += len(letters)
        for event, reason in letters:
            report(
                f"{self._name}.dead",
                "sink %r refused event %s (%s): %s",
                self._name,
                event.id,
                event.name,
                reason,
            )
            self._receipts.dead_letter(self._name, event, reason)
