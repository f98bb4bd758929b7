"""What Elasticsearch and OpenSearch are asked in the same words, by whichever client speaks to them."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.truth import Aggregation, LabelQuestion
from logweir.encoding.times import format_time
from logweir.errors import LogweirError
from logweir.event import Event
from logweir.sinks.query_match import nanoseconds
from logweir.sinks.shared.search_engine.encode import to_document
from logweir.sinks.shared.search_engine.layout import Layout

__all__ = ["SearchEngineNative"]

_LEVELS = 10


class SearchEngineNative(Native):
    """Daily indexes behind an alias for each store."""

    #: The product's name.
    product: ClassVar[str]

    @abstractmethod
    async def _ask(self, method: str, target: str, body: object = None) -> Any:
        """Send a request, and read the JSON of its answer."""

    @abstractmethod
    async def _bulk(self, operations: list[dict[str, Any]]) -> Any:
        """Send operations as the client's user would."""

    def _index(self, store: str) -> str:
        return f"bench-{self.spec.run}-{store.replace('_', '-')}"

    def sink_settings(self, store: str) -> dict[str, Any]:
        """See :meth:`Native.sink_settings`."""
        return {
            "type": self.spec.type,
            "url": self.spec.url,
            "index": self._index(store),
            "layout": "daily",
            "provision": True,
            "replicas": 0,
        }

    def production_settings(self) -> dict[str, Any]:
        """See :meth:`Native.production_settings`."""
        return {"type": self.spec.type, "url": self.spec.url, "index": "app-logs", "provision": True}

    async def server(self) -> str:
        """See :meth:`Native.server`."""
        answer = await self._ask("GET", "/_nodes/_local?filter_path=nodes.*.version")
        versions = [node["version"] for node in answer["nodes"].values()]
        return f"{self.product} {versions[0]}"

    async def wipe(self, store: str) -> None:
        """See :meth:`Native.wipe`."""
        index = self._index(store)
        answer = await self._ask("GET", f"/{index}-*/_settings?filter_path=*.settings.index.uuid")
        for name in answer:
            await self._ask("DELETE", f"/{name}")

    async def ready(self, store: str) -> None:
        """See :meth:`Native.ready`: shards are recovered after the server answers."""
        answer = await self._ask(
            "GET", f"/_cluster/health/{self._index(store)}-*?wait_for_status=yellow&timeout=60s"
        )
        if answer["timed_out"]:
            raise LogweirError("its shards are not recovered")

    async def settle(self, store: str) -> None:
        """See :meth:`Native.settle`: segments are written and opened, and merged as the server sees fit."""
        await self._ask("POST", f"/{self._index(store)}/_flush")
        await self._ask("POST", f"/{self._index(store)}/_refresh")

    async def compact(self, store: str) -> None:
        """See :meth:`Native.compact`: one segment for each index, flushed."""
        await self._ask("POST", f"/{self._index(store)}/_forcemerge?max_num_segments=1")
        await self._ask("POST", f"/{self._index(store)}/_flush")
        await self._ask("POST", f"/{self._index(store)}/_refresh")

    async def storage(self, store: str) -> dict[str, float]:
        """See :meth:`Native.storage`; this interface does not say what one field takes."""
        answer = await self._ask("GET", f"/{self._index(store)}/_stats/store")
        return {"total": float(answer["_all"]["primaries"]["store"]["size_in_bytes"])}

    async def aggregate(self, store: str, ask: Aggregation) -> Counter[tuple[int, str]]:
        """See :meth:`Native.aggregate`."""
        by_hour = {
            "date_histogram": {"field": "@timestamp", "fixed_interval": "1h", "min_doc_count": 1},
            "aggs": {"levels": {"terms": {"field": "log.level", "size": _LEVELS}}},
        }
        body = {"size": 0, "query": _between(ask), "aggs": {"hours": by_hour}}
        answer = await self._ask("POST", f"/{self._index(store)}/_search", body)
        return Counter(
            {
                (hour["key"] // 1000, level["key"]): level["doc_count"]
                for hour in answer["aggregations"]["hours"]["buckets"]
                for level in hour["levels"]["buckets"]
            }
        )

    async def labelled(self, store: str, ask: LabelQuestion, limit: int) -> list[str]:
        """See :meth:`Native.labelled`."""
        filters = [
            _between(ask),
            {"term": {"service.name": ask.service}},
            {"term": {"log.level": ask.level}},
        ]
        body = {
            "size": limit,
            "_source": ["event.id"],
            "query": {"bool": {"filter": filters}},
            "sort": ["@timestamp", "event.id"],
        }
        answer = await self._ask("POST", f"/{self._index(store)}/_search", body)
        return [hit["_source"]["event"]["id"] for hit in answer["hits"]["hits"]]

    async def bare_write(self, store: str, batch: Sequence[Event]) -> None:
        """See :meth:`Native.bare_write`: the client's own way to send the same documents."""
        layout = Layout(self._index(store), streaming=False)
        operations: list[dict[str, Any]] = []
        for event in batch:
            operations.append({"create": {"_index": layout.index_of(event.time), "_id": event.id}})
            operations.append(to_document(event))
        answer = await self._bulk(operations)
        if answer["errors"]:
            raise LogweirError("the bare bulk call reports errors")


def _between(ask: Aggregation | LabelQuestion) -> dict[str, Any]:
    bounds = {"gte": format_time(nanoseconds(ask.start)), "lt": format_time(nanoseconds(ask.end))}
    return {"range": {"@timestamp": bounds}}
