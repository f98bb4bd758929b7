"""What two sinks or more need: TLS contexts, the HTTP client, and the header Retry-After.

A rule that several sinks follow is said here once. Nothing in this room imports a sink, and what only one
sink needs stays with that sink.
"""
