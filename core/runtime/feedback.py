"""What the delivery logs about itself: it would be delivered, and logged about in turn, for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from logweir.diagnostics import report
from logweir.event import Event, Kind
from logweir.process.delivering import in_finaliser
from logweir.process.reentry import holds_registered
from logweir.telemetry.model import SinkMetrics

__all__ = ["Feedback"]


class Feedback:
    """Decides about events that are logged in the delivery's own work.

    Args:
        sinks: The counts of the sinks.

    Attributes:
        left_out: Events that were left out, and records logged too deep inside the capture of others.
    """

    def __init__(self, sinks: Callable[[], Mapping[str, SinkMetrics]]) -> None:
        self._sinks = sinks
        self._echoes = 0
        self.left_out = 0

    def leaves_out(self, event: Event, *, from_library: bool) -> bool:
        """Whether to leave out, and then counts, an event that the delivery logs.

        Audit never is, nor what a finaliser logs, or whatever else interrupts the delivery inside a lock,
        where no sink is called: that is not about the work that it interrupts. A sink may log about the
        application's events, as often as there are any, but not about its own; its client may not at all.
        """
        if event.kind is Kind.AUDIT or in_finaliser() or holds_registered():
            return False
        if not from_library:
            accepted = max((sink.accepted for sink in self._sinks().values()), default=0)
            if self._echoes < accepted - self._echoes:
                self._echoes += 1
                return False
        self.count(str(event.fields.get("logger", event.name)))
        return True

    def count(self, source: str) -> None:
        """Count an event that is left out, and report the first by the name of its logger."""
        self.left_out += 1
        if self.left_out == 1:  # a client at debug would be reported for ever
            report(
                "feedback",
                "what sinks and their clients log about their own writes is left out and counted (left_out "
                "in the metrics), or it would go round for ever; the first came from %.200r",
                source,
            )
