"""What waits for sinks that are not configured any more becomes dead letters: nobody will ever take it.

A reload may bring such a sink while this goes on: what has an open queue has somebody who takes it.
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf

from logweir.delivery.dead_letters import DeadLetter
from logweir.delivery.queue import Lease
from logweir.delivery.spool.backlog import Backlog
from logweir.delivery.spool.reading import write_dead_letters
from logweir.delivery.spool.spool import Spool
from logweir.process.fork_gate import gate

__all__ = ["dead_letter_unconfigured"]

_ROWS = 500
_BYTES = 4 * 2**20
_REASON = "sink {!r} is not configured any more"


def dead_letter_unconfigured(spool: Spool, configured: Collection[str]) -> int:
    """Turn what waits for sinks that are not in ``configured`` into dead letters; blocks.

    Returns:
        How many events became dead letters.
    """
    strangers = [
        backlog
        for backlog in spool.backlogs()
        if backlog.sink not in configured and (backlog.depth or backlog.aside.waiting)
    ]
    return sum(_give_up(spool, backlog) for backlog in strangers)


def _give_up(spool: Spool, backlog: Backlog) -> int:
    """Take batches as a worker would, until nothing waits or the letters cannot be written for now."""
    reason = _REASON.format(backlog.sink)
    count = 0
    while True:
        lease = _lease_aside(spool, backlog) or _lease(spool, backlog)
        if lease is None:
            return count
        letters = [DeadLetter.of_event(backlog.sink, reason, event) for event in lease.events]
        with gate:
            written = write_dead_letters(spool.dead_letters, letters)
        with spool.lock:
            positions = backlog.settle(lease, () if written else lease.events)
        # Removed only when the letters are durable: a crash in between repeats them under the same ids.
        spool.remove(backlog, positions)
        if not written:
            return count
        count += len(lease.events)


def _lease(spool: Spool, backlog: Backlog) -> Lease | None:
    if backlog.on_disk and not (backlog.ready or backlog.open_queues):
        spool.read(backlog, _ROWS, _BYTES)
    with spool.lock:
        return None if backlog.open_queues else backlog.lease(_ROWS, _BYTES)


def _lease_aside(spool: Spool, backlog: Backlog) -> Lease | None:
    with spool.lock:
        if not backlog.aside.waiting or backlog.aside.tried is not None or backlog.open_queues:
            return None
        group = backlog.aside.take(inf, _ROWS, _BYTES)
    held = spool.read_set_aside(backlog, group)
    with spool.lock:
        if held is None:
            backlog.aside.put_back(0.0)
            return None
        return backlog.lease_aside(group, held, 0.0)
