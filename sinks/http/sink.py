"""The HTTP sink: batches as one request, or a request for each event, a few at once.

It is as idempotent as its receiver, which has the event ids and an ``Idempotency-Key`` to go by.
"""

from __future__ import annotations

from collections.abc import Sequence

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Sink, SinkContext
from logweir.sinks.http.client import HttpClient
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.health import health_of
from logweir.sinks.http.writing import store
from logweir.sinks.results import Health, HealthStatus, WriteResult

__all__ = ["HttpSink"]


class HttpSink(Sink[HttpConfig]):
    """Sends events as JSON to an HTTP address."""

    Config = HttpConfig

    def __init__(self, config: HttpConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._client: HttpClient | None = None

    async def open(self) -> None:
        """Make a client; connections are made by the requests.

        Raises:
            SinkUnavailable: A certificate cannot be read.
        """
        if self._client is None:
            self._client = await HttpClient.make(self.config, self.context.workers)

    async def close(self) -> None:
        """Close the connections, in the loop that made them."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def check(self) -> Health:
        """Ask for the address without sending anything; what a webhook thinks of that is up to it."""
        try:
            return await health_of(self._require_open(), self.config)
        except SinkUnavailable as error:
            return Health(HealthStatus.DOWN, str(error))

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Send a batch; see :meth:`Sink.write`."""
        return await store(batch, self.config, self._require_open().send)

    def _require_open(self) -> HttpClient:
        if self._client is None:
            raise SinkUnavailable("the sink is not open")
        return self._client
