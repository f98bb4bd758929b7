"""Redaction: what is secret, and how it becomes ``***``, for events and for messages.

``names`` knows secret keys and ``patterns`` secret texts; ``redactor`` applies both to what is logged, as its
arguments ask. ``messages`` masks what a message about a configuration must not show, before any redaction is
configured. Nothing here reads a configuration or does IO, so every layer may use it.
"""
