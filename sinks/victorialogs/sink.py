"""The VictoriaLogs sink: batches as lines of JSON, read back by LogsQL.

The store knows no ids: what is sent again after an answer was lost it keeps twice. Reads return each id once;
who counts past the sink counts distinct ids.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from logweir.diagnostics import report
from logweir.encoding.counted import counted
from logweir.errors import SinkUnavailable
from logweir.event import Event, Kind
from logweir.process.pacing import in_slices
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.destinations import Template, listed
from logweir.sinks.shared.server_sink import ServerSink
from logweir.sinks.victorialogs import deleting
from logweir.sinks.victorialogs.client import VictoriaLogsClient
from logweir.sinks.victorialogs.columns import ColumnGuard
from logweir.sinks.victorialogs.config import VictoriaLogsConfig
from logweir.sinks.victorialogs.encode import Encoder, Line
from logweir.sinks.victorialogs.health import health_of
from logweir.sinks.victorialogs.limits import UNSEEN, Flags, limits_at
from logweir.sinks.victorialogs.query import filter_of, span_of
from logweir.sinks.victorialogs.reading import Search
from logweir.sinks.victorialogs.writing import store

__all__ = ["VictoriaLogsSink"]

_SECOND = 10**9
#: Seconds after which the server's flags are looked at again: it may have been started with others.
_FLAGS_HOLD = 300 * _SECOND
#: The same before an event is refused for its time, or as long as the flags were not to be seen.
_FLAGS_HOLD_IN_DOUBT = 10 * _SECOND


class VictoriaLogsSink(ServerSink[VictoriaLogsConfig, VictoriaLogsClient]):
    """Pushes events to VictoriaLogs.

    Args:
        config: The options.
        context: What the sink may know of its process.
        now: Nanoseconds since 1970.
    """

    Config = VictoriaLogsConfig
    client_class = VictoriaLogsClient
    idempotent: ClassVar[bool] = False

    def __init__(
        self,
        config: VictoriaLogsConfig,
        context: SinkContext | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(config, context)
        self._now = now
        self._encoder = Encoder(config.static_fields, ColumnGuard(config.max_columns, self._report_columns))
        self._flags = UNSEEN
        self._looked: int | None = None
        self._ours = filter_of(Query(), config.static_fields, None)

    async def open(self) -> None:
        """Make a client, and look at what the server was started with; one that is away is asked later.

        Raises:
            SinkUnavailable: A certificate cannot be read.
        """
        await super().open()
        if not self.context.read_only:
            await self._look(self._require_open(), 0)

    async def check(self) -> Health:
        """Push nothing, and ask for what the server says of itself."""
        try:
            return await health_of(self._require_open(), self.config, self._ours)
        except SinkUnavailable as error:
            return Health(HealthStatus.DOWN, str(error))

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Push a batch.

        Raises:
            SinkUnavailable: Nothing was stored, and the same may be stored later.
        """
        if not batch:
            return WriteResult.all_stored()
        client = self._require_open()
        flags = await self._look(client, _FLAGS_HOLD)
        lines, refused = await self._encoded(batch, flags)
        if refused:  # perhaps the server takes more by now
            newer = await self._look(client, _FLAGS_HOLD_IN_DOUBT)
            if newer != flags:
                flags = newer
                lines, refused = await self._encoded(batch, flags)
        if refused:
            self._report_refused(refused)
        return await store(lines, refused, client.push, self.config.max_request_bytes, flags.queue_wait)

    async def _encoded(self, batch: Sequence[Event], flags: Flags) -> tuple[list[Line], dict[int, str]]:
        limits = limits_at(flags, self._now())
        lines, refused = list[Line](), dict[int, str]()
        first = 0
        async for part in in_slices(batch):
            lines += self._encoder.lines(part, first, limits, refused)
            first += len(part)
        return lines, refused

    async def _look(self, client: VictoriaLogsClient, hold: int) -> Flags:
        """The server's flags, not older than this; those that were seen last where it does not answer."""
        now = self._now()
        if not self._flags.seen:
            hold = min(hold, _FLAGS_HOLD_IN_DOUBT)
        if self._looked is None or now - self._looked >= hold:
            self._looked = now
            with suppress(SinkUnavailable):
                self._flags = await client.flags()
        return self._flags

    async def search(self, query: Query) -> AsyncIterator[Event]:
        """Yield the events that match, in order of time, each id once."""
        client = self._require_open()
        conditions = filter_of(query, self.config.static_fields, self.config.message_field)
        search = Search(client.rows, conditions, query, span_of(query), self.config.message_field)
        async for event in search.events():
            yield event

    async def delete(self, ids: Sequence[str]) -> int:
        """Delete the events of these ids, where the server was started with ``-delete.enable``."""
        return await deleting.delete(self._require_open(), self._ours, ids)

    async def prune(self, before: datetime, *, kind: Kind | None = None, limit: int = 10_000) -> int:
        """Delete old events, where the server was started with ``-delete.enable``."""
        return await deleting.prune(self._require_open(), self._ours, before, kind, limit)

    async def known_destinations(self, options: VictoriaLogsConfig, template: Template) -> list[str]:
        """The tenants to read.

        Raises:
            SinkUnavailable: None is listed.
        """
        return listed(options.read_tenants, template.filled(options.overflow), self.context.name)

    def _report_columns(self) -> None:
        report(
            f"{self.context.name}.columns",
            "sink %r: fields have more than %d different names; those of events with further names are kept "
            "as JSON in one column. Log values as values, not as names, or set max_columns",
            self.context.name,
            self.config.max_columns,
        )

    def _report_refused(self, refused: dict[int, str]) -> None:
        report(
            f"{self.context.name}.refused",
            "sink %r: %s of a batch refused, and now dead letters: %s",
            self.context.name,
            counted(len(refused), "event"),
            next(iter(refused.values())),
        )
