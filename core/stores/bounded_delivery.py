"""Bounded delivery: events into an open sink, by commands that cannot wait for ever.

Restoring an archive, moving to another store and replaying dead letters all deliver here. The work is done
by the runtime's own worker, so its retries, its splitting of refused batches and its reading of verdicts
hold for commands too. The worker retries without end, and a command has a :class:`Patience` that ends it.
Each call has a queue of its own, and in the place of receipts and dead letters a :class:`Delivered` that
notes what became of each event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from logweir.delivery.call_sink import call_sink
from logweir.delivery.counters import DeliveryCounters, SinkState
from logweir.delivery.dead_letters import DeadLetter
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.retry import pause_before_retry
from logweir.delivery.worker import Clock, Worker
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event
from logweir.settings.delivery import QueueConfig
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult
from logweir.stores.reading import OpenSink

__all__ = ["COPYING", "Delivered", "Patience", "deliver", "open_within"]

#: How long a worker that was cancelled may take to end.
_ENDING = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """When a command gives up on a sink.

    Attributes:
        failures: Writes in a row that may fail; None for any number.
        silence: Seconds in which not one event may be settled; None for any time.
        unexpected: Whether an exception that no sink should raise is taken for a passing fault, as the
            worker does; otherwise it ends the delivery at once.
    """

    failures: int | None = None
    silence: float | None = None
    unexpected: bool = False


#: For copying what is safe in another store: somebody looks on, and begins again when the cause is fixed.
COPYING = Patience(failures=6)


@dataclass(slots=True)
class Delivered:
    """How events fared.

    Attributes:
        stored: How many are new in the sink.
        duplicate: How many it had already.
        present: The ids that it has now, new or not.
        rejected: The ids that it refuses, each with the reason.
        healthy: Whether the sink answered last, however it was.
    """

    stored: int = 0
    duplicate: int = 0
    present: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    healthy: bool = True

    @property
    def settled(self) -> int:
        """How many events have an answer."""
        return len(self.present) + len(self.rejected)


async def deliver(
    sink: OpenSink,
    events: Sequence[Event],
    patience: Patience,
    *,
    into: Delivered | None = None,
    clock: Clock | None = None,
) -> Delivered:
    """Write events until each is stored or refused, or until the patience is over.

    Args:
        sink: Where to.
        events: What to write.
        patience: When to give up.
        into: Where it is noted what became of the events; complete also when this raises or is cancelled.
        clock: Time for back-off; injected by tests.

    Raises:
        SinkUnavailable: The patience is over; what was stored until then is stored.
        Exception: What the sink raised and no sink should, unless the patience takes it for a passing fault.
    """
    delivered = Delivered() if into is None else into
    if not events:
        return delivered
    counters = DeliveryCounters()
    watched = _Watched(sink.writer, patience)
    worker = _worker(sink.name, watched, events, delivered, counters, clock or Clock())
    work = asyncio.ensure_future(worker.run())
    silent = False
    try:
        while not work.done() and not silent:
            before = delivered.settled
            await asyncio.wait((work,), timeout=patience.silence)
            silent = delivered.settled == before
    finally:
        # Also when we are cancelled: an answer that is already there is noted before the worker ends.
        work.cancel()
        await asyncio.wait((work,), timeout=_ENDING)
        delivered.stored += counters.stored
        delivered.duplicate += counters.duplicate
        delivered.healthy = counters.state is SinkState.HEALTHY
    if watched.reason is not None:
        raise watched.reason
    if work.done() and not work.cancelled():
        work.result()
    else:
        raise SinkUnavailable(counters.last_error or f"no answer within {patience.silence:g} s")
    return delivered


async def open_within(sink: Sink[SinkConfig], seconds: float, clock: Clock) -> None:
    """Open a sink, with retries.

    Raises:
        SinkUnavailable: It could not be opened in time.
    """
    attempts = 0
    error: Exception = SinkUnavailable("it did not open")
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await call_sink(sink.open, sink.config.retry.timeout)
                except Exception as problem:  # noqa: BLE001 - a sink may raise anything; it is tried again
                    error = problem
                    attempts += 1
                    await clock.sleep(pause_before_retry(attempts, sink.config.retry))
                else:
                    return
    raise SinkUnavailable(f"cannot be opened: {str(error) or type(error).__name__}")


class _Watched:
    """The sink as the worker sees it: the write that exhausts the patience also ends the worker."""

    def __init__(self, sink: Sink[SinkConfig], patience: Patience) -> None:
        self._sink = sink
        self.itself = getattr(sink, "itself", sink)
        self._patience = patience
        self._failures = 0
        self.config = sink.config
        #: Why the patience is over, if it is.
        self.reason: Exception | None = None

    async def write(self, batch: Sequence[Event]) -> object:
        seconds = self._sink.config.retry.timeout
        try:
            # Whatever a custom sink may answer: the worker is the one who judges it.
            result: object = await call_sink(lambda: self._sink.write(batch), seconds)
        except SinkRejected:
            raise  # no failure of the sink: the worker splits the batch and goes on
        except SinkUnavailable as error:
            self._failed(str(error))
            raise
        except TimeoutError:
            reason = f"no answer within {seconds:g} s"
            self._failed(reason)
            raise SinkUnavailable(reason) from None
        except Exception as error:
            if not self._patience.unexpected:
                self._give_up(error)
            raise
        if isinstance(result, WriteResult) and len(result.retry) == len(batch):
            self._failed(result.retry_reason or "the sink asks again and again to be tried later")
        else:
            self._failures = 0
        return result

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if self._failures == self._patience.failures:
            self._give_up(SinkUnavailable(reason))

    def _give_up(self, reason: Exception) -> None:
        """End the worker, whose task this is: the pause before its next write is cancelled."""
        self.reason = reason
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        task.cancel()


class _Ledger(OpenReceipts):
    """Notes what becomes of each event; takes the place of the worker's receipts and of its dead letters."""

    def __init__(self, delivered: Delivered) -> None:
        super().__init__()
        self._delivered = delivered

    def settled(self, sink: str, event: Event, failure: str | None = None) -> None:
        """See :meth:`OpenReceipts.settled`; refusals are noted with their reason by :meth:`add`."""
        if failure is None:
            self._delivered.present.append(event.id)

    def add(self, refused: Sequence[DeadLetter]) -> None:
        """Take what the worker would put into the dead letters."""
        for letter in refused:
            self._delivered.rejected[letter.id.removesuffix(f":{letter.sink}")] = letter.reason

    def __bool__(self) -> bool:
        return True


def _worker(
    name: str,
    sink: _Watched,
    events: Sequence[Event],
    delivered: Delivered,
    counters: DeliveryCounters,
    clock: Clock,
) -> Worker:
    """A worker with a queue that holds the events and no more, and whose patience is ours."""
    # The worker's own deadline and limit of attempts give way, so that only the watched sink decides.
    retry = sink.config.retry
    settings = sink.config.model_copy(
        update={"retry": retry.model_copy(update={"max_attempts": None, "timeout": 2 * retry.timeout})}
    )
    loop = asyncio.get_running_loop()

    def wake(callback: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(callback)

    queue = MemoryQueue(QueueConfig(max_events=len(events), max_bytes=2**62), "drop_newest", wake)
    for event in events:
        queue.put(event)
    queue.close()
    ledger = _Ledger(delivered)
    watched: Any = sink
    letters: Any = ledger
    return Worker(name, watched, settings, queue, letters, counters, ledger, clock)
