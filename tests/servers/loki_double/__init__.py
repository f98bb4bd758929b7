"""A strict double of Loki: a server of its own process that refuses what Loki's documentation says it refuses.

The server of Loki may not be built here, and a double that takes everything would prove nothing. This one is
as strict as the documentation: labels, lines, times, rates, streams, structured metadata, tenants; and it
answers only the LogQL that the sink sends. Data survive SIGKILL, so that tests can kill it.

A push goes through ``decoding`` (bytes to streams), ``rules`` (what the distributor refuses), ``rates``, and
``store`` (what the ingester refuses, and keeps). ``logql`` reads queries, ``server`` is the HTTP interface,
``limits`` holds every limit with its documented default. "Loki docs" in comments is Loki's own documentation.
"""
