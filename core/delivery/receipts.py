"""Receipts: what an audit caller may rely on, and when.

The caller of an audit event holds a receipt, which is acknowledged at one of three levels.

``accepted`` means that every sink's queue has the event; ``durable`` that nothing but the loss of the
disk takes it away: each sink's queue has it on disk or, where the queue is in memory, the sink has stored
it; ``stored`` that every sink has it. A receipt can be awaited on any event loop or waited for in any
thread; both have a deadline.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from logweir.delivery.commit_future import commit_future
from logweir.delivery.queue import OnDurable
from logweir.delivery.spool.leading import lead, pay
from logweir.errors import AuditError
from logweir.event import Event
from logweir.redaction.reasons import masked

__all__ = ["Ack", "AckLevel", "OpenReceipts", "Receipt"]

AckLevel = Literal["accepted", "durable", "stored"]


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to an audit call.

    Attributes:
        event_id: The id under which every sink stores the event.
        level: What was waited for.
        sinks: The sinks it was routed to.
    """

    event_id: str
    level: AckLevel
    sinks: tuple[str, ...]


@dataclass(slots=True)
class _Level:
    """How far one event is from one level."""

    waiting_for: set[str]
    failures: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return bool(self.waiting_for) and not self.failures

    def settle(self, sink: str, failure: str | None = None) -> None:
        if sink in self.waiting_for:
            # In this order: between the two the level must not look reached.
            if failure:
                self.failures.append(failure)
            self.waiting_for.discard(sink)


class Receipt:
    """What the caller of an audit event holds until it is acknowledged.

    Args:
        event: The event.
        sinks: Where it is routed to.

    Attributes:
        interrupts: Whether its call interrupted the delivery itself, in the same thread: to wait for it would
            be to wait for oneself.
    """

    def __init__(self, event: Event, sinks: tuple[str, ...]) -> None:
        self.event = event
        self.sinks = sinks
        self.interrupts = False
        # No lock: a signal handler that audits, and waits, in the middle of one would wait for whoever waits
        # for the lock. Each change is one step, and whoever changes anything looks who is to be called.
        self._levels: dict[AckLevel, _Level] = {
            "accepted": _Level(set()),
            "durable": _Level(set(sinks)),
            "stored": _Level(set(sinks)),
        }
        self._cause: OSError | None = None
        self._waiting: list[tuple[AckLevel, OnDurable]] = []

    # -- what the queues and the sinks report: any thread --------------------------------------------

    def refused(self, reason: str) -> None:
        """Note that the event will not get to all its sinks."""
        for level in self._levels.values():
            level.failures.append(reason)
        self._call_due()

    def durable(self, sink: str) -> None:
        """Note that the event is on disk for a sink."""
        self._levels["durable"].settle(sink)
        self._call_due()

    def settled(self, sink: str, failure: str | None) -> None:
        """Note that a sink is done with the event; ``failure`` says why it is not stored.

        The caller's error shows it, and so it is masked: it has the words of a server.
        """
        reason = f"sink {sink!r}: {masked(failure)}" if failure else None
        self._levels["durable"].settle(sink, reason)
        self._levels["stored"].settle(sink, reason)
        self._call_due()

    def dead_letter(self, sink: str, reason: str) -> None:
        """Note that the event is kept as a dead letter, and the sink will not store it by itself."""
        self.settled(sink, f"dead letter: {reason}")

    def unreported(self, sink: str) -> None:
        """Note that nobody will say whether a sink has stored the event: another process delivers it."""
        self._levels["stored"].settle(
            sink, f"sink {sink!r}: another process delivers to it and does not report back; wait for durable"
        )
        self._call_due()

    def on_durable(self, sink: str) -> OnDurable:
        """What a sink's queue is given, to report what became of the event on its way to the disk."""
        return partial(self._committed, sink)

    def _committed(self, sink: str, error: OSError | None) -> None:
        if error is None:
            self.durable(sink)
        else:
            self._cause = self._cause or error
            self.settled(sink, str(error))

    def _call_due(self) -> None:
        """Call, once, those whose level is reached or out of reach."""
        for item in list(self._waiting):
            if not self._levels[item[0]].is_open:
                try:
                    self._waiting.remove(item)
                except ValueError:  # another thread is faster, and calls
                    continue
                item[1](None)

    @property
    def complete(self) -> bool:
        """Whether every sink has answered."""
        return not self._levels["stored"].waiting_for

    # -- what the caller asks ------------------------------------------------------------------------

    async def acknowledged(self, level: AckLevel, timeout: float) -> Ack:
        """Wait on any event loop until the event is acknowledged.

        Raises:
            AuditError: It was refused, or not acknowledged within ``timeout`` seconds.
        """
        if self._levels[level].is_open:
            pay()
            future, callback = commit_future(timeout)
            self._when(level, callback)
            try:
                await future
            except TimeoutError:
                raise self._too_late(level, timeout) from None
        return self._answer(level)

    def acknowledged_sync(self, level: AckLevel, timeout: float) -> Ack:
        """Wait in this thread until the event is acknowledged.

        Raises:
            AuditError: It was refused, or not acknowledged within ``timeout`` seconds; or the wait would be
                for this very thread.
        """
        if self._levels[level].is_open:
            if self.interrupts:
                raise AuditError(
                    f"{self._what} is in the queue, but that it is {level} cannot be waited for where it was "
                    "made: in a finaliser or a signal handler that interrupted the delivery; use "
                    "acknowledge='accepted' there"
                )
            deadline = time.monotonic() + timeout
            lead(timeout)
            if self._levels[level].is_open:
                self._wait(level, deadline - time.monotonic(), timeout)
        return self._answer(level)

    def _wait(self, level: AckLevel, left: float, timeout: float) -> None:
        done = threading.Event()
        self._when(level, lambda _error: done.set())
        if not done.wait(left):
            raise self._too_late(level, timeout)

    def _when(self, level: AckLevel, callback: OnDurable) -> None:
        """Call back when the level is reached or out of reach, which may be now."""
        self._waiting.append((level, callback))
        self._call_due()

    @property
    def _what(self) -> str:
        return f"audit event {self.event.id} ({self.event.name})"

    def _answer(self, level: AckLevel) -> Ack:
        failures = self._levels[level].failures
        if failures:
            raise AuditError(f"{self._what} was not {level}: {'; '.join(failures)}") from self._cause
        return Ack(self.event.id, level, self.sinks)

    def _too_late(self, level: AckLevel, timeout: float) -> AuditError:
        waiting = ", ".join(sorted(self._levels[level].waiting_for))
        return AuditError(
            f"{self._what} was not {level} within {timeout:g} s by {waiting}; "
            "it stays in the queue and will be delivered when that is possible"
        )


