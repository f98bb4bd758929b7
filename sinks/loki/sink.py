"""The Loki sink: batches by the push API, each event once, whatever Loki refuses of them.

A resend is encoded as it was before, and Loki absorbs what it has: an event is read back once. What Loki
refuses of a batch is resolved event by event (see :mod:`logweir.sinks.loki.writing`).

Loki deletes by retention, hours later and without a count, so the sink has no ``prune``: the configuration
that ``provision_script`` prints has the retention.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter

from logweir.diagnostics import report
from logweir.errors import SinkError
from logweir.event import Event
from logweir.process.pacing import in_slices
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.loki.client import LokiClient
from logweir.sinks.loki.config import LokiConfig
from logweir.sinks.loki.doubts import Doubts
from logweir.sinks.loki.encode import Encoder, Entry
from logweir.sinks.loki.health import health_of
from logweir.sinks.loki.labels import LabelGuard
from logweir.sinks.loki.paging import Span
from logweir.sinks.loki.query import MOST_IDS, logql
from logweir.sinks.loki.reading import Search, span_of
from logweir.sinks.loki.remedies import Remedy, remedy_for
from logweir.sinks.loki.server_config import recommended_configuration
from logweir.sinks.loki.verdicts import Answer, Fault, Outcome, Refusal
from logweir.sinks.loki.writing import RequestSize, store
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.destinations import Template, listed
from logweir.sinks.shared.server_sink import ServerSink

__all__ = ["LokiSink"]

_NANOS = 10**9
#: How far beyond now a search goes that names no end: clocks differ.
_AHEAD = 86_400 * _NANOS

_time = attrgetter("time")


class LokiSink(ServerSink[LokiConfig, LokiClient]):
    """Pushes events to Loki.

    Args:
        config: The options.
        context: What the sink may know of its process.
        now: Nanoseconds since 1970.
    """

    Config = LokiConfig
    client_class = LokiClient

    def __init__(
        self,
        config: LokiConfig,
        context: SinkContext | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(config, context)
        self._now = now
        self.guard = LabelGuard({label.name: label.most for label in config.labels}, self.context.name)
        names = [label.name for label in config.labels]
        self._encoder = Encoder(config.static_labels, names, config.metadata, self.guard)
        self._placed = (*names, *config.metadata)
        self._size = RequestSize(config.max_request_bytes)
        self._doubts = Doubts()

    async def open(self) -> None:
        """Connect, and ask whether we may push.

        Raises:
            SinkUnavailable: Loki does not answer.
            SinkRejected: It refuses us.
        """
        if self._client is not None:
            return
        client = await LokiClient.make(self.config, self.context.workers)
        try:
            await client.probe()
        except BaseException:
            await client.close()
            raise
        self._client = client

    async def check(self) -> Health:
        """Ask Loki whether it is ready and takes our pushes, for its version and for the limits it shows."""
        if self._client is not None:
            return await health_of(self._client, self.config, self.guard.demoted)
        try:
            client = await LokiClient.make(self.config, 1)
        except SinkError as error:
            return Health(HealthStatus.DOWN, str(error))
        try:
            return await health_of(client, self.config, self.guard.demoted)
        finally:
            await client.close()

    def labels_of(self, event: Event) -> dict[str, str]:
        """Return the labels of an event, static ones too."""
        return dict(self._encoder.entry(0, event).stream.labels)

    def provision_script(self) -> str:
        """Return the limits that a Loki needs for what this sink sends, as a part of its configuration."""
        return recommended_configuration(self.config)

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Store a batch; see :meth:`Sink.write`."""
        client = self._require_open()
        untimely = list[Entry]()

        def find_remedy(entry: Entry, refusal: Refusal) -> Remedy:
            remedy = self._remedy_for(entry, refusal)
            if isinstance(remedy, str) and refusal.fault is Fault.TOO_OLD:
                untimely.append(entry)
            return remedy

        async def push(entries: Sequence[Entry]) -> Answer:
            answer = await client.push(entries)
            if answer.outcome is Outcome.STORED:
                self._encoder.note_taken(entries[0].stream)
            return answer

        entries = list[Entry]()
        async for part in in_slices(batch):
            entries += self._encoder.entries(part, len(entries))
        result = await store(entries, push, find_remedy, self._size, self._doubts)
        return await self._without_known(result, untimely) if untimely else result

    def _remedy_for(self, entry: Entry, refusal: Refusal) -> Remedy:
        if refusal.fault is Fault.NO_METADATA and self._encoder.takes_metadata:
            self._encoder.takes_metadata = False
            report(
                f"{self.context.name}.metadata",
                "sink %r: this Loki takes no structured metadata; all goes into the line. "
                "Set metadata: [], or allow it by limits_config.allow_structured_metadata",
                self.context.name,
            )
        restamp_to = self._now() if self.config.restamp else None
        return remedy_for(entry, refusal, self._encoder, restamp_to=restamp_to)

    async def _without_known(self, result: WriteResult, untimely: Sequence[Entry]) -> WriteResult:
        """Find those among the events that came too late that are stored already.

        After a long outage an event may be sent again whose first answer was lost; Loki refuses it for its
        age before it could see that it has it.
        """
        known: set[str] = set()
        with suppress(SinkError, TimeoutError):
            async with asyncio.timeout(self.config.retry.timeout / 4):
                for part in _batched([entry.event for entry in untimely], MOST_IDS):
                    query = Query(
                        start=min(part, key=_time).datetime,
                        end=max(part, key=_time).datetime + timedelta(microseconds=1),
                        ids=frozenset(event.id for event in part),
                        limit=None,
                    )
                    known.update([event.id async for event in self.search(query)])
        duplicate = frozenset(entry.index for entry in untimely if entry.event.id in known)
        rejected = {index: reason for index, reason in result.rejected.items() if index not in duplicate}
        return replace(result, duplicate=duplicate, rejected=rejected)

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time."""
        client, now = self._require_open(), self._now()
        everywhere = Span(now - int(self.config.lookback * _NANOS), now + _AHEAD)
        search = Search(
            client.query,
            logql(query, self.config.static_labels, self._placed),
            query,
            span_of(query, everywhere),
            int(self.config.query_window * _NANOS),
        )
        found = search.events_with_moved(everywhere) if self.config.restamp else search.events()
        async for event in found:
            yield event

    async def known_destinations(self, options: LokiConfig, template: Template) -> list[str]:
        """The tenants to read.

        Raises:
            SinkUnavailable: None is listed.
        """
        return listed(options.read_tenants, template.filled(options.overflow), self.context.name)


def _batched(events: Sequence[Event], size: int) -> Iterator[Sequence[Event]]:
    for first in range(0, len(events), size):
        yield events[first : first + size]
