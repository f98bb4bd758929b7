"""``check``: whether the address answers; what a webhook makes of a request without a body is up to it."""

from __future__ import annotations

from logweir.errors import SinkError
from logweir.sinks.http.client import HttpClient
from logweir.sinks.http.config import HttpConfig
from logweir.sinks.results import Health, HealthStatus
from logweir.sinks.shared.http_verdicts import Meaning, meaning_of

__all__ = ["health_of"]


async def health_of(client: HttpClient, config: HttpConfig) -> Health:
    """Ask for the address without sending anything; never raises."""
    try:
        status, server = await client.head()
    except SinkError as error:
        return Health(HealthStatus.DOWN, str(error))
    meaning = meaning_of(status)
    if meaning is Meaning.ACCESS_REFUSED:
        return Health(HealthStatus.DOWN, f"HEAD is answered {status}: fix the credentials", server)
    # Any other 4xx is fine: few webhooks know HEAD (405), and many answer 404 to it.
    healthy = HealthStatus.DEGRADED if meaning is Meaning.FAILED else HealthStatus.OK
    return Health(healthy, f"{config.format} by {config.method}; HEAD is answered {status}", server)
