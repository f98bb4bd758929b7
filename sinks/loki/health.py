"""``check``: whether Loki is ready, takes our pushes, which version it is, and the limits it lets us see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from logweir.encoding.counted import counted
from logweir.errors import SinkError
from logweir.sinks.loki.client import LokiClient
from logweir.sinks.loki.config import LokiConfig
from logweir.sinks.results import Health, HealthStatus

__all__ = ["health_of"]

#: The limits worth knowing, of those that Loki's own page of its configuration shows.
_LIMITS = (
    "max_line_size",
    "reject_old_samples",
    "reject_old_samples_max_age",
    "creation_grace_period",
    "ingestion_rate_mb",
    "per_stream_rate_limit",
    "max_label_names_per_series",
    "allow_structured_metadata",
    "max_query_length",
)


async def health_of(client: LokiClient, config: LokiConfig, demoted: Mapping[str, int]) -> Health:
    """Ask for everything; never raises."""
    try:
        await client.probe()
        server = await _version(client)
        not_ready = await _not_ready(client)
        limits = await _limits(client)
    except SinkError as error:
        return Health(HealthStatus.DOWN, str(error))
    troubles = [not_ready] if not_ready else []
    if config.metadata and limits and "allow_structured_metadata" not in limits:  # shown only if true
        troubles.append("it takes no structured metadata; set metadata: []")
    troubles += [
        f"the label {name} was demoted, {counted(count, 'event')} ago" for name, count in demoted.items()
    ]
    detail = "; ".join([*troubles, *(f"{name} {value}" for name, value in limits.items())])
    return Health(
        HealthStatus.DEGRADED if troubles else HealthStatus.OK, detail or "takes our pushes", server
    )


async def _version(client: LokiClient) -> str:
    response = await client.get("/loki/api/v1/status/buildinfo")
    try:
        version = msgspec.json.decode(response.content)["version"]
    except (ValueError, KeyError, TypeError):
        version = ""
    return f"Loki {version}" if version else "Loki, a build without a version"


async def _not_ready(client: LokiClient) -> str:
    """What a Loki that is not ready says; a gateway may hide the page."""
    response = await client.get("/ready")
    return (
        f"not ready: {response.text.strip()[:200]}"
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        else ""
    )


async def _limits(client: LokiClient) -> dict[str, str]:
    """The limits, from the page of the configuration, if it is to be seen."""
    response = await client.get("/config")
    text = response.text if response.status_code == HTTPStatus.OK else ""
    section = re.search(r"^limits_config:\n((?: .*\n)+)", text, re.MULTILINE)
    found = dict(re.findall(r"^  (\w+): (\S+)$", section[1], re.MULTILINE)) if section else {}
    return {name: found[name] for name in _LIMITS if name in found}
