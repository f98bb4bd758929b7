"""Loki: the push API through httpx. Few static labels; all else is structured metadata or the line."""

from logweir.sinks.loki.config import LokiConfig
from logweir.sinks.loki.sink import LokiSink

__all__ = ["LokiConfig", "LokiSink"]
