"""Elasticsearch: bulk writes by the official asynchronous client, into a data stream or daily indexes."""
