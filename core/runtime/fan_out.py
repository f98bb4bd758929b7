"""The fan-out: one event to the queues of all its sinks, also while a reload replaces them.

The rule for a queue that a reload has closed, said once: its event goes to the *successor*, the sink of the
same name in the pipeline in force. Where a sink has no successor, the event goes where the new routes send
it, but never to a sink that has it already. Only a queue that is closed and has no newer pipeline behind it
belongs to a runtime that stops; what it refuses is counted as dropped at the stop.

Tracing events follow the rule sink by sink (:meth:`FanOut.dispatch`), what is handed over to one sink follows
that sink (:meth:`FanOut.put`), and an audit event whose receipt names its sinks begins anew if all of them
are gone (:meth:`FanOut.audit`).
"""

from __future__ import annotations

from collections.abc import Sequence

from logweir.delivery.channel import Channel
from logweir.delivery.queue import OnDurable, PutResult
from logweir.delivery.receipts import AckLevel, OpenReceipts, Receipt
from logweir.event import Event
from logweir.routing.router import SAMPLED
from logweir.runtime.pipeline import Pipeline

__all__ = ["FanOut"]


class FanOut:
    """Hands events to the channels of the pipeline in force; from any thread.

    Args:
        pipeline: The pipeline in force; a reload replaces it by setting the attribute.
        receipts: Where audit events wait for what the sinks answer.

    Attributes:
        unrouted: Events that no route takes.
        sampled: Events that a route's ``sample`` left out.
        dropped_at_stop: Events that met a queue which a stop had closed.
    """

    def __init__(self, pipeline: Pipeline, receipts: OpenReceipts) -> None:
        self.pipeline = pipeline
        self._receipts = receipts
        self.unrouted = self.sampled = self.dropped_at_stop = 0

    def dispatch(self, event: Event) -> None:
        """Hand an event to the queues of its sinks."""
        channels = self.pipeline.router.route(event)
        if not channels:
            self._count_unrouted(channels)
        for channel in channels:
            if channel.put(event) is PutResult.CLOSED:
                done = channels.index(channel)
                self._dispatch_after_reload(event, channels[:done], channels[done:])
                return

    def _dispatch_after_reload(self, event: Event, given: Sequence[Channel], left: Sequence[Channel]) -> None:
        """Go on with a fan-out that met the closed queue of a sink which a reload changed or removed.

        What is left goes to the successors, and if one of the sinks is gone, also where the new routes say.
        """
        pipeline = self.pipeline
        names = dict.fromkeys(channel.name for channel in left)
        if not names.keys() <= pipeline.channels.keys():
            names.update(dict.fromkeys(channel.name for channel in pipeline.router.route(event)))
        had = {channel.name for channel in given}
        targets = [pipeline.channels[name] for name in names if name in pipeline.channels and name not in had]
        for number, channel in enumerate(targets):
            if channel.put(event) is PutResult.CLOSED:
                # Closed, and still in force: no reload did this, so nobody comes after it.
                if pipeline is self.pipeline:
                    self.dropped_at_stop += 1
                else:
                    self._dispatch_after_reload(event, [*given, *targets[:number]], targets[number:])
                return

    def put(self, channel: Channel, event: Event, on_durable: OnDurable | None = None) -> PutResult:
        """Put an event into one sink's queue, following the sink to its successor."""
        while (result := channel.put(event, on_durable)) is PutResult.CLOSED:
            successor = self.pipeline.channels.get(channel.name)
            if successor is None or successor is channel:
                self.dropped_at_stop += successor is channel
                break
            channel = successor
        return result

    def audit(self, event: Event, acknowledge: AckLevel) -> Receipt:
        """Hand over an audit event whose acknowledgement can be waited for.

        Args:
            event: The event.
            acknowledge: The highest level that the receipt will be asked for.
        """
        while True:
            pipeline = self.pipeline
            channels = pipeline.router.route(event)
            receipt = Receipt(event, tuple(channel.name for channel in channels))
            if not channels:
                self._count_unrouted(channels)
                receipt.refused("no route takes it; add one with match: {kind: audit}")
                return receipt
            answers = self.put_audit(receipt, channels, acknowledge)
            # A receipt names its sinks, so an event that met a reload in all of them gets a new one.
            if pipeline is self.pipeline or set(answers) != {PutResult.CLOSED}:
                return receipt

    def put_audit(
        self, receipt: Receipt, channels: Sequence[Channel], acknowledge: AckLevel
    ) -> list[PutResult]:
        """Put an audit event into these channels; its receipt learns which queues did not accept it."""
        waits = acknowledge != "accepted"
        # What every queue says by itself need not be asked of the sinks.
        if waits and (acknowledge == "stored" or not all(channel.queue.durable for channel in channels)):
            self._receipts.watch(receipt)
        answers = [
            self.put(channel, receipt.event, receipt.on_durable(channel.name) if waits else None)
            for channel in channels
        ]
        for channel, answer in zip(channels, answers, strict=True):
            if answer is not PutResult.ACCEPTED:
                receipt.refused(f"sink {channel.name!r}: its queue answered {answer.value}")
                self._receipts.settled(channel.name, receipt.event)
        return answers

    def _count_unrouted(self, answer: object) -> None:
        if answer is SAMPLED:
            self.sampled += 1
        else:
            self.unrouted += 1
