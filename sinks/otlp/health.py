"""``check``: whether the receiver takes a request without records."""

from __future__ import annotations

from logweir.errors import SinkError
from logweir.sinks.otlp.client import OtlpClient
from logweir.sinks.otlp.config import OtlpConfig
from logweir.sinks.otlp.encode import request_of
from logweir.sinks.otlp.verdicts import refused_of
from logweir.sinks.results import Health, HealthStatus

__all__ = ["health_of"]


async def health_of(client: OtlpClient, config: OtlpConfig) -> Health:
    """Send a request without records, as the protocol allows; never raises."""
    try:
        refused_of(await client.send(request_of([], config.resource, compressed=config.gzip)))
    except SinkError as error:
        return Health(HealthStatus.DOWN, str(error))
    return Health(HealthStatus.OK, "takes log records as protobuf over HTTP")
