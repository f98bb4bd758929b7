"""What ``check`` finds out about the collection: our rights, what it is, and which indexes are missing."""

from __future__ import annotations

from typing import Any

from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.schema import missing_indexes
from logweir.sinks.mongodb.server import may, server_of, type_of
from logweir.sinks.results import Health, HealthStatus

__all__ = ["health_of"]


async def health_of(client: Any, database: Any, config: MongoConfig) -> Health:
    """Ask who answers, how well the collection can serve, and what an operator should know.

    Raises:
        PyMongoError: The server cannot be asked.
    """
    server = await server_of(client)
    status, details = await _condition_of(database, config)
    return Health(status, "; ".join(details), server.name)


async def _condition_of(database: Any, config: MongoConfig) -> tuple[HealthStatus, list[str]]:
    namespace = (config.database_name, config.collection)
    details = [f"collection {'.'.join(namespace)}"]
    rights = await database.command({"connectionStatus": 1, "showPrivileges": True})
    if not may(rights, "insert", *namespace):
        return HealthStatus.DOWN, [*details, "our user may not insert; grant the role readWrite"]
    doubts = await _doubts(database, config)
    if not may(rights, "find", *namespace):
        doubts.append("our user may not read: query, trace and migrate will fail")
    if config.time_series and not doubts:
        details.append("a time series has no unique _id: ids are looked up before each write")
    return (HealthStatus.DEGRADED if doubts else HealthStatus.OK), details + doubts


async def _doubts(database: Any, config: MongoConfig) -> list[str]:
    """What is not as the configuration says: it works, and somebody should know."""
    kind = await type_of(database, config.collection)
    if kind is None:
        return ["it does not exist yet; the first write creates it, without indexes"]
    doubts = []
    if (kind == "timeseries") is not config.time_series:
        wanted = "a time series" if config.time_series else "a plain collection"
        doubts.append(f"time_series asks for {wanted}, and the server has a {kind}")
    listed = await database.command({"listIndexes": config.collection})
    missing = missing_indexes(config, listed["cursor"]["firstBatch"])
    if missing:
        doubts.append(f"indexes are missing: {', '.join(missing)}; see provision")
    return doubts
