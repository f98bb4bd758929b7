"""A sink whose destination is a template: one sink of the same class for each destination, within the bound.

It stands between the workers and those sinks only where an option is a template; other sinks are not touched.
Each destination is opened when its first event comes. One that fails or hangs lets the others pass: its
events alone are sent again. The overflow destination is opened at first, so that a store that is away, or
options that are wrong, show when the sink opens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.errors import SinkRejected, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query, Sink, SinkConfig, SyncSink
from logweir.sinks.results import Health, WriteResult
from logweir.sinks.shared.batch_verdicts import BatchVerdicts
from logweir.sinks.shared.destinations import DestinationCounts, Destinations, Template, TemplatedConfig

__all__ = ["TemplatedSink"]

#: Destinations that are written to at once.
_AT_ONCE = 8
#: The share of the time that a write may take after which the events of silent destinations are sent again.
_SHARE = 0.8
#: What a sink may be able to do, and can do for all its destinations as well.
_ABILITIES = ("search", "delete", "prune")

_moment = attrgetter("time", "id")

AnySink = Sink[Any] | SyncSink[Any]


@dataclass(slots=True)
class _Open:
    """A destination that is open or to be opened.

    Attributes:
        writer: The sink as workers see it.
        itself: The sink with its abilities.
        lock: Held while it is opened.
        opened: Whether it is.
    """

    writer: Sink[Any]
    itself: Any
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    opened: bool = False

    async def open(self) -> None:
        if not self.opened:
            async with self.lock:
                await self.writer.open()
                self.opened = True


class TemplatedSink(Sink[SinkConfig]):
    """Writes each event to the destination that its values name.

    Args:
        sink: The sink whose options have the template; it is never opened.
        template: The template.
        as_writer: Makes an asynchronous sink of one for a destination.
    """

    def __init__(
        self, sink: AnySink, template: Template, as_writer: Callable[[AnySink], Sink[SinkConfig]]
    ) -> None:
        super().__init__(sink.config, sink.context)
        setattr(self, "idempotent", sink.idempotent)  # noqa: B010 - a class variable, and this one class stands for all
        self._class = type(sink)
        self._options: TemplatedConfig = sink.config
        self._as_writer = as_writer
        self._template = template
        self.destinations = Destinations(
            template,
            self._options.max_destinations,
            template.filled(self._options.overflow),
            lambda text: self._options.at_destination(text) is not None,
        )
        self.counts = DestinationCounts()
        self._open: dict[str, _Open] = {}
        for ability in _ABILITIES:
            if hasattr(sink, ability):
                setattr(self, ability, getattr(self, f"_{ability}"))

    # -- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the overflow destination; to read alone, another will do, for that one may not be there.

        Raises:
            SinkUnavailable: It cannot be reached.
            SinkRejected: We are refused.
        """
        overflow = self._destination(self.destinations.overflow)
        try:
            await overflow.open()
        except SinkUnavailable as error:
            if not self.context.read_only:
                raise
            try:
                known = await overflow.itself.known_destinations(self._options, self._template)
            except SinkUnavailable:
                raise error from None
            if not known:
                raise

    async def close(self) -> None:
        """Close every destination."""
        open_now, self._open = self._open, {}
        for one in reversed([*open_now.values()]):  # the overflow last, whose connections others may share
            await one.writer.close()

    async def check(self) -> Health:
        """Ask the overflow destination, and say how many others there are."""
        health = await self._destination(self.destinations.overflow).writer.check()
        destinations = self.destinations
        uses = f"{len(destinations)} of at most {self._options.max_destinations} destinations in use"
        if destinations.strays:
            uses += f", {counted(destinations.strays, 'event')} went to {destinations.overflow!r}"
        return replace(health, detail=f"{health.detail}; {uses}" if health.detail else uses)

    def _destination(self, text: str) -> _Open:
        found = self._open.get(text)
        if found is None:
            found = self._open[text] = self._made(text)
        return found

    def _made(self, text: str) -> _Open:
        options = self._options.at_destination(text)
        if options is None:
            raise SinkRejected(f"{text!r} cannot be a destination")
        overflow = self._open.get(self.destinations.overflow)
        beside = getattr(overflow.itself, "beside", None) if overflow else None
        if beside is not None:
            with suppress(SinkUnavailable):  # what is shared needs an open sink, with most
                itself = beside(options)
                return _Open(self._as_writer(itself), itself)
        itself = cast(Any, self._class)(options, self.context)
        return _Open(self._as_writer(itself), itself)

    # -- writing ------------------------------------------------------------------------------------

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store each event at its destination; see :meth:`Sink.write`."""
        if not batch:
            return WriteResult.all_stored()
        groups: dict[str, list[int]] = {}
        strays = []
        for index, event in enumerate(batch):
            before = self.destinations.strays
            groups.setdefault(self.destinations.of(event), []).append(index)
            if self.destinations.strays > before:
                strays.append(index)
        self._report_overflow()
        if len(groups) == 1:
            (text,) = groups
            result = await (await self._opened(text)).write(batch)
        else:
            result = await self._write_groups(batch, groups)
        self.counts.used = len(self.destinations)
        self.counts.overflowed += sum(
            index not in result.retry and index not in result.rejected for index in strays
        )
        return result

    async def _opened(self, text: str) -> Sink[Any]:
        """A destination that is open.

        Raises:
            SinkUnavailable: It cannot be opened: that is never the fault of an event.
        """
        destination = self._destination(text)
        try:
            await destination.open()
        except SinkRejected as error:
            raise SinkUnavailable(str(error)) from None
        return destination.writer

    async def _write_groups(self, batch: Sequence[Event], groups: Mapping[str, list[int]]) -> WriteResult:
        verdicts = _Verdicts()
        turns = asyncio.Semaphore(_AT_ONCE)

        async def write_group(text: str, indexes: Sequence[int]) -> None:
            async with turns:
                await self._write_group(text, batch, indexes, verdicts)

        tasks = {asyncio.create_task(write_group(text, indexes)): text for text, indexes in groups.items()}
        try:
            _, silent = await asyncio.wait(tasks, timeout=self.config.retry.timeout * _SHARE)
        finally:
            for task in tasks:
                task.cancel()  # does nothing to one that is done
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for task in silent:
            verdicts.put_off(groups[tasks[task]], SinkUnavailable(f"no answer from {tasks[task]!r}"))
        for task, answer in zip(tasks, answers, strict=True):
            if task not in silent and isinstance(answer, BaseException):
                raise answer
        if verdicts.failure is not None and not verdicts.answered:
            raise verdicts.failure
        return verdicts.result()

    async def _write_group(
        self, text: str, batch: Sequence[Event], indexes: Sequence[int], verdicts: _Verdicts
    ) -> None:
        try:
            writer = await self._opened(text)
            waiting = [list(indexes)]  # a stack: halves go on top of it
            while waiting:
                part = waiting.pop()
                try:
                    verdicts.settle(part, await writer.write([batch[index] for index in part]))
                except SinkRejected as error:
                    if len(part) == 1:
                        verdicts.settle(part, WriteResult(rejected={0: str(error)}))
                    else:
                        middle = len(part) // 2
                        waiting += [part[middle:], part[:middle]]
                except SinkUnavailable as error:
                    for rest in (part, *waiting):
                        verdicts.put_off(rest, error)
                    return
        except SinkUnavailable as error:
            verdicts.put_off(indexes, error)

    def _report_overflow(self) -> None:
        for count, why in (
            (self.destinations.unnamed, "without a value, or with one that cannot be a name"),
            (self.destinations.beyond, f"of more than {self._options.max_destinations} destinations"),
        ):
            if count:
                report(
                    f"{self.context.name}.overflow.{why}",
                    f"sink %r: %s {why} went to %r",
                    self.context.name,
                    counted(count, "event"),
                    self.destinations.overflow,
                )

    # -- what the destinations can do ---------------------------------------------------------------

    async def _search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events of all destinations that match, each once, in order of time."""
        found: dict[str, Event] = {}
        for text in await self._there():
            async with self._for_now(text) as itself:
                async for event in itself.search(query):
                    found.setdefault(event.id, event)
            if query.limit is not None and len(found) > query.limit:
                found = {event.id: event for event in _first(found.values(), query)}
        for event in _first(found.values(), query):
            yield event

    async def _delete(self, ids: Sequence[str]) -> int:
        """Delete these events, wherever they are."""
        deleted = 0
        for text in await self._there():
            async with self._for_now(text) as itself:
                deleted += await itself.delete(ids)
        return deleted

    async def _prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete old events of all destinations, at most so many."""
        deleted = 0
        for text in await self._there():
            if deleted < limit:
                async with self._for_now(text) as itself:
                    deleted += await itself.prune(before, kind=kind, limit=limit - deleted)
        return deleted

    async def _there(self) -> list[str]:
        """The destinations that the store has, or that this process has opened."""
        overflow = self._destination(self.destinations.overflow)
        there = {*await overflow.itself.known_destinations(self._options, self._template)}
        if not self.context.read_only:  # a reader opens the overflow to ask, be there anything or not
            there.update(text for text, one in self._open.items() if one.opened)
        return sorted(there, key=lambda text: (text == self.destinations.overflow, text))

    @asynccontextmanager
    async def _for_now(self, text: str) -> AsyncIterator[Any]:
        held = self._open.get(text)
        one = held or self._made(text)
        await one.open()
        try:
            yield one.itself
        finally:
            if held is None:
                await one.writer.close()


@dataclass(slots=True)
class _Verdicts(BatchVerdicts):
    """Verdicts on a batch out of those on its parts, and the first failure: it is raised if all failed."""

    failure: SinkUnavailable | None = None

    def settle(self, indexes: Sequence[int], result: WriteResult) -> None:
        """Take over the answer to a part."""
        self.answered = True
        self.add(result, indexes)
        self._wait(result.retry_after)

    def put_off(self, indexes: Sequence[int], error: SinkUnavailable) -> None:
        """Note that a part is to be sent again."""
        self.failure = self.failure or error
        self.retry.update(indexes)
        self.retry_reason = self.retry_reason or str(error)
        self._wait(error.retry_after)

    def _wait(self, seconds: float | None) -> None:
        if seconds is not None:
            self.retry_after = max(seconds, self.retry_after or 0)


def _first(events: Any, query: Query) -> Iterator[Event]:
    ordered = sorted(events, key=_moment, reverse=query.newest_first)
    return iter(ordered[: query.limit])
