"""``check``: whether VictoriaLogs takes our pushes and can be read, its version, and what it drops."""

from __future__ import annotations

import re
from collections.abc import Iterator

from logweir.errors import SinkError
from logweir.sinks.results import Health, HealthStatus
from logweir.sinks.victorialogs.client import VictoriaLogsClient
from logweir.sinks.victorialogs.config import VictoriaLogsConfig
from logweir.sinks.victorialogs.limits import Flags
from logweir.sinks.victorialogs.verdicts import outcome_of

__all__ = ["health_of"]

_VERSION = re.compile(r'^vm_app_version\{.*?short_version="([^"]+)"', re.MULTILINE)
_DROPPED = re.compile(r'^vl_rows_dropped_total\{reason="([^"]+)"\} ([0-9.e+]+)$', re.MULTILINE)
_SKIPPED = re.compile(r"^vl_too_long_lines_skipped_total ([0-9.e+]+)$", re.MULTILINE)
_AT_LEAST_ONCE = "stores at least once: what is sent twice it keeps twice, and shows once here"


async def health_of(client: VictoriaLogsClient, config: VictoriaLogsConfig, ours: str) -> Health:
    """Ask for everything; never raises.

    Args:
        client: The connection.
        config: The sink's options.
        ours: The filter by which this sink's entries are known.
    """
    try:
        outcome_of(await client.push(b""), float("inf"))
        flags = await client.flags()
        metrics = await client.page("/metrics")
    except SinkError as error:
        return Health(HealthStatus.DOWN, str(error))
    troubles = [*_troubles(flags, config), *await _unreadable(client, ours)]
    detail = "; ".join([*troubles, *_times(flags), *_dropped(metrics), _AT_LEAST_ONCE])
    status = HealthStatus.DEGRADED if troubles else HealthStatus.OK
    version = _VERSION.search(metrics)
    return Health(
        status, detail, f"VictoriaLogs {version[1]}" if version else "VictoriaLogs, a build without a version"
    )


def _troubles(flags: Flags, config: VictoriaLogsConfig) -> Iterator[str]:
    if config.retention is not None and flags.deletes is False:
        yield "retention cannot be kept: the server deletes nothing; start it with -delete.enable"
    if flags.retention is None:
        yield (
            "its retention is not to be seen (/flags), and it drops what is older without a word; "
            "state retention_period"
        )


async def _unreadable(client: VictoriaLogsClient, ours: str) -> list[str]:
    try:
        async for _ in client.rows(f"{ours} _time:1m | limit 1"):
            pass
    except SinkError as error:
        return [f"it cannot be read: {error}"]
    return []


def _times(flags: Flags) -> Iterator[str]:
    if flags.retention is not None:
        yield f"keeps {flags.retention / 86_400:g} days"
    if flags.future is not None:
        yield f"takes {flags.future / 86_400:g} days ahead"
    if flags.deletes is False:
        yield "deletes nothing by itself (-delete.enable)"


def _dropped(metrics: str) -> Iterator[str]:
    """What the server dropped since it started, of whoever's."""
    found = [(reason.replace("_", " "), float(count)) for reason, count in _DROPPED.findall(metrics)]
    found += [("too long", float(count)) for count in _SKIPPED.findall(metrics)]
    counts = [f"{count:g} {reason}" for reason, count in found if count]
    if counts:
        yield f"has dropped since it started: {', '.join(counts)}"
