"""Elasticsearch by its own client."""

from __future__ import annotations

from typing import Any

from elasticsearch import AsyncElasticsearch

from logweir.benchmarks.suite.natives.search_engine import SearchEngineNative

__all__ = ["ElasticsearchNative"]

_HEADERS = {"accept": "application/json", "content-type": "application/json"}


class ElasticsearchNative(SearchEngineNative):
    """Elasticsearch."""

    product = "Elasticsearch"

    async def open(self) -> None:
        """See :meth:`Native.open`."""
        self._client = AsyncElasticsearch(self.spec.url, http_compress=True, request_timeout=120)

    async def close(self) -> None:
        """See :meth:`Native.close`."""
        await self._client.close()

    async def _ask(self, method: str, target: str, body: object = None) -> Any:
        answer = await self._client.perform_request(method, target, headers=_HEADERS, body=body)
        return answer.body

    async def _bulk(self, operations: list[dict[str, Any]]) -> Any:
        return await self._client.bulk(operations=operations)
