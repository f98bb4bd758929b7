"""What a call costs at worst: events made to cost as much as they can, in processor time of one call each.

Each event is logged with names that were never met before. The least of a few turns counts, since what
interrupts a turn is no cost of the call. Long events of an ordinary kind stand beside them, and must be
stored as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from logweir.benchmarks.hostile_events import hostile_events, ordinary_events
from logweir.benchmarks.measure import Bar, Report, Series
from logweir.capture.snapshot import Snapshotter
from logweir.config.models import RedactConfig

__all__ = ["cost_of", "measure"]

_SHOWN = 12


def measure(*, turns: int = 3, every: int = 1) -> Report:
    """Measure what each event costs.

    Args:
        turns: How often each is logged; the least counts.
        every: Only each so-manieth hostile event.
    """
    hostile = {name: cost_of(make, turns) for name, make in [*hostile_events()][::every]}
    ordinary = {name: cost_of(lambda event=event: event, turns) for name, event in ordinary_events().items()}  # type: ignore[misc]
    dearest = sorted(hostile, key=hostile.__getitem__, reverse=True)[:_SHOWN]
    return Report(
        f"Hostile calls: {len(hostile)} events made to cost as much as they can",
        [
            Series("all hostile events", "ms", [*hostile.values()]),
            *(Series(name, "ms", [hostile[name]]) for name in dearest),
            *(Series(name, "ms", [cost]) for name, cost in ordinary.items()),
        ],
        [
            Bar(Series("the dearest hostile event", "ms", [max(hostile.values())]), 10.0),
            Bar(Series("the dearest ordinary event", "ms", [max(ordinary.values())]), 10.0),
        ],
    )


def cost_of(make: Callable[[], dict[str, Any]], turns: int) -> float:
    """Return the processor time of one call, in milliseconds: the least of some turns."""
    costs = []
    for _ in range(turns):
        fields, snapshot = make(), Snapshotter(RedactConfig().redactor())
        started = time.thread_time()
        snapshot(fields)
        costs.append((time.thread_time() - started) * 1000)
    return min(costs)
