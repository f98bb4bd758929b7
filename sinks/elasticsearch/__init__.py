"""Elasticsearch: the bulk API through its own asynchronous client."""
