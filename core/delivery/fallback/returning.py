"""Returning: asks a sink that is down whether it is back, and brings back what went to its fallback.

The task beside the workers of a sink with a fallback. With ``return: true`` an event comes back in four
steps, each of which can be done again: it is read from the fallback by its id, written to the sink (which
knows it by its id, if it has it already), noted as returned, and deleted in the fallback; then the note of
it goes too. What the sink refuses stays in the fallback, and is reported. What is noted and not found there
is looked for again, for an hour if it is known to have been stored: a store may take its time to show what
was written, or to finish a write that was given up. Of several processes with one data directory, one at a
time brings back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from logweir.delivery.call_sink import call_sink
from logweir.delivery.fallback.circuit import CircuitState
from logweir.delivery.fallback.diverting import Diverting
from logweir.delivery.fallback.ledger import Note, Noted
from logweir.delivery.spool.ownership import FileLock
from logweir.delivery.worker import Clock
from logweir.diagnostics import report, say
from logweir.encoding.counted import counted
from logweir.errors import SinkRejected
from logweir.event import Event
from logweir.process.standstill import under_way
from logweir.process.threads import in_thread
from logweir.sinks.contract import Query
from logweir.sinks.results import HealthStatus, WriteResult

__all__ = ["Returning"]

#: Seconds between two looks whether there is anything to do.
_TICK = 0.25
#: Seconds between two looks at the notes while there are none, and between two searches for one event.
_LOOK = 5.0
#: For how long an event that is noted and not found is looked for, in seconds: one that was stored, and one
#: that may never have come there, because the process that sent it was killed.
_LOST_AFTER = 3600.0
_NEVER_CAME_AFTER = 60.0
T = TypeVar("T")


class Returning:
    """Brings a sink back into use.

    Args:
        diverting: The sink and its fallback.
        clock: Time.
    """

    def __init__(self, diverting: Diverting, clock: Clock) -> None:
        self._both = diverting
        self._name = diverting.context.name
        self._sleep = clock.sleep
        self._now = clock.monotonic
        self._look_at = float("-inf")
        self._returns = diverting.settings.return_
        self._lock: FileLock | None = None

    async def run(self) -> None:
        """Work until it is cancelled; whatever fails is tried again."""
        try:
            while True:
                await self._sleep(_TICK)
                try:
                    while await self.step():
                        await self._sleep(0)
                except Exception as error:  # noqa: BLE001 - a sink may raise anything; nothing is lost by it
                    self._look_at = self._now() + _LOOK
                    report(
                        f"{self._name}.returning",
                        "sink %r: what went to its fallback %r cannot be seen to, trying again: %s",
                        self._name,
                        self._both.settings.to,
                        error,
                    )
                self._both.note_state()
        finally:
            await in_thread(self._let_go)

    async def step(self) -> bool:
        """Do what there is to do now, at most one batch of it; whether there may be more."""
        circuit = self._both.circuit
        if circuit.asks():
            circuit.answered(await self._why_down())
            if circuit.state is not CircuitState.OPEN:
                self._look_at = float("-inf")
        if self._now() >= self._look_at:
            self._look_at = self._now() + _LOOK
            if self._returns:
                self._both.counters.in_fallback = await self._in_thread(self._both.ledger.count)
            if self._returns and circuit.state is not CircuitState.OPEN:
                return await self._return_some()
            if not self._returns:
                await self._in_thread(self._both.ledger.prune)
        return False

    async def _why_down(self) -> str | None:
        """Why the sink cannot serve; None if it says that it can."""
        try:
            await self._open_sink()
            health = await call_sink(
                self._both.sink.check, self._both.config.retry.timeout, self._both.call("check")
            )
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            return str(error) or type(error).__name__
        return health.detail or "it says that it is down" if health.status is HealthStatus.DOWN else None

    async def _open_sink(self) -> None:
        await call_sink(self._both.open_sink, self._both.config.retry.timeout, self._both.call("open"))

    async def _return_some(self) -> bool:
        counters, ledger = self._both.counters, self._both.ledger
        if (
            not counters.in_fallback
            or not await self._in_thread(self._has_turn)
            or not self._both.circuit.takes_sink()
        ):
            return False
        try:
            # This task begins beside the channel's own attempt to open the sink.
            await self._open_sink()
            limit = self._both.config.batch.max_events
            noted = await self._in_thread(lambda: ledger.oldest(limit, _LOOK))
            if noted:
                await self._return(noted)
                self._look_at = float("-inf")
        finally:
            self._both.circuit.trial_over()
            counters.in_fallback = await self._in_thread(ledger.count)
        return bool(noted)

    async def _return(self, noted: Sequence[Note]) -> None:
        ledger = self._both.ledger
        over = [note.id for note in noted if note.state is Noted.RETURNED]
        sought = {note.id: note for note in noted if note.state is not Noted.RETURNED}
        events = await self._call_other("search", lambda: self._read(frozenset(sought))) if sought else []
        passed, kept = await self._write(events) if events else ([], [])
        await self._in_thread(lambda: ledger.returned([sought[one] for one in passed]))
        over += passed
        if over:
            await self._call_other("delete", lambda: self._delete(over))
            await self._in_thread(lambda: ledger.deleted(over))
        found = {event.id for event in events}
        missing = [note for note in sought.values() if note.id not in found]
        lost = [note for note in missing if note.age > self._patience(note.state)]
        done = {*over, *kept, *(note.id for note in lost)}
        later = [one for one in sought if one not in done]
        await self._in_thread(lambda: ledger.give_up([*lost, *(sought[one] for one in kept)]))
        await self._in_thread(lambda: ledger.looked_for(later))
        self._both.counters.returned += len(passed)
        self._report([note.id for note in lost if note.state is Noted.STORED])

    def _patience(self, state: Noted) -> float:
        # A write that is under way must not come behind the last look for it.
        sending = max(_NEVER_CAME_AFTER, 3 * self._both.config.retry.timeout)
        return _LOST_AFTER if state is Noted.STORED else sending

    async def _read(self, ids: frozenset[str]) -> list[Event]:
        await self._both.open_other()
        query = Query(ids=ids, limit=None, on_unreadable=self._report_unreadable)
        return [event async for event in _itself(self._both.other).search(query)]

    async def _delete(self, ids: Sequence[str]) -> None:
        # Where all of them were noted as returned before a kill, nothing has read from it before.
        await self._both.open_other()
        await _itself(self._both.other).delete(ids)

    async def _write(self, events: Sequence[Event]) -> tuple[list[str], list[str]]:
        """Write to the sink: the ids that it has now, and those that it refuses for good."""
        try:
            # Without a call: write_to_sink names its own.
            answer = await call_sink(
                lambda: self._both.write_to_sink(events), self._both.config.retry.timeout
            )
        except SinkRejected as error:
            if len(events) > 1:
                middle = len(events) // 2
                first, second = await self._write(events[:middle]), await self._write(events[middle:])
                return [*first[0], *second[0]], [*first[1], *second[1]]
            answer = WriteResult(rejected={0: str(error)})
        for index, reason in answer.rejected.items():
            say(
                logging.WARNING,
                "sink %r refused event %s, which stays in its fallback %r: %s",
                self._name,
                events[index].id,
                self._both.settings.to,
                reason,
            )
        open_indexes = answer.retry | answer.rejected.keys()
        passed = [event.id for index, event in enumerate(events) if index not in open_indexes]
        return passed, [events[index].id for index in answer.rejected]

    def _report(self, lost: Sequence[str]) -> None:
        if lost:
            report(
                f"{self._name}.gone",
                "sink %r: %s gone from its fallback %r, and cannot return",
                self._name,
                counted(len(lost), "event", "is", "are"),
                self._both.settings.to,
            )

    def _report_unreadable(self, fault: str) -> None:
        report(
            f"{self._name}.unreadable",
            "sink %r: what somebody changed in its fallback %r cannot return, the rest does: %s",
            self._name,
            self._both.settings.to,
            fault,
        )

    async def _call_other(self, method: str, work: Callable[[], Awaitable[T]]) -> T:
        both = self._both
        return await call_sink(work, both.other.config.retry.timeout, both.call_other(method))

    @staticmethod
    async def _in_thread(work: Callable[[], T]) -> T:
        async with under_way():
            return await in_thread(work)

    def _has_turn(self) -> bool:
        if self._lock is None:
            self._lock = FileLock.take(_turn(self._both.ledger.path, self._name))
        return self._lock is not None

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _turn(ledger: Path, sink: str) -> Path:
    """What the process that brings back has the lock of; there is no such file but the lock."""
    return ledger.with_name(f"fallback-{quote(sink, safe='').replace('.', '%2E')}.turn")


def _itself(sink: Any) -> Any:
    """The sink that reads and deletes, behind what runs its writes in threads."""
    return getattr(sink, "itself", sink)
