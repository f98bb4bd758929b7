"""What the benchmarks of the backends share: a load, and a sink beside its backend's own client.

A benchmark gives two coroutines that each write the load once, by the sink and by the bare client; here they
take turns, and the bar is set. Whatever a client needs before it can write (a connection, an index, its
documents) is made before :func:`write_all` starts its clock.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from secrets import token_hex
from typing import Any, NamedTuple

from logweir.benchmarks.measure import Bar, Report, take_turns
from logweir.event import Event, Kind, new_event_id

__all__ = ["BATCH", "Spent", "Write", "compare", "in_batches", "named", "order_events", "write_all"]

#: Events in each batch.
BATCH = 1000
#: What a sink must reach of the rate of its backend's own client.
_SHARE_OF_BARE = 0.9

Write = Callable[[Any], Awaitable[Any]]


class Spent(NamedTuple):
    """Seconds that a load took.

    Attributes:
        wall: By the clock, which a busy machine and the server's own work lengthen.
        cpu: Of this process's processor time.
    """

    wall: float
    cpu: float


def named(workers: int) -> str:
    """``1 worker`` or ``2 workers``, as a contender's name says it."""
    return f"{workers} worker{'s' if workers > 1 else ''}"


def order_events(count: int, *, varied: bool = False) -> list[Event]:
    """Make tracing events of a shop, eight to a request.

    Args:
        count: How many.
        varied: With random values and ids, so that compression is not flattered.
    """
    now = time.time_ns()
    return [
        Event(
            new_event_id(),
            now + number,
            Kind.TRACING,
            "info",
            "order.placed",
            "shop",
            "bench",
            trace,
            token_hex(8) if varied else f"{number:016x}",
            _varied_order(number) if varied else _order(number),
        )
        for number, trace in enumerate(_traces(count, varied=varied))
    ]


def _traces(count: int, *, varied: bool) -> Iterable[str]:
    traces = [token_hex(16) if varied else f"{request:032x}" for request in range(count // 8 + 1)]
    return (traces[number // 8] for number in range(count))


def _order(number: int) -> dict[str, Any]:
    return {
        "order_id": number,
        "user_id": number % 1000,
        "amount": 12.5 + number % 90,
        "currency": "EUR",
        "path": "/orders",
        "duration_ms": 3.25,
        "ok": True,
    }


def _varied_order(number: int) -> dict[str, Any]:
    return {
        **_order(number),
        "user_id": random.randrange(100_000),
        "amount": random.randrange(100_000) / 100,
        "duration_ms": round(random.expovariate(0.1), 3),
    }


def in_batches(items: Sequence[Any]) -> list[list[Any]]:
    """Cut a load into batches of :data:`BATCH`."""
    return [list(items[start : start + BATCH]) for start in range(0, len(items), BATCH)]


async def write_all(write: Write, batches: Iterable[Any], workers: int) -> Spent:
    """Write every batch once, by this many workers at the same time."""
    left = iter(batches)

    async def work() -> None:
        # All workers take from one iterator, as a sink's workers take from one queue.
        for batch in left:
            await write(batch)

    started, spent = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(workers)))
    return Spent(time.perf_counter() - started, time.process_time() - spent)


def compare(
    report: Report,
    sink: tuple[str, Callable[[], Coroutine[Any, Any, float]]],
    bare: tuple[str, Callable[[], Coroutine[Any, Any, float]]],
    runs: int,
) -> None:
    """Let a sink and its backend's own client take turns, and add what they reached to a report.

    Args:
        report: Gets both series, and the bar on their ratio.
        sink: Its name, and what writes the load once and returns events a second.
        bare: The same of the client alone.
        runs: How many turns count.
    """
    contenders = [(name, lambda run=run: asyncio.run(run())) for name, run in (sink, bare)]
    ours, theirs = take_turns(contenders, runs, "events/s")
    report.series += [ours, theirs]
    report.bars.append(Bar(ours.ratio(theirs), _SHARE_OF_BARE, at_most=False))
