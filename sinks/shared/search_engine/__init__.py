"""What Elasticsearch and OpenSearch have in common, for the sinks of both: the interface of their REST API.

Where they differ (the type of a field of fields, how indexes are rolled over, how a sort is written) a
:class:`~logweir.sinks.shared.search_engine.contract.Product` says how.
"""
