"""OpenSearch: bulk writes over plain HTTP, into a data stream or daily indexes."""
