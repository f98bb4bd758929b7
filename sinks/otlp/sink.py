"""The OTLP sink: batches as requests of OpenTelemetry's protocol, over HTTP.

The protocol knows no idempotency: what a receiver is sent again it has again, with the same ``logweir.id``.
"""

from __future__ import annotations

from collections.abc import Sequence

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.otlp.client import OtlpClient
from logweir.sinks.otlp.config import OtlpConfig
from logweir.sinks.otlp.health import health_of
from logweir.sinks.otlp.writing import store
from logweir.sinks.results import Health, HealthStatus, WriteResult
from logweir.sinks.shared.server_sink import ServerSink

__all__ = ["OtlpSink"]


class OtlpSink(ServerSink[OtlpConfig, OtlpClient]):
    """Sends events as log records to a receiver of OTLP."""

    Config = OtlpConfig
    client_class = OtlpClient

    async def check(self) -> Health:
        """Send a request without records."""
        try:
            return await health_of(self._require_open(), self.config)
        except SinkUnavailable as error:
            return Health(HealthStatus.DOWN, str(error))

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Send the batch.

        Raises:
            SinkUnavailable: Nothing was stored, and the same may be stored later.
            SinkRejected: The request will never be taken as it is.
        """
        if not batch:
            return WriteResult.all_stored()
        return await store(batch, self.config, self._require_open().send)
