"""Explicit rows: events that are written by the caller's own words, past the queues.

``LogService`` writes a row in the caller's transaction, or at once in one of the sink's own
(:meth:`ExplicitRows.write`). A row that was committed with ``outbox: true`` still has to reach the other
sinks of its route: :meth:`ExplicitRows.forward` hands it to their queues.
"""

from __future__ import annotations

from logweir.delivery import direct_write
from logweir.delivery.channel import Channel
from logweir.delivery.queues.bounded import interrupts_delivery
from logweir.delivery.receipts import Receipt
from logweir.delivery.worker import Clock
from logweir.errors import AuditError
from logweir.event import Event
from logweir.process.loop_thread import LoopThread
from logweir.process.threads import on_event_loop
from logweir.runtime.drain import GRACE
from logweir.runtime.fan_out import FanOut
from logweir.sinks.contract import Transactional

__all__ = ["ExplicitRows"]


class ExplicitRows:
    """Writes rows past the queues; on the loop thread, from any thread or event loop.

    Args:
        fan_out: Knows the pipeline in force.
        loop_thread: Where sinks are called.
        clock: Time for back-off.
    """

    def __init__(self, fan_out: FanOut, loop_thread: LoopThread, clock: Clock) -> None:
        self._fan_out = fan_out
        self._loop_thread = loop_thread
        self._clock = clock

    def transactional_sink(self, event: Event, name: str | None) -> Transactional:
        """The sink whose table a row goes into.

        Raises:
            LogweirError: There is none, or the one wanted cannot take it.
        """
        return direct_write.transactional(self._channel(event, name))

    async def write(self, event: Event, sink: str | None, timeout: float | None) -> None:
        """Write a row in a transaction of the sink's own; awaited on any event loop.

        Raises:
            AuditError: It was not written in time, or never will be.
            LogweirError: No sink can take it.
        """
        seconds = self._seconds(timeout)
        try:
            await self._loop_thread.run_from_loop(self._write(event, sink, seconds), seconds + GRACE)
        except TimeoutError as error:
            raise _not_written(event, error) from None

    def write_sync(self, event: Event, sink: str | None, timeout: float | None) -> None:
        """Do what :meth:`write` does, waiting in this thread.

        Raises:
            AuditError: It was not written in time, or never will be; or it would block an event loop.
            LogweirError: No sink can take it.
        """
        if on_event_loop():
            raise AuditError(
                f"writing {event.name!r} would block the event loop; await the asynchronous method instead"
            )
        if interrupts_delivery():
            raise AuditError(
                f"writing {event.name!r} cannot be waited for in a finaliser or a signal handler that "
                "interrupted the delivery; make an audit event with acknowledge='accepted' there"
            )
        seconds = self._seconds(timeout)
        try:
            self._loop_thread.run(self._write(event, sink, seconds), seconds + GRACE)
        except TimeoutError as error:
            raise _not_written(event, error) from None

    def _seconds(self, timeout: float | None) -> float:
        return self._fan_out.pipeline.config.audit.timeout if timeout is None else timeout

    async def _write(self, event: Event, sink: str | None, seconds: float) -> None:
        # It knows best why it is late, and so gets less time than its caller's own clock, which goes on where
        # a sink blocks this loop.
        await direct_write.record(self._channel(event, sink), event, seconds, self._clock)

    def outboxes(self) -> list[Channel]:
        """The channels of sinks with an outbox."""
        channels = self._fan_out.pipeline.channels.values()
        return [channel for channel in channels if direct_write.has_outbox(channel)]

    async def forward(self, event: Event, source: str) -> None:
        """Hand an event of an outbox to the other sinks of its route, and wait until all have it for good.

        A queue on disk has it for good, and so have the dead letters.

        Raises:
            AuditError: Not all have it.
        """
        pipeline = self._fan_out.pipeline
        channels = [channel for channel in pipeline.router.route(event) if channel.name != source]
        if channels:
            receipt = _Forwarded(event, tuple(channel.name for channel in channels))
            self._fan_out.put_audit(receipt, channels, "durable")
            await receipt.acknowledged("durable", pipeline.config.audit.timeout)

    def _channel(self, event: Event, name: str | None) -> Channel:
        pipeline = self._fan_out.pipeline
        return direct_write.find_transactional(pipeline.channels, pipeline.router.route(event), name)


class _Forwarded(Receipt):
    """The receipt of an event whose note is deleted when nobody needs it any more."""

    def dead_letter(self, sink: str, reason: str) -> None:
        """See :meth:`Receipt.dead_letter`: it is kept there, and would only be refused again."""
        del reason
        self.settled(sink, None)


def _not_written(event: Event, error: TimeoutError) -> AuditError:
    return AuditError(f"event {event.id} ({event.name}) was not written: {error}")
