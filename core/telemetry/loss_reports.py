"""Reporting losses to the operator: once in an interval, by sink and reason, never in silence.

Producers only count, which is cheap; this reporter on the runtime's loop compares the counts and logs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from logweir.diagnostics import INTERVAL, say
from logweir.encoding.counted import counted
from logweir.telemetry.model import Metrics

__all__ = ["LossReporter"]


class LossReporter:
    """Logs when counts of lost events have grown.

    Args:
        read: The current metrics.
    """

    def __init__(self, read: Callable[[], Metrics]) -> None:
        self._read = read
        self._reported: dict[tuple[str, str], int] = {}

    async def run(self, interval: float = INTERVAL) -> None:
        """Report for ever."""
        while True:
            await asyncio.sleep(interval)
            self.report()

    def report(self) -> None:
        """Report what was lost since the last report."""
        for key, count in _losses(self._read()).items():
            new = count - self._reported.get(key, 0)
            if new > 0:
                self._reported[key] = count
                sink, reason = key
                dropped = counted(new, "event")
                say(logging.WARNING, "%s dropped %s: %s (%d in all)", sink, dropped, reason, count)


def _losses(metrics: Metrics) -> dict[tuple[str, str], int]:
    losses = {
        (f"sink {name!r}", reason.value): count
        for name, sink in metrics.sinks.items()
        for reason, count in sink.dropped.items()
    }
    losses["routes", "unrouted"] = metrics.unrouted
    losses["runtime", "logged after the stop"] = metrics.dropped_at_stop
    return losses
