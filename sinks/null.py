"""The null sink: takes everything and keeps nothing; for benchmarks and for switching a route off."""

from __future__ import annotations

from collections.abc import Sequence

from logweir.event import Event
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult

__all__ = ["NullConfig", "NullSink"]


class NullConfig(SinkConfig):
    """Options of the null sink: none of its own."""

    type: str = "null"


class NullSink(Sink[NullConfig]):
    """Discards events."""

    Config = NullConfig

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Discard a batch."""
        return WriteResult.all_stored()
