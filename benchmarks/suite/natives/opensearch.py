"""OpenSearch by plain HTTP, as its bulk interface is documented."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx

from logweir.benchmarks.suite.natives.search_engine import SearchEngineNative

__all__ = ["OpenSearchNative"]

_HEADERS = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}


class OpenSearchNative(SearchEngineNative):
    """OpenSearch."""

    product = "OpenSearch"

    async def open(self) -> None:
        """See :meth:`Native.open`."""
        self._client = httpx.AsyncClient(base_url=self.spec.url, timeout=120)

    async def close(self) -> None:
        """See :meth:`Native.close`."""
        await self._client.aclose()

    async def _ask(self, method: str, target: str, body: object = None) -> Any:
        answer = await self._client.request(method, target, json=body)
        answer.raise_for_status()
        return answer.json()

    async def _bulk(self, operations: list[dict[str, Any]]) -> Any:
        lines = "".join(json.dumps(operation) + "\n" for operation in operations)
        content = gzip.compress(lines.encode())
        answer = await self._client.post("/_bulk", content=content, headers=_HEADERS)
        answer.raise_for_status()
        return answer.json()
