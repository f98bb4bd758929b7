"""Acknowledgements: what an audit caller may rely on, and when.

``accepted`` means that every sink's queue has the event; ``stored`` that every sink has it. A receipt
can be awaited on any event loop or waited for in any thread; both have a deadline.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

from logweir.errors import AuditError
from logweir.event import Event

__all__ = ["Ack", "AckLevel", "AckTracker", "Receipt"]

AckLevel = Literal["accepted", "stored"]


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


class Receipt:
    """What the caller of an audit event holds until it is acknowledged."""

    def __init__(self, event: Event, sinks: tuple[str, ...]) -> None:
        self.event = event
        self.sinks = sinks
        self._waiting_for = set(sinks)
        self._lock = threading.Lock()
        self._refusals: list[str] = []
        self._accepted = True
        self._stored: Future[None] = Future()

    def refused(self, reason: str) -> None:
        """Note that a queue did not accept the event."""
        self._accepted = False
        self._refusals.append(reason)

    def settled(self, sink: str, failure: str | None) -> None:
        """Note that a sink is done with the event; ``failure`` says why it is not stored."""
        with self._lock:
            if sink not in self._waiting_for:
                return
            self._waiting_for.remove(sink)
            if failure:
                self._refusals.append(f"sink {sink!r}: {failure}")
            finished = not self._waiting_for
        if finished:
            self._stored.set_result(None)

    @property
    def complete(self) -> bool:
        """Whether every sink has answered."""
        return not self._waiting_for

    async def acknowledged(self, level: AckLevel, timeout: float) -> Ack:
        """Wait on any event loop until the event is acknowledged.

        Raises:
            AuditError: It was refused, or not acknowledged within ``timeout`` seconds.
        """
        if level == "stored" and self._accepted:
            try:
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._stored)), timeout)
            except TimeoutError:
                raise self._too_late(timeout) from None
        return self._answer(level)

    def acknowledged_sync(self, level: AckLevel, timeout: float) -> Ack:
        """Wait in this thread until the event is acknowledged.

        Raises:
            AuditError: It was refused, or not acknowledged within ``timeout`` seconds.
        """
        if level == "stored" and self._accepted:
            try:
                self._stored.result(timeout)
            except TimeoutError:
                raise self._too_late(timeout) from None
        return self._answer(level)

    @property
    def _what(self) -> str:
        return f"audit event {self.event.id} ({self.event.name})"

    def _answer(self, level: AckLevel) -> Ack:
        if self._refusals:
            raise AuditError(f"{self._what} was not {level}: {'; '.join(self._refusals)}")
        return Ack(self.event.id, level, self.sinks)

    def _too_late(self, timeout: float) -> AuditError:
        waiting = ", ".join(sorted(self._waiting_for))
        return AuditError(
            f"{self._what} was not stored within {timeout:g} s by {waiting}; "
            "it stays in the queue and will be delivered when the sink is back"
        )


class AckTracker:
    """The receipts that wait for sinks, by event id; empty unless somebody waits for ``stored``."""

    def __init__(self) -> None:
        self._receipts: dict[str, Receipt] = {}

    def watch(self, receipt: Receipt) -> None:
        """Tell this receipt what becomes of its event; called before the event is put."""
        self._receipts[receipt.event.id] = receipt

    def forget(self, receipt: Receipt) -> None:
        """Stop watching."""
        self._receipts.pop(receipt.event.id, None)

    def settled(self, sink: str, event: Event, failure: str | None = None) -> None:
        """Pass on that ``sink`` is done with ``event``."""
        receipt = self._receipts.get(event.id)
        if receipt is not None:
            receipt.settled(sink, failure)
            if receipt.complete:
                self.forget(receipt)

    def __bool__(self) -> bool:
        """Whether anybody waits at all."""
        return bool(self._receipts)
