"""The forwarder: it stands in the place of a sink whose events go over a broker.

It is a sink whose backend is the broker, so that the channel and workers of every sink serve it: their
batches, retries, backpressure, counters and receipts. ``stored`` means here that the broker has confirmed an
event; whether the sink itself has it is known only to the worker process that delivers it.
"""

from __future__ import annotations

from collections.abc import Sequence

from logweir.delivery.brokers.contract import Broker, Message
from logweir.encoding.events import encode_event
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Sink, SinkConfig, SinkContext
from logweir.sinks.results import Health, WriteResult

__all__ = ["Forwarder"]


class Forwarder(Sink[SinkConfig]):
    """Publishes batches.

    Args:
        config: The settings of the sink in whose place it stands.
        broker: Where to; not yet open.
        context: What a sink may know of the process.
    """

    def __init__(self, config: SinkConfig, broker: Broker, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self._broker = broker

    async def open(self) -> None:
        """See :meth:`Sink.open`."""
        await self._broker.open()

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Publish a batch; what the broker did not take is sent again."""
        # One trace keeps its order and its partition; what has none is spread.
        messages = [Message(event.trace_id or event.id, encode_event(event)) for event in batch]
        refused = await self._broker.publish(messages)
        if not refused:
            return WriteResult.all_stored()
        reason = next(iter(refused.values()))
        if len(refused) == len(batch):
            raise SinkUnavailable(reason)
        return WriteResult(retry=frozenset(refused), retry_reason=reason)

    async def check(self) -> Health:
        """See :meth:`Sink.check`: what a confirmation of the broker means, and what weakens it."""
        health = await self._broker.health()
        detail = health.detail or "; ".join([health.durability.removesuffix("."), *health.warnings])
        return Health(health.status, detail, health.server)

    async def close(self) -> None:
        """See :meth:`Sink.close`."""
        await self._broker.close()
