"""Diverting: what stands between the workers of a sink and two sinks, and writes each batch to one of them.

To the workers it is the sink. Their events stay in the sink's queue until one of the two has stored them, so
that nothing is lost however the process ends; retries, dead letters and receipts are the workers' as ever.
The fallback is written to directly, by an instance of its own: its queue may be full, in memory, or another
process's, and what is in it would not be stored yet.

What the fallback refuses is no dead letter, for the sink may take it: it waits, set aside, until the sink is
back. What may be in the fallback is not written to the sink too: without ``return`` it goes to the fallback
again, whose answer settles it; with ``return`` it may go to either, for :mod:`.returning` ends in one place.
The converse cannot be kept from happening: a write to the sink whose answer was lost may have stored its
events, and they go to the fallback all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from logweir.delivery.answer_check import sound
from logweir.delivery.call_sink import contained
from logweir.delivery.counters import DeliveryCounters
from logweir.delivery.fallback.circuit import Circuit, CircuitState
from logweir.delivery.fallback.ledger import Ledger
from logweir.delivery.fallback.verdicts import joined, not_dead
from logweir.delivery.own_copies import for_sink
from logweir.delivery.watchdog import SinkCall
from logweir.diagnostics import report
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.process.threads import in_thread
from logweir.settings.fallback import FallbackConfig
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult

__all__ = ["Diverting"]

T = TypeVar("T")
#: Seconds between two looks, in a pause before a retry, whether the circuit is due to open.
_LOOK = 0.25
#: The share of the time for a write after which no further piece of a batch is begun: who is cut off in the
#: middle does not know what the fallback has stored, and begins with all of it anew.
_SHARE = 0.5
# The most events that are remembered as refused.
_MOST_REFUSED = 10_000


class Diverting(Sink[SinkConfig]):
    """A sink and its fallback, as one sink.

    Args:
        sink: The sink, not yet opened.
        other: Its fallback, likewise; nobody else uses this instance.
        settings: When events go there.
        circuit: Decides where the next write goes.
        ledger: The notes of what may be in the fallback.
        now: Monotonic seconds.

    Attributes:
        sink: The sink.
        other: Its fallback.
        settings: When events go there.
        circuit: Decides where the next write goes.
        ledger: The notes of what may be in the fallback.
        counters: The sink's counters, which its channel gives.
    """

    def __init__(
        self,
        sink: Sink[SinkConfig],
        other: Sink[SinkConfig],
        settings: FallbackConfig,
        circuit: Circuit,
        ledger: Ledger,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(sink.config, sink.context)
        self.sink = sink
        self.other = other
        self.settings = settings
        self.circuit = circuit
        self.ledger = ledger
        self.counters = DeliveryCounters()
        self._for_sink = for_sink(sink)
        self._for_other = for_sink(other)
        self._now = now
        # The most events that are offered to the fallback at once, and those that it has refused, which are
        # offered last. Both outlive a batch: where the time is up before anything has passed, the next
        # attempt goes on from there.
        self._most = sink.config.batch.max_events
        self._refused = set[str]()
        self._sink_is_open = self._other_is_open = False
        self._opening_sink, self._opening_other = asyncio.Lock(), asyncio.Lock()

    def attach(self, counters: DeliveryCounters, filled: Callable[[], float]) -> None:
        """Take what only the channel has: its counters, and which share of its queue is filled."""
        self.counters = counters
        self.circuit.filled = filled
        self.note_state()

    def note_state(self) -> None:
        """Let metrics show where events go now."""
        if self.circuit.state is CircuitState.CLOSED and self.counters.circuit is CircuitState.HALF_OPEN:
            name = self.context.name
            report(f"{name}.back", "sink %r is back, and its events go to it again", name)
        self.counters.circuit = self.circuit.state
        self.counters.diverted_to = f"{self.settings.to!r} ({self.circuit.reason})"

    def interruptible(self, sleep: Callable[[float], Awaitable[None]]) -> Callable[[float], Awaitable[None]]:
        """A pause between two retries that ends when the circuit is due to open: a queue fills up fast."""

        async def pause(seconds: float) -> None:
            while seconds > 0 and not self.circuit.is_due():
                await sleep(min(seconds, _LOOK))
                seconds -= _LOOK

        return pause

    def call(self, method: str) -> SinkCall:
        """A call of a method of the sink, for the watchdog."""
        return SinkCall(self.context.name, method, self.sink, self.counters)

    def call_other(self, method: str) -> SinkCall:
        """A call of a method of the fallback, whose threads what hangs in those of the sink does not take."""
        return SinkCall(self.settings.to, method, self.other, self.counters)

    async def open(self) -> None:
        """Open the sink or, when that has failed for long enough, the fallback."""
        if self.circuit.takes_sink():
            await self.open_sink()
            self.circuit.succeeded()
        else:
            self._report_open()
            await self.open_other()
        self.note_state()

    async def open_sink(self) -> None:
        """Open the sink, unless it was opened before; who comes while it is being opened waits for that."""
        async with self._opening_sink:
            if self._sink_is_open:
                return
            try:
                await self.sink.open()
            except BaseException as error:
                self.circuit.failed(_reason(error))
                raise
            self._sink_is_open = True

    async def open_other(self) -> None:
        """Open the fallback, unless it was opened before.

        Raises:
            SinkUnavailable: It cannot be opened.
        """
        async with self._opening_other:
            if not self._other_is_open:
                try:
                    await contained(self.other.open, self.call_other("open"))
                except Exception as error:
                    raise self._unavailable(error) from error
                self._other_is_open = True

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Write a batch to one of the two, each event to one."""
        if not self.circuit.takes_sink():
            self._report_open()
            return await self.write_to_other(batch)
        try:
            held = set() if self.settings.return_ else await self._held(batch)
            if held:
                return await self._write_apart(batch, held)
            return await self.write_to_sink(batch)
        finally:
            self.circuit.trial_over()
            self.note_state()

    async def _write_apart(self, batch: Sequence[Event], held: set[str]) -> WriteResult:
        """Write what may be in the fallback there, and the others to the sink."""
        there = [index for index, event in enumerate(batch) if event.id in held]
        here = [index for index, event in enumerate(batch) if event.id not in held]
        try:
            apart = await self.write_to_other([batch[index] for index in there])
        except SinkUnavailable as error:
            # Set aside and not raised: the sink is up, and what others wait for passes.
            apart = WriteResult(retry=frozenset(range(len(there))), retry_reason=str(error))
        if not here:
            return apart
        return joined((there, apart), (here, await self.write_to_sink([batch[index] for index in here])))

    async def _held(self, batch: Sequence[Event]) -> set[str]:
        ids = [event.id for event in batch]
        try:
            return await in_thread(lambda: self.ledger.held(ids))
        except OSError as error:
            # The sink is up, and a disk that is not must not keep its events from it.
            report(f"{self.context.name}.notes", "what was sent to fallbacks cannot be read: %s", error)
            return set()

    async def write_to_sink(self, batch: Sequence[Event]) -> WriteResult:
        """Write a batch to the sink, and let the circuit know how that went."""
        try:
            answer = await contained(lambda: self.sink.write(self._for_sink(batch)), self.call("write"))
            answer = sound(answer, len(batch))
        except SinkRejected:  # speaks of the events, and not of the sink
            raise
        except BaseException as error:
            self.circuit.failed(_reason(error))
            raise
        if len(answer.retry) == len(batch):
            self.circuit.failed(answer.retry_reason or "the sink asks to send everything again")
        else:
            self.circuit.succeeded()
        return answer

    async def write_to_other(self, batch: Sequence[Event]) -> WriteResult:
        """Write a batch to the fallback; what that refuses is to be sent again, to whichever is up then.

        Raises:
            SinkUnavailable: Nothing is known to be stored.
        """
        await self.open_other()
        ids = [event.id for event in batch]
        before = await self._noted(lambda: self.ledger.held(ids))
        answer, later = await self._offer_in_time(batch)
        # What is put off may be there from an earlier write whose answer was lost; what is refused is not.
        unsure = {index for index in answer.retry if index in later or ids[index] in before}
        answer = not_dead(answer)
        stored = [one for index, one in enumerate(ids) if index not in answer.retry]
        refused = [one for index, one in enumerate(ids) if index in answer.retry and index not in unsure]
        self.counters.diverted += len(stored)
        try:
            await self._noted(lambda: self.ledger.settle(stored, refused, returns=self.settings.return_))
        except SinkUnavailable as error:  # they stay noted as sent, which does no harm
            report(f"{self.context.name}.notes", "%s", error)
        return answer

    async def _offer_in_time(self, batch: Sequence[Event]) -> tuple[WriteResult, frozenset[int]]:
        """Write to the fallback; a batch that it refuses whole is split, until what it refuses is alone.

        Returns:
            The answer, in which what the time was too short for is to be sent again, and the places of that.
        """
        deadline = self._now() + self.config.retry.timeout * _SHARE
        places = sorted(range(len(batch)), key=lambda place: batch[place].id in self._refused)
        answers: list[tuple[Sequence[int], WriteResult]] = []
        while places:
            piece = places[: self._most]
            answer = await self._offer([batch[place] for place in piece])
            if answer is None:
                self._most = len(piece) // 2
            else:
                answers.append((piece, answer))
                self._note_refused([batch[piece[index]].id for index in answer.rejected])
                del places[: len(piece)]
                self._most = min(2 * self._most, self.config.batch.max_events)
            if self._now() >= deadline:
                break
        if places:
            reason = f"the fallback {self.settings.to!r} had no time left for it"
            everything = frozenset(range(len(places)))
            answers.append((places, WriteResult(retry=everything, retry_reason=reason)))
        return joined(*answers), frozenset(places)

    async def _offer(self, batch: Sequence[Event]) -> WriteResult | None:
        """Write to the fallback; None where it refuses several events as a whole."""
        ids = [event.id for event in batch]
        await self._noted(lambda: self.ledger.note(ids))
        try:
            answer = await contained(
                lambda: self.other.write(self._for_other(batch)), self.call_other("write")
            )
            return sound(answer, len(batch))
        except SinkRejected as error:
            return WriteResult(rejected={0: str(error)}) if len(batch) == 1 else None
        except Exception as error:
            raise self._unavailable(error) from error

    def _note_refused(self, ids: Sequence[str]) -> None:
        if len(self._refused) + len(ids) > _MOST_REFUSED:
            self._refused.clear()
        self._refused.update(ids)

    async def _noted(self, work: Callable[[], T]) -> T:
        try:
            return await in_thread(work)
        except OSError as error:
            raise SinkUnavailable(f"what goes to the fallback cannot be noted: {error}") from error

    def _unavailable(self, error: Exception) -> SinkUnavailable:
        message = f"the fallback {self.settings.to!r} fails too: {_reason(error)}"
        return SinkUnavailable(message, retry_after=getattr(error, "retry_after", None))

    def _report_open(self) -> None:
        report(
            f"{self.context.name}.fallback",
            "sink %r is down, and its events go to %r: %s",
            self.context.name,
            self.settings.to,
            self.circuit.reason,
        )
        self.note_state()

    async def close(self) -> None:
        """Close both."""
        try:
            await self.sink.close()
        finally:
            await self.other.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "it did not answer in time"
    return str(error) if isinstance(error, SinkUnavailable) else f"{type(error).__name__}: {error}"
