"""Whose counts an event on disk is in: reloads in a row leave several queues on one backlog."""

import asyncio
from pathlib import Path

from logweir.delivery.queue import Lease
from logweir.delivery.queues.disk import DiskQueue
from logweir.testing.contract import make_event
from support.disk import make_queue, make_spool


def counts(*queues: DiskQueue) -> list[tuple[int, int, int]]:
    found = [queue.statistics() for queue in queues]
    return [(each.accepted, each.depth, each.in_flight) for each in found]


async def leased(queue: DiskQueue) -> Lease:
    lease = await queue.take(1, 2**20, 0.0)
    assert lease is not None
    return lease


async def test_the_queue_that_was_opened_last_counts_and_an_earlier_one_when_that_has_closed_its_books(
    tmp_path: Path,
) -> None:
    spool = make_spool(tmp_path)
    first = make_queue(spool)
    for number in range(3):
        first.put(make_event(str(number)))
    await asyncio.to_thread(spool.commit)
    in_hand = await leased(first)
    first.close()
    assert counts(first) == [(3, 2, 1)]  # the sink is gone
    second = make_queue(spool)
    assert counts(first, second) == [(0, 0, 0), (3, 2, 1)]  # and there again
    second.close()
    second.settle(await leased(second))
    second.close_books()
    assert counts(first, second) == [(2, 1, 1), (0, 0, 0)]  # two of the three are the first one's now
    first.settle(in_hand)
    first.settle(await leased(first))
    assert counts(first) == [(2, 0, 0)]
    first.close_books()
    assert counts(first) == [(0, 0, 0)]
    await asyncio.to_thread(spool.close)
