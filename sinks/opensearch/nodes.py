"""Which node is asked: each in turn, one that failed only when it is due again or no other is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

__all__ = ["PENALTY", "Nodes"]

#: Seconds for which a node that failed is not asked.
PENALTY = 10.0


class Nodes:
    """The nodes of one cluster."""

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._urls = list(urls)
        self._clock = clock
        self._due: dict[str, float] = {}
        self._next = 0

    def in_turn(self) -> list[str]:
        """Return the nodes in the order in which this request asks them."""
        start, self._next = self._next, (self._next + 1) % len(self._urls)
        turned = self._urls[start:] + self._urls[:start]
        now = self._clock()
        # A stable sort: those that are well keep their turn, and behind them the one that is due the soonest.
        return sorted(turned, key=lambda url: max(self._due.get(url, 0.0) - now, 0.0))

    def failed(self, url: str) -> None:
        """Do not ask a node for a while."""
        self._due[url] = self._clock() + PENALTY

    def answered(self, url: str) -> None:
        """Ask a node in its turn again."""
        self._due.pop(url, None)
