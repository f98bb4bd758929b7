"""The contract of a queue: the one bounded buffer between the callers and a sink's workers.

Producers call :meth:`EventQueue.put` from any thread. Workers, on the runtime's own event loop,
:meth:`~EventQueue.take` batches as leases and settle each lease exactly once: an event stays with the
queue until its lease is settled, so a flush knows what is outstanding and a durable queue keeps it on
disk.

The implementations are in :mod:`logweir.delivery.queues`: in memory, on disk, in memory until that is full
and then on disk, and over a broker. Those that applications put events into pass the same contract tests.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from logweir.delivery.set_aside import PutOff
from logweir.event import Event

__all__ = [
    "DropReason",
    "EventQueue",
    "FlushWaiter",
    "Lease",
    "OnDurable",
    "PutResult",
    "QueueStatistics",
    "Wake",
]

#: Called once, from any thread: None when the event is durable, or why it never will be.
OnDurable = Callable[[OSError | None], None]
#: Runs a callback soon on the runtime's loop, starting the runtime's thread if need be; any thread.
Wake = Callable[[Callable[[], None]], None]


class DropReason(StrEnum):
    """Why an event was dropped; the closed list that metrics and diagnostics use."""

    QUEUE_FULL_NEWEST = "queue_full_newest"
    QUEUE_FULL_OLDEST = "queue_full_oldest"
    BLOCK_TIMEOUT = "block_timeout"
    FULL_ON_EVENT_LOOP = "full_on_event_loop"
    SHUTDOWN = "shutdown"
    UNROUTED = "unrouted"
    SAMPLED = "sampled"


class PutResult(StrEnum):
    """What became of a put."""

    ACCEPTED = "accepted"
    DROPPED = "dropped"
    CLOSED = "closed"


class FlushWaiter(NamedTuple):
    """A flush that waits until everything before a position is settled."""

    mark: int
    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """Events handed to one worker; settled once, by ``EventQueue.settle``.

    Attributes:
        events: The batch, in the order of their puts.
        number: The position of the first event in the queue's history.
        attempts: Of a batch that was set aside, how often each event was tried, by the event's ``id()``.
    """

    events: Sequence[Event]
    number: int
    attempts: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """The state of a queue at one moment.

    Attributes:
        depth: Events waiting, those set aside too.
        in_flight: Events leased and not yet settled.
        size: Approximate bytes waiting.
        accepted: Events accepted since the queue was made.
        dropped: Events dropped since the queue was made, by reason.
        oldest: Age in seconds of the oldest event waiting, or 0.
        set_aside: Events that the sink put off and that are not settled since.
        reason: Why the latest of them were put off.
        claimed: Events that were taken over from other workers.
    """

    depth: int
    in_flight: int
    size: int
    accepted: int
    dropped: dict[DropReason, int] = field(default_factory=dict)
    oldest: float = 0.0
    set_aside: int = 0
    reason: str = ""
    claimed: int = 0

    def plus(self, other: QueueStatistics) -> QueueStatistics:
        """Both queues of one sink together."""
        return QueueStatistics(
            depth=self.depth + other.depth,
            in_flight=self.in_flight + other.in_flight,
            size=self.size + other.size,
            accepted=self.accepted + other.accepted,
            dropped={
                reason: self.dropped.get(reason, 0) + other.dropped.get(reason, 0)
                for reason in {**self.dropped, **other.dropped}
            },
            oldest=max(self.oldest, other.oldest),
            set_aside=self.set_aside + other.set_aside,
            reason=self.reason or other.reason,
            claimed=self.claimed + other.claimed,
        )


class EventQueue(ABC):
    """One bounded queue in front of one sink.

    Attributes:
        durable: Whether every event that was accepted is on disk, or soon will be.
        on_forgotten: Called with each event that was accepted and is dropped to make room; any thread.
    """

    durable: bool = False
    on_forgotten: Callable[[Event], None] | None = None

    @property
    def handed_over(self) -> bool:
        """Whether another queue has taken over all that waits and all that is given back."""
        return False

    def has_leisure(self) -> bool:
        """Whether delivery has time for pauses: nobody waits for it, and there is room; any thread."""
        return False

    def is_interrupted(self) -> bool:
        """Whether the caller interrupted its own thread in the middle of this queue's work.

        A finaliser or a signal handler may: what it puts is accepted, and it must not wait for it.
        """
        return False

    def ensure_awake(self) -> None:  # noqa: B027 - most queues have nothing to do
        """Wake whom the call that this one interrupted was about to wake; before waiting for an event."""

    @abstractmethod
    def put(self, event: Event, on_durable: OnDurable | None = None) -> PutResult:
        """Offer an event, from any thread and from inside any call of this queue.

        Never blocks an event loop; a full queue does what its ``when_full`` says. ``CLOSED`` means the
        queue no longer takes events and the event is still the caller's.

        Args:
            event: The event.
            on_durable: Called if the event is accepted and goes to disk: with None when it is there, or
                with the error because of which it never will be (it is then forgotten). Without it, an
                event that cannot be written for now is kept and tried again.
        """

    @abstractmethod
    async def take(self, max_events: int, max_bytes: int, linger: float) -> Lease | None:
        """Wait for a batch and lease it.

        Returns when ``max_events`` or ``max_bytes`` are reached or the oldest event has waited
        ``linger`` seconds; at once while the queue is closing; ``None`` when it is closed and empty.
        What is set aside is leased by itself when it is due, in turn with the rest.
        """

    @abstractmethod
    def settle(self, lease: Lease, unsettled: Sequence[Event] = (), put_off: Sequence[PutOff] = ()) -> None:
        """End a lease: each of its events is stored, a dead letter, or counted as dropped.

        Args:
            lease: What :meth:`take` returned.
            unsettled: Those of its events, in their order, of which that is not true: they wait again, in
                front.
            put_off: Those that are set aside: they count in the bounds and wait until they are due, while
                others pass.
        """

    @abstractmethod
    def close(self) -> None:
        """Refuse further puts; what is inside can still be taken. Idempotent, from any thread."""

    @abstractmethod
    async def settled_up_to(self, mark: int) -> None:
        """Wait until everything put before ``mark`` is settled; batches do not linger meanwhile."""

    @abstractmethod
    def remove_unsaved(self) -> list[Event]:
        """Remove what would be lost with the process and return it: it is the caller's now."""

    def close_books(self) -> None:  # noqa: B027 - only where events outlive the queue is there anything to do
        """Count as accepted what still waits, and nothing before: a reload has that in its books."""

    @abstractmethod
    def mark(self) -> int:
        """The position after the newest event put so far."""

    @abstractmethod
    def statistics(self) -> QueueStatistics:
        """The state of the queue now, from any thread."""
