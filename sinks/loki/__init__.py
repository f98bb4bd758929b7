"""Loki: the push API through httpx. Few static labels; all else is structured metadata or the line."""

from typing import TYPE_CHECKING

from logweir.sinks.loki.config import LokiConfig

if TYPE_CHECKING:
    from logweir.sinks.loki.sink import LokiSink

__all__ = ["LokiConfig", "LokiSink"]


def __getattr__(name: str) -> object:
    # The options are read where another process writes to the sink, which needs no HTTP client.
    if name == "LokiSink":
        from logweir.sinks.loki.sink import LokiSink  # noqa: PLC0415 - see above

        return LokiSink
    raise AttributeError(name)
