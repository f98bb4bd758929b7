"""What a confirmation of this Redis means, in plain words: what may be lost, and by which setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logweir.delivery.brokers.contract import BrokerHealth
from logweir.delivery.brokers.redis_client import Client
from logweir.errors import SinkError, SinkRejected
from logweir.settings.delivery import QueueConfig
from logweir.sinks.results import HealthStatus

__all__ = ["durability_of", "health_of"]

_OLDEST = (7, 0)
_SETTINGS = ("appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy")


async def health_of(client: Client, config: QueueConfig) -> BrokerHealth:
    """Ask a Redis what it is and how it keeps what it has confirmed. Never raises what Redis says.

    Of a cluster each node that takes writes is asked, and the weakest counts.
    """
    try:
        views = await client.views()
    except SinkError as error:
        return BrokerHealth(HealthStatus.DOWN, detail=str(error))
    found = {address: await _health_of_one(view, config) for address, view in views.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    down = [f"{address}: {each.detail}" for address, each in found.items() if each.detail]
    if down:
        return BrokerHealth(HealthStatus.DOWN, detail="; ".join(down))
    warnings = [f"{address}: {warning}" for address, each in found.items() for warning in each.warnings]
    weakest = max(found.values(), key=lambda each: len(each.warnings))
    server = f"{weakest.server} (cluster, {len(found)} nodes)"
    return BrokerHealth(weakest.status, server, weakest.durability, warnings)


async def _health_of_one(client: Client, config: QueueConfig) -> BrokerHealth:
    try:
        info = await client.one("INFO")
    except SinkError as error:
        return BrokerHealth(HealthStatus.DOWN, detail=str(error))
    try:
        flat = [await client.one("CONFIG GET", name) for name in _SETTINGS]
    except SinkRejected:  # a user with few rights, or a hosted Redis: INFO says the half of it
        settings: dict[str, str] = {}
    except SinkError as error:
        return BrokerHealth(HealthStatus.DOWN, detail=str(error))
    else:
        settings = {name: _setting(answer) for name, answer in zip(_SETTINGS, flat, strict=True)}
    version = str(info.get("redis_version", "?"))
    if info.get("redis_mode") == "cluster" and not config.cluster:
        detail = "Redis: this is a node of a cluster; say cluster: true beside url"
        return BrokerHealth(HealthStatus.DOWN, f"Redis {version}", detail=detail)
    durability, warnings = durability_of(info, settings, config.wait_replicas)
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _OLDEST:
        warnings = [f"Redis {version} is too old: 7.0 or later is needed", *warnings]
    status = HealthStatus.DEGRADED if warnings else HealthStatus.OK
    return BrokerHealth(status, f"Redis {version}", durability, warnings)


def durability_of(
    info: Mapping[str, Any], settings: Mapping[str, str], wait_replicas: int
) -> tuple[str, list[str]]:
    """What a confirmation means, and what is weaker than audit asks for. Pure.

    Args:
        info: What ``INFO`` says.
        settings: What ``CONFIG GET`` says; empty where it may not be asked.
        wait_replicas: How many replicas are waited for.
    """
    words, warnings = _on_disk(info, settings)
    replicas = int(info.get("connected_slaves", 0))
    if wait_replicas:
        words += f", and {wait_replicas} of {replicas} replicas have it"
        if replicas < wait_replicas:
            warnings.append(
                f"wait_replicas: {wait_replicas} is asked for and {replicas} replicas are connected: nothing "
                "is confirmed until they are"
            )
    policy = str(settings.get("maxmemory-policy", info.get("maxmemory_policy", "noeviction")))
    limit = int(settings.get("maxmemory", info.get("maxmemory", 0)))
    if policy != "noeviction":
        warnings.append(
            f"maxmemory-policy is {policy}: a full Redis throws events away; set it to noeviction, and "
            "logweir waits"
        )
    elif not limit:
        warnings.append(
            "maxmemory is not set: a Redis that fills the machine's memory is killed; set maxmemory, or "
            "maxlen here"
        )
    if info.get("role") == "slave":
        warnings.append("this is a replica, which takes no writes; name the primary in url")
    warnings += [
        f"the last write to its disk failed ({key}: {info[key]}); look at its log and its disk"
        for key in ("aof_last_write_status", "rdb_last_bgsave_status")
        if info.get(key, "ok") != "ok"
    ]
    return f"{words}.", warnings


def _on_disk(info: Mapping[str, Any], settings: Mapping[str, str]) -> tuple[str, list[str]]:
    """What is on disk when an event is confirmed."""
    appends, fsync = bool(int(info.get("aof_enabled", 0))), settings.get("appendfsync", "")
    if appends and fsync == "always":
        return "a confirmed event is on Redis's disk", []
    if appends and not fsync:
        words = "a confirmed event is in Redis's append-only file; when it is on disk may not be asked"
        return words, ["appendfsync is not known: give this user the right +config|get"]
    if appends:
        time = "the last second" if fsync == "everysec" else "the last half minute"
        words = f"a confirmed event is in Redis's memory, and soon on its disk (appendfsync {fsync})"
        warning = (
            f"appendfsync is {fsync}: a crash of the machine loses what was confirmed in {time}; set "
            "appendfsync always for audit, or wait_replicas"
        )
        return words, [warning]
    snapshots = settings.get("save", "")
    kept = f"saved now and then (save {snapshots})" if snapshots else "never saved"
    warning = (
        "appendonly is no: a restart of Redis loses what was confirmed; set appendonly yes and appendfsync "
        "always"
    )
    return f"a confirmed event is in Redis's memory alone, {kept}", [warning]


def _setting(answer: Any) -> str:
    """The value in the answer of ``CONFIG GET``, which clients give as a mapping or a list."""
    values = list(answer.values()) if isinstance(answer, Mapping) else list(answer)[1::2]
    value = values[0] if values else ""
    return value.decode() if isinstance(value, bytes) else str(value)
