"""Bare requests to a search engine: what a test reads and cleans up without the sink it tests; and that sink."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import httpx

from logweir.sinks.contract import Query
from logweir.sinks.shared.search_engine.sink import SearchEngineSink
from servers import Server
from support.search_engines import PRODUCTS, SearchEngineProduct

__all__ = ["Elastic", "all_of", "new_store", "opened"]


class Elastic:
    """One index of the sink's (a data stream, or daily indexes behind an alias) as the server has it."""

    def __init__(self, url: str, name: str, product: SearchEngineProduct = PRODUCTS["elasticsearch"]) -> None:
        self.name = name
        self.product = product
        # Authorities of certifi would be read for each store, which takes longer than most tests of one.
        self._client = httpx.Client(base_url=url, timeout=30, verify=False)

    def ask(self, method: str, target: str, body: Any = None, *, ok: bool = True) -> Any:
        """Send one request."""
        answer = self._client.request(method, target, json=body)
        if ok:
            answer.raise_for_status()
        return answer.json()

    def indexes(self) -> list[str]:
        """The names of the daily indexes, or of the stream's backing indexes, in order."""
        found = self._client.get(f"/{self.name}/_settings?filter_path=*.settings.index.creation_date")
        return sorted(found.json()) if found.is_success else []

    def ids(self) -> list[str]:
        """The ids of all documents, as often as they stand there."""
        hits = self._hits()
        return [hit["_id"] for hit in hits]

    def empty(self) -> None:
        """Delete all documents; the indexes stay."""
        hits = self._hits()
        if hits:
            actions = ({"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits)
            body = "".join(json.dumps(action) + "\n" for action in actions)
            headers = {"content-type": "application/x-ndjson"}
            self._client.post("/_bulk", content=body, headers=headers).raise_for_status()

    def remove(self) -> None:
        """Remove the indexes and the template; Elasticsearch's server of the tests removes no data stream."""
        for index in self.indexes():
            if not index.startswith(".ds-"):
                self.ask("DELETE", f"/{index}")
        self.ask("DELETE", f"/_data_stream/{self.name}", ok=False)
        self.ask("DELETE", f"/_index_template/{self.name}", ok=False)
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _hits(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        body: dict[str, Any] = {"size": 10_000, "_source": False, "sort": ["_doc"], "track_total_hits": False}
        where = "ignore_unavailable=true&allow_no_indices=true"
        self.ask("POST", f"/{self.name}/_refresh?{where}")
        body["sort"] = [{"event.id": {"order": "asc", "unmapped_type": "keyword"}}, "_index"]
        while True:
            hits = self.ask("POST", f"/{self.name}/_search?{where}", body)["hits"]["hits"]
            found += hits
            if len(hits) < body["size"]:
                return found
            body["search_after"] = hits[-1]["sort"]


@contextmanager
def new_store(server: Server) -> Iterator[Elastic]:
    """An index, or several, of a name of their own on a server; removed in the end."""
    store = Elastic(server.url, f"test-{uuid4().hex[:12]}", PRODUCTS[server.name])
    try:
        yield store
    finally:
        store.remove()


@asynccontextmanager
async def opened(url: Any, store: Elastic, **options: Any) -> AsyncIterator[SearchEngineSink[Any]]:
    """The sink that writes into a store, opened."""
    settings = {"provision": True, "replicas": 0, "retry": {"timeout": 60}, **options}
    sink = store.product.make(url=url, index=store.name, **settings)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def all_of(sink: SearchEngineSink[Any], **conditions: Any) -> list[Any]:
    """All events that match."""
    return [event async for event in sink.search(Query(limit=None, **conditions))]
