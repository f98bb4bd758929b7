"""The OpenSearch sink; what it does is in :mod:`logweir.sinks.shared.search_engine`."""

from __future__ import annotations

from typing import ClassVar

from logweir.sinks.opensearch.client import OpenSearchClient
from logweir.sinks.opensearch.config import OpenSearchConfig
from logweir.sinks.opensearch.product import OpenSearch
from logweir.sinks.shared.search_engine.contract import Client, Product
from logweir.sinks.shared.search_engine.sink import SearchEngineSink

__all__ = ["OpenSearchSink"]


class OpenSearchSink(SearchEngineSink[OpenSearchConfig]):
    """Writes events into a data stream, or into daily indexes."""

    Config = OpenSearchConfig
    product: ClassVar[Product] = OpenSearch()

    async def connect(self) -> Client:
        """See :meth:`SearchEngineSink.connect`."""
        return await OpenSearchClient.make(self.config, self.context.workers)
