"""What ``check`` finds out about the collection: our rights, what it is, and which indexes are missing."""

from __future__ import annotations

from typing import Any

from logweir.sinks.mongodb.config import MongoConfig
from logweir.sinks.mongodb.schema import missing_indexes
from logweir.sinks.mongodb.server import may
from logweir.sinks.results import HealthStatus

__all__ = ["condition_of", "type_of"]


async def condition_of(database: Any, config: MongoConfig) -> tuple[HealthStatus, list[str]]:
    """Return how well the collection can serve, and what an operator should know.

    Raises:
        PyMongoError: The server cannot be asked.
    """
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


async def type_of(database: Any, collection: str) -> str | None:
    """Return the server's word for what a collection is, or None if there is none."""
    listed = await database.command({"listCollections": 1, "filter": {"name": collection}})
    found = listed["cursor"]["firstBatch"]
    return str(found[0].get("type", "collection")) if found else None


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
