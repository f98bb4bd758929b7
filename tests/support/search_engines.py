"""The products that the search engines' sinks write to: their sinks and options, by the names of their servers."""

from dataclasses import dataclass
from typing import Any

from logweir.sinks.elasticsearch.config import ElasticsearchConfig
from logweir.sinks.elasticsearch.sink import ElasticsearchSink
from logweir.sinks.opensearch.config import OpenSearchConfig
from logweir.sinks.opensearch.sink import OpenSearchSink
from logweir.sinks.shared.search_engine.config import SearchEngineConfig
from logweir.sinks.shared.search_engine.sink import SearchEngineSink

__all__ = ["PRODUCTS", "SearchEngineProduct"]


@dataclass(frozen=True)
class SearchEngineProduct:
    """One product.

    Attributes:
        name: Of its server, and of its sink's type.
        version: What its server says it is, by its beginning.
        sink: Its sink.
        config: The sink's options.
        oversized: Fields that its index refuses as a whole.
    """

    name: str
    version: str
    sink: type[SearchEngineSink[Any]]
    config: type[SearchEngineConfig]
    oversized: tuple[dict[str, Any], ...]

    def make(self, **options: Any) -> SearchEngineSink[Any]:
        """Make a sink."""
        return self.sink(self.config.model_validate(options))


PRODUCTS = {
    "elasticsearch": SearchEngineProduct(
        "elasticsearch",
        "Elasticsearch 8.",
        ElasticsearchSink,
        ElasticsearchConfig,
        ({"a\0b": "x", "c": 1.0}, {"k" * 40_000: "v"}),
    ),
    "opensearch": SearchEngineProduct(
        "opensearch",
        "OpenSearch 2.",
        OpenSearchSink,
        OpenSearchConfig,
        ({"long": "v" * 40_000, "c": 1.0}, {"k" * 40_000: "v"}),
    ),
}
