"""The HTTP sink: batches as one request, or a request for each event, a few at once.

It is as idempotent as its receiver, which has the event ids and an ``Idempotency-Key`` to go by.
"""

from __future__ import annotations

from collections.abc import Sequence

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.http.client import HttpClient
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.health import health_of
from logweir.sinks.http.writing import store
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.server_sink import ServerSink

__all__ = ["HttpSink"]


class HttpSink(ServerSink[HttpConfig, HttpClient]):
    """Sends events as JSON to an HTTP address."""

    Config = HttpConfig
    client_class = HttpClient

    async def check(self) -> Health:
        """Ask for the address without sending anything; what a webhook thinks of that is up to it."""
        try:
            return await health_of(self._require_open(), self.config)
        except SinkUnavailable as error:
            return Health(HealthStatus.DOWN, str(error))

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Send a batch; see :meth:`Sink.write`."""
        return await store(batch, self.config, self._require_open().send)
