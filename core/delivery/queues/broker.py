"""The broker queue: what a worker process delivers, leased from a broker and settled there.

To a channel and its workers it is a queue like any other, that fills itself. A memory queue holds what is
leased, so that batches, lingering and what is set aside are those of every sink. Beside it run four tasks,
from the first ``take`` on, when the sink is open:

- one *leases*, up to a bound, and now and then claims what dead workers left;
- one *settles* with the broker what the workers have settled here; until that is confirmed an entry counts as
  held, so that it is not taken for a new one when it comes again;
- one *holds*: it shows the broker, in a fraction of the claim time, that this worker lives;
- one *watches*: every few seconds it reads what the broker holds, so that metrics need not ask.

Invariants: an entry is settled with the broker only after a worker has settled it; at the end, or at a death,
everything else is still the broker's and comes again. A worker that stood still for longer than the claim
time does not hold what it had before: others have it by now, and both may store it, once by its id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from logweir.delivery.brokers.contract import FORMAT_VERSION, Broker, Entry, PartitionState
from logweir.delivery.dead_letters import DeadLetter, LetterBox
from logweir.delivery.queue import EventQueue, Lease, OnDurable, PutResult, QueueStatistics, Wake
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.retry import pause_before_retry
from logweir.delivery.set_aside import PutOff
from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.encoding.events import decode_event
from logweir.errors import SinkError
from logweir.event import Event
from logweir.process.lasting import LastingTask
from logweir.process.threads import in_thread
from logweir.settings.delivery import QueueConfig, RetryConfig

__all__ = ["BrokerQueue"]

#: How long one lease waits for news, which is how long a stop may wait for it; in seconds.
_WAIT = 1.0
#: An entry's life is shown so many times in a claim time, and the dead are looked for as often.
_SIGNS = 4
#: The longest between two readings of what the broker holds, in seconds.
_WATCH = 5.0
#: The longest that the end waits for what is settled to be confirmed, in seconds.
_LAST_SETTLING = 10.0
#: The most that is leased at once is this part of the room.
_SHARES = 4
_BOUNDLESS = 2**62
_Key = tuple[int, str]
_T = TypeVar("_T")


class BrokerQueue(EventQueue):
    """What one worker process has of a broker's messages.

    Args:
        broker: Where they are; it is opened and closed here.
        sink: The sink's name.
        claim_after: The claim time of the broker, in seconds.
        room: The most events and bytes in hand; some batches for each worker keep all busy.
        retry: How long to pause while the broker is away.
        dead_letters: Where goes what cannot be read.
        wake: How to run a callback on the consumers' loop from any thread.
        clock: Monotonic seconds.
    """

    durable = True

    def __init__(
        self,
        broker: Broker,
        sink: str,
        claim_after: float,
        room: tuple[int, int],
        retry: RetryConfig,
        dead_letters: LetterBox,
        wake: Wake,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._sink = sink
        self._claim_after = claim_after
        self._room = room
        self._share = max(1, room[0] // _SHARES)
        self._retry = retry
        self._dead_letters = dead_letters
        self._wake = wake
        self._clock = clock
        bounds = QueueConfig(type="memory", max_events=_BOUNDLESS, max_bytes=_BOUNDLESS)
        self._inner = MemoryQueue(bounds, "block", wake, clock=clock)
        self._held: dict[_Key, Entry] = {}
        self._size = 0
        # Of those, what others may have by now: it is no longer shown to be held.
        self._not_ours: set[_Key] = set()
        # Of what the workers have: where each event came from, by its id().
        self._entries: dict[int, Entry] = {}
        self._done: list[Entry] = []
        self._done_size = 0
        self._settled = asyncio.Event()
        self._changed = asyncio.Event()
        self._closed = False
        self._ended = False
        self._ending = asyncio.Lock()
        self._opening = asyncio.Lock()
        self._is_open = False
        self._shown = clock()
        self._claimed = 0
        self._missing = 0
        #: The partitions as they were lately; for metrics.
        self.states: Sequence[PartitionState] = ()
        self._read = clock()
        self._leasing = LastingTask(f"leasing for sink {sink!r}", self._lease)
        self._settling = LastingTask(f"settling for sink {sink!r}", self._settle)
        self._holding = LastingTask(f"holding for sink {sink!r}", self._hold)
        self._watching = LastingTask(f"watching for sink {sink!r}", self._watch)

    @property
    def states_age(self) -> float:
        """Seconds since ``states`` were read; before the first reading, since the queue was made."""
        return max(0.0, self._clock() - self._read)

    @property
    def unsettled(self) -> int:
        """Events in hand: leased, and not yet settled with the broker."""
        return len(self._held)

    def put(self, event: Event, on_durable: OnDurable | None = None) -> PutResult:
        """See :meth:`EventQueue.put`: only the broker fills this queue."""
        return PutResult.CLOSED

    # -- the workers --------------------------------------------------------------------------------

    async def take(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """See :meth:`EventQueue.take`."""
        if not self._closed:
            # Here and not in the task, which may begin anew after a long silence.
            if not self._holding.has_begun():
                self._shown = self._clock()
            for task in (self._leasing, self._settling, self._holding, self._watching):
                task.start()
        lease = await self._inner.take(max_events, max_bytes, linger)
        if lease is None and not self._entries:  # otherwise another worker has some, and ends it behind them
            await self.end()
        return lease

    def settle(self, lease: Lease, unsettled: Sequence[Event] = (), put_off: Sequence[PutOff] = ()) -> None:
        """See :meth:`EventQueue.settle`."""
        self._inner.settle(lease, unsettled, put_off)
        done = lease.events
        if unsettled or put_off:
            kept = {id(event) for event in unsettled}
            kept.update(id(event) for item in put_off for event, _ in item.attempts)
            done = [event for event in done if id(event) not in kept]
        # Lists, and no calls of ours for each event: this is done for every one that is delivered.
        take = self._entries.pop
        self._done += [take(id(event)) for event in done]
        self._done_size += sum([event.size for event in done])
        self._settled.set()

    # -- the broker ---------------------------------------------------------------------------------

    async def _lease(self) -> None:
        """Lease until the queue is closed."""
        looked = self._clock() - self._claim_after
        wait = min(_WAIT, self._claim_after / _SIGNS)
        while not self._closed:
            room = min(self._share, self._room[0] - len(self._held))
            # In shares: one is on its way while the last is settled. Smaller ones where it stands still.
            short = room < self._share and (self._done or self._inner.depth)
            if room <= 0 or short or self._size >= self._room[1]:
                self._changed.clear()
                await self._changed.wait()
                continue
            claims = self._clock() - looked >= self._claim_after / _SIGNS
            work = partial(self._broker.claim, room) if claims else partial(self._broker.lease, room, wait)
            entries = await self._patiently(work, until=lambda: self._closed)
            if entries is None:
                break
            if claims and len(entries) < room:  # else there may be more of them
                looked = self._clock()
            self._claimed += len(entries) if claims else 0
            await self._take_in(entries)
        self._inner.close()

    async def _take_in(self, entries: Sequence[Entry]) -> None:
        """Put what was leased before the workers."""
        letters: list[tuple[DeadLetter, Entry]] = []
        events: list[Event] = []
        held, entry_of = self._held, self._entries
        for entry in entries:
            key = entry[:2]
            if key in held:  # it is here already, and was not shown to be in time
                continue
            if entry.version > FORMAT_VERSION:
                self._leave_to_newer(entry)
                continue
            try:
                event = decode_event(entry.body)
            except Exception as error:  # noqa: BLE001 - whatever is in a body, those behind it go on
                letters.append((self._letter(entry, error), entry))
                continue
            held[key] = entry
            entry_of[id(event)] = entry
            events.append(event)
        self._size += sum([event.size for event in events])
        self._inner.put_all(events)
        if letters:
            await self._give_up(letters)

    def _leave_to_newer(self, entry: Entry) -> None:
        # Neither held nor settled: after the claim time the next one gets it, until it is one who can read
        # it.
        report(
            f"{self._sink}.version",
            "sink %r: an event of format %d waits for a newer worker; this one reads up to %d",
            self._sink,
            entry.version,
            FORMAT_VERSION,
        )

    def _letter(self, entry: Entry, error: Exception) -> DeadLetter:
        # There is no event id; the place stands for it, so that a second attempt makes no second letter.
        letter_id = f"{entry.partition}-{entry.position}:{self._sink}"
        return DeadLetter(
            self._sink, f"cannot be decoded: {error}", entry.body, "", letter_id, time.time_ns()
        )

    async def _give_up(self, letters: Sequence[tuple[DeadLetter, Entry]]) -> None:
        try:
            await in_thread(lambda: self._dead_letters.add([letter for letter, _ in letters]))
        except OSError as error:  # they stay in the broker, and come again
            report(f"{self._sink}.dead_letters", "dead letters cannot be written: %s", error)
            return
        dead = counted(len(letters), "event")
        report(f"{self._sink}.dead", "sink %r: %s put into the dead letters", self._sink, dead)
        self._done += [entry for _, entry in letters]
        self._settled.set()

    async def _settle(self) -> None:
        """Settle with the broker what is settled here."""
        while True:
            if not self._done:  # else a defect has ended this in the middle, and it goes on
                await self._settled.wait()
            self._settled.clear()
            done, size = list(self._done), self._done_size
            await self._patiently(partial(self._broker.settle, done))
            del self._done[: len(done)]
            self._done_size -= size
            self._size -= size
            keys = [entry[:2] for entry in done]
            for key in keys:
                self._held.pop(key, None)
            self._not_ours.difference_update(keys)
            self._changed.set()

    async def _hold(self) -> None:
        """Show the broker, again and again, that what is held here is in living hands."""
        while True:
            await asyncio.sleep(self._claim_after / _SIGNS)
            now = self._clock()
            if now - self._shown > self._claim_after:
                self._not_ours.update(self._held)
                report(
                    f"{self._sink}.silent",
                    "sink %r: this worker was silent for %.0f s, longer than claim_after; others may deliver "
                    "what it holds too",
                    self._sink,
                    now - self._shown,
                )
            mine = [entry for key, entry in self._held.items() if key not in self._not_ours]
            try:
                await self._open()
                await self._broker.hold(mine)
                self._shown = now
            except SinkError as error:
                self._report(error)

    async def _watch(self) -> None:
        """Read again and again what the broker holds."""
        while True:
            try:
                await self._open()
                self._note(await self._broker.states())
                self._read = self._clock()
            except SinkError as error:
                self._report(error)
            await asyncio.sleep(min(_WATCH, self._claim_after / _SIGNS))

    def _note(self, states: Sequence[PartitionState]) -> None:
        self.states = states
        missing = sum(state.missing for state in states)
        if missing > self._missing:
            report(
                f"{self._sink}.missing",
                "sink %r: %s removed from the broker; something else trims or deletes there",
                self._sink,
                counted(missing - self._missing, "undelivered event", "was", "were"),
            )
        self._missing = missing

    async def _patiently(
        self, work: Callable[[], Awaitable[_T]], until: Callable[[], bool] = lambda: False
    ) -> _T | None:
        """Do something with the broker, again until it succeeds (or ``until`` is true: then None)."""
        attempts = 0
        while True:
            try:
                await self._open()
                return await work()
            except SinkError as error:
                attempts += 1
                self._report(error)
                if until():
                    return None
                await asyncio.sleep(pause_before_retry(attempts, self._retry))

    async def _open(self) -> None:
        if not self._is_open:
            async with self._opening:
                if not self._is_open:
                    await self._broker.open()
                    self._is_open = True

    def _report(self, error: SinkError) -> None:
        report(f"{self._sink}.broker", "sink %r: the broker failed, trying again: %s", self._sink, error)

    # -- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """See :meth:`EventQueue.close`: nothing more is leased, and what was is delivered."""
        self._closed = True
        self._wake(self._note_close)

    def _note_close(self) -> None:
        self._changed.set()
        if not self._leasing.has_begun() or self._leasing.is_over():
            self._inner.close()

    async def end(self) -> None:
        """Settle what is settled, give back the rest, and let go of the broker; idempotent.

        Called when the workers are done, and by whoever cancelled them. It takes some seconds at most.
        """
        async with self._ending:
            if self._ended:
                return
            self._closed = True
            for task in (self._leasing, self._settling, self._holding, self._watching):
                task.cancel()
            try:
                async with asyncio.timeout(_LAST_SETTLING):
                    await self._broker.settle(self._done)
                    settled = {entry[:2] for entry in self._done}
                    left = [entry for key, entry in self._held.items() if key not in settled]
                    await self._broker.release(left)
            except (SinkError, TimeoutError) as error:
                report(f"{self._sink}.end", "sink %r: what it held comes again: %s", self._sink, error)
            self._done.clear()
            await self._broker.close()
            self._ended = True
            self._changed.set()

    def remove_unsaved(self) -> list[Event]:
        """See :meth:`EventQueue.remove_unsaved`: nothing, for the broker has all of it."""
        self._inner.remove_unsaved()
        return []

    async def settled_up_to(self, mark: int) -> None:
        """See :meth:`EventQueue.settled_up_to`."""
        await self._inner.settled_up_to(mark)
        while self._done and not self._ended:
            self._changed.clear()
            await self._changed.wait()

    def mark(self) -> int:
        """See :meth:`EventQueue.mark`."""
        return self._inner.mark()

    def statistics(self) -> QueueStatistics:
        """See :meth:`EventQueue.statistics`: of what is leased; what waits in the broker is in ``states``."""
        return replace(self._inner.statistics(), claimed=self._claimed)
