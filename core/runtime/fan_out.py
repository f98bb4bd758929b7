"""The fan-out: one event to the queues of all its sinks, also while a reload replaces them.

A reload puts its pipeline in force before it closes the queues of the old one. So a closed queue means one
of three things, and each has one answer, whoever puts and whatever for:

* The pipeline in force has another channel of that name: its *successor*. The event is put there.
* It has none: the sink is *gone*. A tracing event goes where the routes in force send it, but to no sink
  that had it already. An audit event is routed anew if all its sinks are gone; where some are, the receipt
  says so, since its caller relied on them.
* It has this very channel: the runtime stops, or has stopped. A log line is a *late line*, and saved
  (:mod:`logweir.runtime.late_lines`); where that cannot be it is counted, once, as dropped at the stop. An
  audit call is refused.

:meth:`FanOut._put` finds out which; nothing else asks whether a queue is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from logweir.delivery.channel import Channel
from logweir.delivery.queue import OnDurable, PutResult
from logweir.delivery.queues.bounded import prepare_to_wait
from logweir.delivery.receipts import AckLevel, OpenReceipts, Receipt
from logweir.event import Event
from logweir.routing.router import SAMPLED
from logweir.runtime.pipeline import Pipeline

__all__ = ["FanOut"]

#: The answer for a sink that the pipeline in force does not have.
_GONE: Final = None
_CLOSED = PutResult.CLOSED  # found faster than a member of its class
#: What a queue answered, and whose.
_Taken = tuple[PutResult | None, Channel]


class FanOut:
    """Hands events to the channels of the pipeline in force, from any thread.

    Args:
        pipeline: The pipeline in force; a reload replaces it by setting the attribute.
        receipts: The receipts that wait for sinks.
        save_late: Saves a line that came after the stop for these sinks; False if that cannot be.

    Attributes:
        unrouted: Events that no route takes.
        sampled: Events that a route's ``sample`` left out.
        dropped_at_stop: Events that came after the stop and could not be saved.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        receipts: OpenReceipts,
        save_late: Callable[[Event, Sequence[str]], bool] = lambda _event, _sinks: False,
    ) -> None:
        self.pipeline = pipeline
        self._receipts = receipts
        self._save_late = save_late
        self.unrouted = self.sampled = self.dropped_at_stop = 0

    def dispatch(self, event: Event) -> None:
        """Hand an event to the queues of its sinks."""
        channels = self.pipeline.router.route(event)
        if not channels:
            self._count_unrouted(channels)
        # The way of nearly every event, so it does without `_put`: a call for each sink is measurable here.
        for channel in channels:
            if channel.put(event) is _CLOSED:
                done = channels.index(channel)
                self._dispatch_rest(event, channels[:done], channels[done:])
                return

    def _dispatch_rest(self, event: Event, given: Sequence[Channel], left: Sequence[Channel]) -> None:
        """Go on with a fan-out that has met a closed queue."""
        had = {channel.name for channel in given}
        stopped: list[str] = []
        routed: Sequence[Channel] = left
        while left:
            answers = {channel.name: self._put(channel, event) for channel in left}
            had.update(name for name, answer in answers.items() if answer is not _GONE)
            stopped += [name for name, answer in answers.items() if answer is PutResult.CLOSED]
            if _GONE not in answers.values():
                break
            routed = self.pipeline.router.route(event)
            left = [channel for channel in routed if channel.name not in had]
        if stopped and not self._save_late(event, stopped):
            self.dropped_at_stop += 1
        if not had:  # its sinks are gone, and no route of the new ones takes it
            self._count_unrouted(routed)

    def hand_over(self, channel: Channel, event: Event) -> bool:
        """Put what a retired channel could not deliver into its successor's queue; False if nobody takes it.

        An event that the queue drops because it is full counts as taken: the queue has counted it.
        """
        # Not by way of the retired queue: one on a full disk says so before it says that it is closed.
        successor = self.pipeline.channels.get(channel.name)
        return successor is not None and self._put(successor, event) not in {_GONE, PutResult.CLOSED}

    def audit(self, event: Event, acknowledge: AckLevel, *, save_late: bool = False) -> Receipt:
        """Hand over an audit event whose acknowledgement can be waited for.

        Args:
            event: The event.
            acknowledge: The highest level that the receipt will be asked for.
            save_late: What meets the stop is saved as a late line is; its receipt is refused all the same.
        """
        while True:
            channels = self.pipeline.router.route(event)
            receipt = Receipt(event, tuple(channel.name for channel in channels))
            if not channels:
                self._count_unrouted(channels)
                receipt.refused("no route takes it; add one with match: {kind: audit}")
                return receipt
            answers = self.put_audit(receipt, channels, acknowledge, save_late=save_late)
            # A receipt names its sinks for good, so new ones need a new receipt.
            if set(answers) != {_GONE}:
                return receipt

    def put_audit(
        self,
        receipt: Receipt,
        channels: Sequence[Channel],
        acknowledge: AckLevel,
        *,
        save_late: bool = False,
    ) -> list[PutResult | None]:
        """Put an audit event, and report to its receipt which queues did not accept it."""
        waits = acknowledge != "accepted"
        # Before the first put, for a worker may be faster than this thread. What every queue reports by
        # itself, once it is on disk, need not be asked of the sinks.
        if waits and (acknowledge == "stored" or not all(channel.queue.durable for channel in channels)):
            self._receipts.watch(receipt)
        takers = [self._put_audit(channel, receipt, waits=waits) for channel in channels]
        answers = [answer for answer, _ in takers]
        if waits:
            receipt.interrupts = prepare_to_wait()
            for _, channel in takers:
                # What a broker has confirmed is durable, and reported as any answer of a sink.
                reports = channel.reports_stored or channel.config.queue.is_forwarded_here
                if not reports or (acknowledge == "stored" and not channel.reports_stored):
                    self._receipts.unreported(channel.name, receipt.event)
        for channel, answer in zip(channels, answers, strict=True):
            if answer is not PutResult.ACCEPTED:
                what = "closed" if answer is _GONE else answer.value
                receipt.refused(f"sink {channel.name!r}: its queue answered {what}")
                self._receipts.settled(channel.name, receipt.event)
        pairs = zip(channels, answers, strict=True)
        stopped = [channel.name for channel, answer in pairs if answer is PutResult.CLOSED]
        if stopped and not (save_late and self._save_late(receipt.event, stopped)):
            self.dropped_at_stop += 1
        return answers

    def _put_audit(self, channel: Channel, receipt: Receipt, *, waits: bool) -> _Taken:
        """Put an audit event; what its receipt waits for depends on the queue that takes it.

        A reload may have put one in memory in the place of one on disk, which reports by itself.
        """

        def watch(successor: Channel) -> None:
            if waits and not successor.queue.durable:
                self._receipts.watch(receipt)

        on_durable = receipt.on_durable(channel.name) if waits else None
        return self._follow(channel, receipt.event, on_durable, watch)

    def _put(self, channel: Channel, event: Event) -> PutResult | None:
        """Put an event into a sink's queue, following the sink through reloads; the answer."""
        return self._follow(channel, event)[0]

    def _follow(
        self,
        channel: Channel,
        event: Event,
        on_durable: OnDurable | None = None,
        before: Callable[[Channel], None] = lambda _successor: None,
    ) -> _Taken:
        """Put an event into a sink's queue, following the sink through reloads.

        Args:
            channel: The sink's channel, which may be replaced by now.
            event: The event.
            on_durable: What the queue reports to.
            before: Called with each successor, before the event is put there.

        Returns:
            What the queue answered, and the last channel that was asked; CLOSED says that the runtime has
            stopped, None that the sink is gone.
        """
        while (answer := channel.put(event, on_durable)) is PutResult.CLOSED:
            # Read once: another reload may be under way.
            successor = self.pipeline.channels.get(channel.name)
            if successor is channel:
                break
            if successor is None:
                return _GONE, channel
            channel = successor
            before(channel)
        return answer, channel

    def _count_unrouted(self, answer: object) -> None:
        if answer is SAMPLED:
            self.sampled += 1
        else:
            self.unrouted += 1
