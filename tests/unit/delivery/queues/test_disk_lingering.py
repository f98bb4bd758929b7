"""A consumer of a disk queue that lingers is woken when its batch is full, and not by every commit."""

import asyncio
from pathlib import Path

import pytest

from logweir.delivery.queue import Lease
from logweir.testing.contract import make_event
from support.disk import make_queue, make_spool


@pytest.mark.parametrize("full", [True, False])
async def test_commits_that_fill_no_batch_do_not_wake_the_consumer_that_lingers(
    tmp_path: Path, *, full: bool
) -> None:
    loop = asyncio.get_running_loop()
    wakes: list[object] = []

    def wake(callback: object) -> None:
        wakes.append(callback)
        loop.call_soon_threadsafe(callback)  # type: ignore[arg-type]

    spool = make_spool(tmp_path)
    queue = make_queue(spool, wake=wake)
    taking = asyncio.ensure_future(queue.take(4, 2**20, 3600.0))
    await asyncio.sleep(0)
    for number in range(3):
        queue.put(make_event(str(number)))
        await asyncio.to_thread(spool.commit)
        for _ in range(5):
            await asyncio.sleep(0)
    assert len(wakes) == 1  # the first event begins the linger
    assert not taking.done()
    if full:
        queue.put(make_event("last"))
        await asyncio.to_thread(spool.commit)
    else:
        queue.close()
    lease = await asyncio.wait_for(taking, 10.0)
    assert isinstance(lease, Lease)
    assert len(lease.events) == 3 + full
    assert len(wakes) == 2
    queue.settle(lease)
    queue.close()
    await asyncio.to_thread(spool.close)
