"""Moving from one store to another: everything is copied, and proven to be there.

Pages are read from the source in order of time and written to the target, which stores an event once
however often it comes. A checkpoint file remembers how far it is; begun again after whatever ended it,
the move goes on there. At the end every id of the source is asked for in the target; what arrived behind
the reader is copied then. The target may hold more than the source, never less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec

from logweir.event import Event, Kind
from logweir.process.threads import in_thread
from logweir.sinks.contract import Query
from logweir.stores.bounded_delivery import COPYING, deliver
from logweir.stores.reading import OpenSink, pages

__all__ = ["Checkpoint", "Migration", "Moved", "migrate"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Events in one question for ids.
_QUESTION = 500
#: Questions before an event counts as missing, and the seconds between them: some stores show what they
#: have taken only after a while.
_QUESTIONS = 6
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Migration:
    """What is to be moved.

    Attributes:
        source: The name of the sink it comes from.
        target: The name of the sink it goes to.
        start: Not before this time.
        end: Before this time: a source that is still written has an end nevertheless.
        kind: Only this kind.
        page: Events read at once.
    """

    source: str
    target: str
    end: datetime
    start: datetime | None = None
    kind: Kind | None = None
    page: int = 10_000

    @property
    def query(self) -> Query:
        """What the source is asked for."""
        return Query(start=self.start, end=self.end, kind=self.kind, limit=None)


@dataclass(slots=True)
class Moved:
    """How the move fared.

    Attributes:
        read: Events read from the source, by this run.
        copied: Of these, new in the target.
        present: Of these, in the target already.
        resumed: How many an earlier run had read.
        verified: Events of the source that were found in the target at the end.
        rejected: Ids that the target refuses, each with the reason.
        missing: Ids that the target took, and does not show.
    """

    read: int = 0
    copied: int = 0
    present: int = 0
    resumed: int = 0
    verified: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


class _Position(msgspec.Struct, frozen=True):
    """How far a move is: everything before this moment, of the years 1 to 9999, was written."""

    source: str
    target: str
    start: datetime | None
    kind: str | None
    time_us: Annotated[int, msgspec.Meta(ge=-62_135_596_800_000_000, lt=253_402_300_800_000_000)]
    read: int


class Checkpoint:
    """The file that remembers how far a move is.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> _Position | None:
        """How far it was, if it was begun."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Position)
        except (FileNotFoundError, ValueError):
            return None

    def save(self, position: _Position) -> None:
        """Note how far it is."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_bytes(msgspec.json.encode(position))
        temporary.replace(self.path)

    def forget(self) -> None:
        """The move is done."""
        self.path.unlink(missing_ok=True)


#: Called with what is being done, the share that is done (None: nobody knows), and the counts.
ReportProgress = Callable[[str, float | None, Moved], None]


async def migrate(
    source: OpenSink,
    target: OpenSink,
    migration: Migration,
    checkpoint: Checkpoint,
    *,
    report: ReportProgress = lambda _what, _share, _moved: None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Moved:
    """Copy what the source has into the target, and verify it.

    Where the checkpoint notes a move of the same events that was begun before, it goes on from there, to the
    end that is asked for now.

    Raises:
        SinkError: A sink cannot be read or written for a while.
    """
    work = _Move(source, target, migration, checkpoint, report, sleep)
    await work.copy()
    await work.verify()
    if not work.moved.missing:
        await in_thread(checkpoint.forget)
    return work.moved


class _Move:
    """One run of a move."""

    def __init__(
        self,
        source: OpenSink,
        target: OpenSink,
        migration: Migration,
        checkpoint: Checkpoint,
        report: ReportProgress,
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._source: Any = source.itself
        self._target = target
        self._migration = migration
        self._checkpoint = checkpoint
        self._report = report
        self._sleep = sleep
        self._first_us: int | None = None
        self.moved = Moved()

    async def copy(self) -> None:
        """Write page after page, and note each."""
        query = await self._resumed(self._migration.query)
        if query.start is not None and query.start >= self._migration.end:
            return  # some servers refuse a question that ends before it begins
        async for page in pages(self._source, query, self._migration.page):
            self._report_progress("copying", page[0])
            await self._write(page)
            self.moved.read += len(page)
            await in_thread(partial(self._checkpoint.save, self._position(page[-1])))

    async def _resumed(self, query: Query) -> Query:
        """Where to go on."""
        begun, migration = await in_thread(self._checkpoint.load), self._migration
        same = begun is not None and (begun.source, begun.target, begun.start, begun.kind) == (
            migration.source,
            migration.target,
            migration.start,
            migration.kind,
        )
        if begun is None or not same:
            return query
        self.moved.resumed = begun.read
        return replace(query, start=_EPOCH + timedelta(microseconds=begun.time_us))

    async def _write(self, events: list[Event]) -> None:
        delivered = await deliver(self._target, events, COPYING)
        self.moved.copied += delivered.stored
        self.moved.present += delivered.duplicate
        self.moved.rejected.update(delivered.rejected)

    def _position(self, last: Event) -> _Position:
        migration, moved = self._migration, self.moved
        return _Position(
            migration.source,
            migration.target,
            migration.start,
            migration.kind,
            last.time // 1000,
            moved.resumed + moved.read,
        )

    async def verify(self) -> None:
        """Ask the target for every id of the source; copy what is missing, and ask again."""
        async for page in pages(self._source, self._migration.query, self._migration.page):
            self._report_progress("verifying", page[0])
            size = len(page) if self._target.itself.scans else _QUESTION
            for start in range(0, len(page), size):
                await self._verify(page[start : start + size])

    async def _verify(self, events: list[Event]) -> None:
        wanted = {event.id: event for event in events if event.id not in self.moved.rejected}
        asked = len(wanted)
        # Who keeps an event twice that comes twice is first given time to show what it has.
        copying = 0 if self._target.itself.idempotent else _QUESTIONS // 2
        for question in range(_QUESTIONS):
            if question:
                await self._sleep(_PAUSE)
            for event_id in await self._present(wanted):
                wanted.pop(event_id, None)
            if question == copying and wanted:
                await self._write(list(wanted.values()))
                wanted = {key: event for key, event in wanted.items() if key not in self.moved.rejected}
            if not wanted:
                break
        self.moved.verified += asked - len(wanted)
        self.moved.missing += wanted

    async def _present(self, events: dict[str, Event]) -> list[str]:
        query = Query(ids=frozenset(events), limit=None)
        return [event.id async for event in self._target.itself.search(query)]

    def _report_progress(self, what: str, event: Event) -> None:
        """The share is that of the time between the first event and the end."""
        at = event.time // 1000
        first = self._first_us = at if self._first_us is None else min(self._first_us, at)
        end = int(self._migration.end.timestamp() * 1e6)
        self._report(what, (at - first) / (end - first) if end > first else None, self.moved)
