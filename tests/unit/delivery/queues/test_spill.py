"""The spilling queue: memory first, then the disk, in order."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.queue import DropReason, PutResult
from logweir.delivery.queues.spill import SpillQueue
from logweir.delivery.set_aside import PutOff
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.settings.delivery import QueueConfig
from logweir.testing.contract import make_event
from support.disk import make_spool, names


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = make_spool(tmp_path, threaded=True)
    yield spool
    spool.close()


def spilling(spool: Spool, memory: int = 5, disk: int = 10_000) -> SpillQueue:
    wake: Any = asyncio.get_running_loop().call_soon_threadsafe
    config = QueueConfig(when_full="spill", max_events=memory, spill_max_events=disk)
    return SpillQueue(spool, "sink", config, "drop_newest", wake)


async def take_all(queue: SpillQueue, batch: int = 3) -> list[Event]:
    taken: list[Event] = []
    while lease := await asyncio.wait_for(queue.take(batch, 2**20, 0.0), 5.0):
        taken += lease.events
        queue.settle(lease)
    return taken


async def test_overflow_goes_to_disk_and_comes_back_in_order(spool: Spool) -> None:
    queue = spilling(spool)
    sent = [make_event(str(number)) for number in range(50)]
    assert {queue.put(event) for event in sent} == {PutResult.ACCEPTED}
    now = queue.statistics()
    assert (now.depth, now.accepted, now.dropped) == (50, 50, {})
    queue.close()
    assert await take_all(queue) == sent


async def test_memory_is_not_used_again_before_the_disk_is_drained(spool: Spool) -> None:
    queue = spilling(spool)
    sent = [make_event(str(number)) for number in range(40)]
    taken = []
    for event in sent[:20]:
        queue.put(event)
    for event in sent[20:]:
        lease = await asyncio.wait_for(queue.take(1, 2**20, 0.0), 5.0)
        assert lease is not None
        taken += lease.events
        queue.settle(lease)
        queue.put(event)
    queue.close()
    assert names(taken + await take_all(queue)) == names(sent)


async def test_a_waiting_consumer_gets_what_comes_after_a_spill(spool: Spool) -> None:
    queue = spilling(spool)
    for number in range(8):
        queue.put(make_event(str(number)))
    taken = 0
    while taken < 8:
        lease = await asyncio.wait_for(queue.take(10, 2**20, 0.0), 5.0)
        assert lease is not None
        taken += len(lease.events)
        queue.settle(lease)
    waiting = asyncio.create_task(queue.take(10, 2**20, 0.0))
    await asyncio.sleep(0)
    queue.put(make_event("later"))
    lease = await asyncio.wait_for(waiting, 5.0)
    assert lease is not None
    assert names(list(lease.events)) == ["later"]
    queue.settle(lease)
    await asyncio.wait_for(queue.settled_up_to(queue.mark()), 5.0)


async def test_a_full_disk_part_does_as_its_policy_says(spool: Spool) -> None:
    queue = spilling(spool, memory=2, disk=3)
    results = [queue.put(make_event()) for _ in range(7)]
    assert results == [PutResult.ACCEPTED] * 5 + [PutResult.DROPPED] * 2
    assert queue.statistics().dropped == {DropReason.QUEUE_FULL_NEWEST: 2}


async def test_what_only_memory_holds_can_be_saved_at_the_end(spool: Spool) -> None:
    queue = spilling(spool)
    for number in range(8):
        queue.put(make_event(str(number)))
    lease = await queue.take(2, 2**20, 0.0)
    assert lease is not None
    queue.settle(lease, lease.events[1:])
    queue.close()
    assert names(queue.remove_unsaved()) == ["1", "2", "3", "4"]
    assert queue.statistics().depth == 3


async def test_a_consumer_that_waits_for_memory_gets_what_is_adopted(spool: Spool, tmp_path: Path) -> None:
    queue = spilling(spool)
    waiting = asyncio.create_task(queue.take(10, 2**20, 0.0))
    await asyncio.sleep(0)
    await asyncio.to_thread(spool.save, "sink", [make_event("adopted")])
    lease = await asyncio.wait_for(waiting, 5.0)
    assert lease is not None
    assert names(list(lease.events)) == ["adopted"]
    queue.settle(lease)


async def test_a_queue_that_was_handed_over_ends_with_its_memory(spool: Spool) -> None:
    queue = spilling(spool, memory=2)
    for number in range(6):
        queue.put(make_event(str(number)))
    successor = spilling(spool, memory=2)
    queue.close()
    assert names(await take_all(queue)) == ["0", "1"]
    successor.close()
    assert names(await take_all(successor)) == ["2", "3", "4", "5"]


async def test_what_spills_can_be_acknowledged_and_what_does_not_says_nothing(spool: Spool) -> None:
    queue = spilling(spool, memory=1)
    outcomes: list[OSError | None] = []
    queue.put(make_event(), outcomes.append)
    queue.put(make_event(), outcomes.append)
    assert await asyncio.to_thread(spool.flush)
    assert outcomes == [None]


async def test_what_is_set_aside_on_disk_comes_back_to_a_consumer_that_waits_for_memory(spool: Spool) -> None:
    queue = spilling(spool, memory=1)
    for name in ("memory", "disk"):
        queue.put(make_event(name))
    for _ in range(2):
        lease = await asyncio.wait_for(queue.take(1, 2**20, 0.0), 5.0)
        assert lease is not None
        waits = [(event, 1) for event in lease.events if event.name == "disk"]
        queue.settle(lease, put_off=[PutOff(waits, 0.05, "closed")] if waits else [])
    lease = await asyncio.wait_for(queue.take(1, 2**20, 3600.0), 5.0)
    assert lease is not None
    assert names(list(lease.events)) == ["disk"]
    queue.settle(lease)


async def test_a_queue_that_was_handed_over_does_not_ask_for_what_is_set_aside_on_disk(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = spilling(spool, memory=1)
    for name in ("memory", "disk"):
        queue.put(make_event(name))

    async def set_aside() -> list[str]:
        lease = await asyncio.wait_for(queue.take(1, 2**20, 0.0), 5.0)
        assert lease is not None
        queue.settle(lease, put_off=[PutOff([(event, 1) for event in lease.events], 3600.0, "busy")])
        return names(list(lease.events))

    assert [*await set_aside(), *await set_aside()] == ["memory", "disk"]
    successor = spilling(spool, memory=1)
    queue.close()  # which makes due what is set aside
    assert await set_aside() == ["memory"]
    asked: list[None] = []
    monkeypatch.setattr(queue._memory, "interrupt", lambda: asked.append(None))
    taking = asyncio.ensure_future(queue.take(1, 2**20, 0.0))
    for _ in range(100):
        await asyncio.sleep(0)
    taking.cancel()
    assert asked == []
    successor.close()
