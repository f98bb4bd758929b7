"""What several sinks need, said once: TLS contexts, the HTTP client, what status codes mean, verdicts so far.

Nothing here knows a sink, and sinks do not know each other: the import contract in ``pyproject.toml`` holds
both.
"""
