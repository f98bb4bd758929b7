"""The Elasticsearch sink; what it does is in :mod:`logweir.sinks.shared.search_engine`."""

from __future__ import annotations

from typing import ClassVar

from logweir.sinks.elasticsearch.client import ElasticsearchClient
from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.product import Elasticsearch
from logweir.sinks.shared.search_engine.contract import Client, Product
from logweir.sinks.shared.search_engine.sink import SearchEngineSink

__all__ = ["ElasticsearchSink"]


class ElasticsearchSink(SearchEngineSink[ElasticsearchConfig]):
    """Writes events into a data stream, or into daily indexes."""

    Config = ElasticsearchConfig
    product: ClassVar[Product] = Elasticsearch()

    async def connect(self) -> Client:
        """See :meth:`SearchEngineSink.connect`."""
        return await ElasticsearchClient.make(self.config, self.context.workers)
