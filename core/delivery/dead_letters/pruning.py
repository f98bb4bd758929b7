"""Pruning: dead letters beyond their declared bounds are deleted, at the start and once a minute.

Each deletion is counted and reported. Without bounds nothing is ever deleted: that letters wait is reported
at the start, and shown by the metrics, ``logweir check`` and ``logweir dlq list``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from logweir.delivery.dead_letters.store import DeadLetters, Totals
from logweir.diagnostics import report, say
from logweir.encoding.counted import counted
from logweir.process.standstill import under_way
from logweir.process.threads import in_thread
from logweir.settings.operations import DeadLettersConfig

__all__ = ["DeadLetterPruner", "described"]

_INTERVAL = 60.0


class DeadLetterPruner:
    """Prunes the dead letters of the configuration in force.

    Args:
        current: The dead letters and their bounds, as they are now.

    Attributes:
        expired: Letters that this process deleted because of the bounds, by sink.
    """

    def __init__(self, current: Callable[[], tuple[DeadLetters, DeadLettersConfig]]) -> None:
        self._current = current
        self.expired: Counter[str] = Counter()
        self._turn = asyncio.Lock()

    async def run(self, interval: float = _INTERVAL) -> None:
        """Prune for ever."""
        await self.prune(report_waiting=True)
        while True:
            await asyncio.sleep(interval)
            await self.prune()

    async def prune(self, *, report_waiting: bool = False) -> None:
        """Delete what is beyond the bounds, and count what waits, whoever wrote it."""
        letters, bounds = self._current()
        try:
            async with self._turn, under_way():
                expired, totals = await in_thread(lambda: _prune(letters, bounds))
                self.expired.update(expired)
        except OSError as error:
            report("dead_letters.pruning", "the dead letters cannot be pruned: %s", error)
            return
        for sink, count in expired.items():
            say(
                logging.WARNING,
                "%s of %s deleted, beyond %s",
                counted(count, "dead letter"),
                f"sink {sink!r}" if sink else "unreadable lines",
                described(bounds),
            )
        if report_waiting and totals.count and totals.oldest is not None:
            say(
                logging.WARNING,
                "%s in %s, the oldest since %s; see `logweir dlq list`",
                counted(totals.count, "dead letter", "waits", "wait"),
                letters.path,
                datetime.fromtimestamp(totals.oldest / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC"),
            )


def _prune(letters: DeadLetters, bounds: DeadLettersConfig) -> tuple[dict[str, int], Totals]:
    expired: dict[str, int] = {}
    if bounds.keep is not None or bounds.max_bytes is not None:
        expired = letters.prune(keep=bounds.keep, max_bytes=bounds.max_bytes, now=time.time_ns())
    return expired, letters.look()


def described(bounds: DeadLettersConfig) -> str:
    """The bounds that are set, as they stand in routing.yaml."""
    parts = []
    if bounds.keep is not None:
        parts.append(f"dead_letters.keep ({bounds.keep:.0f} s)")
    if bounds.max_bytes is not None:
        parts.append(f"dead_letters.max_bytes ({bounds.max_bytes:,})")
    return " or ".join(parts)