class OpenReceipts:
    """The receipts that wait for sinks, by event id; empty unless somebody waits for a sink."""

    def __init__(self) -> None:
        self._receipts: dict[str, Receipt] = {}

    def watch(self, receipt: Receipt) -> None:
        """Let this receipt know what becomes of its event; called before the event is put."""
        self._receipts[receipt.event.id] = receipt

    def settled(self, sink: str, event: Event, failure: str | None = None) -> None:
        """Pass on that ``sink`` is done with ``event``."""
        self._pass_on(event, lambda receipt: receipt.settled(sink, failure))

    def dead_letter(self, sink: str, event: Event, reason: str) -> None:
        """Pass on that ``event`` is a dead letter of ``sink``."""
        self._pass_on(event, lambda receipt: receipt.dead_letter(sink, reason))

    def unreported(self, sink: str, event: Event) -> None:
        """Pass on that nobody will say whether ``sink`` has stored ``event``."""
        self._pass_on(event, lambda receipt: receipt.unreported(sink))

    def durable(self, sink: str, event: Event) -> None:
        """Pass on that ``event`` is on disk for ``sink``."""
        self._pass_on(event, lambda receipt: receipt.durable(sink))

    def _pass_on(self, event: Event, news: Callable[[Receipt], None]) -> None:
        receipt = self._receipts.get(event.id)
        if receipt is not None:
            news(receipt)
            if receipt.complete:
                self._receipts.pop(event.id, None)

    def end(self) -> None:
        """Let all who still wait know that the runtime has stopped."""
        while self._receipts:
            _, receipt = self._receipts.popitem()
            # Not a refusal: what was accepted, or is on disk by now, stays so for callers who look later.
            for sink in receipt.sinks:
                receipt.settled(
                    sink, "the runtime stopped first; what its queues keep on disk is delivered later"
                )

    def __bool__(self) -> bool:
        """Whether anybody waits at all."""
        return bool(self._receipts)
