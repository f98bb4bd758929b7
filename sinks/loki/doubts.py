"""Events that Loki refused for a reason that is not known here, while it took nothing else of their batch.

Such a refusal may be about all that is sent (a gateway, a tenant, a limit of a later Loki): then every event
would be refused, and none of them is at fault. Or it is about these events: then others are taken
meanwhile. So such an event waits, and is given up when it was refused again and again with others taken in
between.
"""

from __future__ import annotations

from collections.abc import Sequence

from logweir.sinks.loki.encode import Entry

__all__ = ["REFUSALS", "Doubts"]

#: Refusals after which an event is given up, each with others taken since the one before. One would not do:
#: of several servers behind an address, one may be ill.
REFUSALS = 5
#: Beyond so many, further ones wait until some of these are decided.
_MOST = 100_000


class Doubts:
    """What was refused so, and what was taken since; of one sink, in memory only."""

    def __init__(self) -> None:
        self._requests_taken = 0
        # By event id: how often it was refused, and what was taken up to the last time.
        self._refused: dict[str, tuple[int, int]] = {}

    def taken(self, entries: Sequence[Entry]) -> None:
        """Note a request that Loki took."""
        self._requests_taken += 1
        if self._refused:
            for entry in entries:
                self._refused.pop(entry.event.id, None)

    def is_at_fault(self, event_id: str) -> bool:
        """Note a refusal of an event; whether it is to be given up."""
        times, taken_before = self._refused.get(event_id, (0, -1))
        if taken_before == self._requests_taken:
            return False
        if times + 1 >= REFUSALS:
            del self._refused[event_id]
            return True
        if times or len(self._refused) < _MOST:
            self._refused[event_id] = times + 1, self._requests_taken
        return False
