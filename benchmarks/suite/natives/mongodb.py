"""MongoDB by PyMongo's asynchronous client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pymongo import AsyncMongoClient

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.event import Event
from logweir.sinks.mongodb.encode import document_of

__all__ = ["MongoNative"]

_DATABASE = "logweir_bench"
_HOUR_MS = 3_600_000


class MongoNative(Native):
    """A collection for each store."""

    def sink_settings(self, store: str) -> dict[str, Any]:
        """See :meth:`Native.sink_settings`."""
        return {
            "type": "mongodb",
            "url": self.spec.url,
            "database": _DATABASE,
            "collection": f"{self.spec.run}_{store}"[:38],
            "driver": "pymongo",
            "provision": True,
        }

    def production_settings(self) -> dict[str, Any]:
        """See :meth:`Native.production_settings`."""
        parts = urlsplit(self.spec.url)
        host = parts.netloc.rpartition("@")[2]
        login = "${MONGODB_USER}:${MONGODB_PASSWORD}@" if "@" in parts.netloc else ""
        url = urlunsplit((parts.scheme, f"{login}{host}", parts.path, parts.query, ""))
        return {"type": "mongodb", "url": url, "collection": "logs", "provision": True}

    async def open(self) -> None:
        """See :meth:`Native.open`."""
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.spec.url)

    async def close(self) -> None:
        """See :meth:`Native.close`."""
        await self._client.close()

    def _collection(self, store: str) -> Any:
        return self._client[_DATABASE][str(self.sink_settings(store)["collection"])]

    async def server(self) -> str:
        """See :meth:`Native.server`: FerretDB and others say what they are."""
        answer = await self._client.admin.command("buildInfo")
        for name in ("ferretdb",):
            if name in answer:
                return f"FerretDB {answer[name].get('version', '')} (speaks MongoDB {answer['version']})"
        return f"MongoDB {answer['version']}"

    async def wipe(self, store: str) -> None:
        """See :meth:`Native.wipe`."""
        await self._collection(store).drop()

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`: the server compacts by itself."""

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`."""
        found = await self._client[_DATABASE].command("collStats", self._collection(store).name)
        indexes = {f"index {name}": float(size) for name, size in found.get("indexSizes", {}).items()}
        return {"total": float(found["storageSize"]) + float(found.get("totalIndexSize", 0)), **indexes}

    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """See :meth:`Native.aggregate`."""
        milliseconds = {"$toLong": "$time"}
        hour = {"$subtract": [milliseconds, {"$mod": [milliseconds, _HOUR_MS]}]}
        pipeline: list[dict[str, Any]] = [
            {"$match": {"time": {"$gte": ask.start, "$lt": ask.end}}},
            {"$group": {"_id": {"hour": hour, "level": "$level"}, "count": {"$sum": 1}}},
        ]
        found = await self._collection(store).aggregate(pipeline)
        return Counter(
            {
                (int(group["_id"]["hour"]) // 1000, group["_id"]["level"]): int(group["count"])
                async for group in found
            }
        )

    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """See :meth:`Native.labelled`."""
        condition = {
            "service": ask.service,
            "level": ask.level,
            "time": {"$gte": ask.start, "$lt": ask.end},
        }
        found = (
            self._collection(store).find(condition, {"_id": 1}).sort([("time", 1), ("ns", 1)]).limit(limit)
        )
        return [document["_id"] async for document in found]

    async def bare_write(self, store: str, batch: Sequence[Event]) -> None:
        """See :meth:`Native.bare_write`: the driver's own ``insert_many`` of the same documents."""
        await self._collection(store).insert_many([document_of(event) for event in batch], ordered=False)
