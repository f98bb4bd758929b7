"""The contract that every queue keeps; each implementation is one parameter."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queue import DropReason, EventQueue, PutResult
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.queues.spill import SpillQueue
from logweir.delivery.set_aside import PutOff
from logweir.delivery.spool.spool import Spool
from logweir.event import Event, new_event_id
from logweir.settings.delivery import QueueConfig

pytestmark = pytest.mark.busy

MakeQueue = Callable[..., EventQueue]


def event(name: str = "event", size: int = 100) -> Event:
    from logweir.event import Kind

    return Event(new_event_id(), 1, Kind.TRACING, "info", name, "s", "test", None, None, {}, size)


@pytest.fixture(params=["memory", "disk", "spill"])
def make_queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeQueue]:
    spool = Spool(tmp_path / "queues", DeadLetters(tmp_path))

    def memory(when_full: str = "block", **settings: Any) -> EventQueue:
        loop = asyncio.get_running_loop()
        return MemoryQueue(QueueConfig(**settings), when_full, loop.call_soon_threadsafe)  # type: ignore[arg-type]

    def disk(when_full: str = "block", **settings: Any) -> EventQueue:
        loop = asyncio.get_running_loop()
        config = QueueConfig(**settings)
        return DiskQueue(spool, "sink", config, when_full, loop.call_soon_threadsafe)  # type: ignore[arg-type]

    def spill(when_full: str = "block", **settings: Any) -> EventQueue:
        """The last event that finds a place finds it on disk; where bytes are bounded, all but the first."""
        loop = asyncio.get_running_loop()
        if "max_events" in settings:
            settings |= {"max_events": settings["max_events"] - 1, "spill_max_events": 1}
        if "max_bytes" in settings:
            settings |= {"max_events": 1, "spill_max_bytes": settings.pop("max_bytes")}
        config = QueueConfig(when_full="spill", **settings)
        return SpillQueue(spool, "sink", config, when_full, loop.call_soon_threadsafe)  # type: ignore[arg-type]

    yield {"memory": memory, "disk": disk, "spill": spill}[request.param]
    spool.close()


async def take_all(queue: EventQueue, batch: int = 100) -> list[Event]:
    """Take and settle until the queue is closed and empty."""
    taken: list[Event] = []
    while lease := await queue.take(batch, 10**9, 0.0):
        taken.extend(lease.events)
        queue.settle(lease)
    return taken


async def test_events_come_out_in_the_order_of_their_puts(make_queue: MakeQueue) -> None:
    queue = make_queue()
    sent = [event(str(number)) for number in range(250)]
    for item in sent:
        assert queue.put(item) is PutResult.ACCEPTED
    queue.close()
    assert await take_all(queue) == sent


async def test_events_of_many_threads_arrive_exactly_once(make_queue: MakeQueue) -> None:
    queue = make_queue(max_events=100_000)
    sent = [[event(f"{thread}.{number}") for number in range(1000)] for thread in range(16)]

    def produce(items: list[Event]) -> None:
        for item in items:
            queue.put(item)

    consumer = asyncio.create_task(take_all(queue))
    await asyncio.gather(*(asyncio.to_thread(produce, items) for items in sent))
    queue.close()
    taken = await consumer
    assert len(taken) == 16_000
    for items in sent:
        names = {item.name for item in items}
        assert [item.name for item in taken if item.name in names] == [item.name for item in items]


async def test_a_batch_holds_no_more_events_than_asked_for(make_queue: MakeQueue) -> None:
    queue = make_queue()
    for _ in range(25):
        queue.put(event())
    lease = await queue.take(10, 10**9, 0.0)
    assert lease is not None
    assert len(lease.events) == 10


async def test_a_batch_holds_no_more_bytes_than_asked_for(make_queue: MakeQueue) -> None:
    queue = make_queue()
    for _ in range(10):
        queue.put(event(size=100))
    lease = await queue.take(100, 350, 0.0)
    assert lease is not None
    assert len(lease.events) == 3


async def test_an_event_larger_than_a_batch_goes_alone(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.put(event(size=5000))
    queue.put(event(size=10))
    lease = await queue.take(100, 1000, 0.0)
    assert lease is not None
    assert [item.size for item in lease.events] == [5000]


@pytest.mark.wound("vector #22946")
async def test_linger_bounds_the_wait_of_a_lone_event(make_queue: MakeQueue) -> None:
    queue = make_queue()
    taking = asyncio.create_task(queue.take(100, 10**9, 0.05))
    await asyncio.sleep(0)
    queue.put(event("alone"))
    lease = await asyncio.wait_for(taking, timeout=2.0)
    assert lease is not None
    assert [item.name for item in lease.events] == ["alone"]


async def test_a_full_batch_does_not_linger(make_queue: MakeQueue) -> None:
    queue = make_queue()
    taking = asyncio.create_task(queue.take(3, 10**9, 3600.0))
    await asyncio.sleep(0)
    for _ in range(3):
        queue.put(event())
    assert await asyncio.wait_for(taking, timeout=2.0) is not None


async def test_a_batch_full_by_bytes_does_not_linger(make_queue: MakeQueue) -> None:
    queue = make_queue()
    taking = asyncio.create_task(queue.take(100, 250, 3600.0))
    await asyncio.sleep(0)
    for _ in range(3):
        queue.put(event(size=100))
    assert await asyncio.wait_for(taking, timeout=2.0) is not None


async def test_closing_hands_out_what_is_inside_and_then_nothing(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.put(event())
    queue.close()
    assert queue.put(event()) is PutResult.CLOSED
    assert await queue.take(10, 10**9, 3600.0) is not None
    assert await queue.take(10, 10**9, 3600.0) is None


async def test_closing_wakes_a_worker_that_waits(make_queue: MakeQueue) -> None:
    queue = make_queue()
    taking = asyncio.create_task(queue.take(10, 10**9, 0.0))
    await asyncio.sleep(0)
    queue.close()
    assert await asyncio.wait_for(taking, timeout=2.0) is None


async def test_drop_newest_refuses_and_counts(make_queue: MakeQueue) -> None:
    queue = make_queue("drop_newest", max_events=2)
    results = [queue.put(event(str(number))) for number in range(5)]
    assert results == [PutResult.ACCEPTED] * 2 + [PutResult.DROPPED] * 3
    assert queue.statistics().dropped == {DropReason.QUEUE_FULL_NEWEST: 3}
    queue.close()
    assert [item.name for item in await take_all(queue)] == ["0", "1"]


@pytest.mark.wound("opentelemetry-python #4336")
async def test_drop_oldest_forgets_the_oldest_and_counts_it(make_queue: MakeQueue) -> None:
    queue = make_queue("drop_oldest", max_events=2)
    assert {queue.put(event(str(number))) for number in range(5)} == {PutResult.ACCEPTED}
    assert queue.statistics().dropped == {DropReason.QUEUE_FULL_OLDEST: 3}
    queue.close()
    kept = [item.name for item in await take_all(queue)]
    assert (len(kept), kept[-1]) == (2, "4")


async def test_bytes_bound_the_queue_too(make_queue: MakeQueue) -> None:
    queue = make_queue("drop_newest", max_bytes=1024)
    accepted = [queue.put(event(size=300)) for _ in range(10)].count(PutResult.ACCEPTED)
    assert accepted in {4, 5}
    assert queue.statistics().size <= 1024 + 2 * 300


async def test_block_waits_for_room(make_queue: MakeQueue) -> None:
    queue = make_queue("block", max_events=2, block_timeout=30)
    for _ in range(2):
        queue.put(event())
    blocked = asyncio.create_task(asyncio.to_thread(queue.put, event("later")))
    for _ in range(2):
        lease = await queue.take(1, 10**9, 0.0)
        assert lease is not None
        queue.settle(lease)
    assert await asyncio.wait_for(blocked, 5.0) is PutResult.ACCEPTED


@pytest.mark.wound("loguru #1065")
async def test_block_gives_up_at_its_deadline_and_counts(make_queue: MakeQueue) -> None:
    queue = make_queue("block", max_events=2, block_timeout=0.02)
    for _ in range(2):
        queue.put(event())
    assert await asyncio.to_thread(queue.put, event()) is PutResult.DROPPED
    assert queue.statistics().dropped == {DropReason.BLOCK_TIMEOUT: 1}


async def test_block_never_blocks_an_event_loop(make_queue: MakeQueue) -> None:
    queue = make_queue("block", max_events=2, block_timeout=3600)
    for _ in range(2):
        queue.put(event())
    assert queue.put(event()) is PutResult.DROPPED
    assert queue.statistics().dropped == {DropReason.FULL_ON_EVENT_LOOP: 1}


async def test_closing_frees_a_blocked_producer(make_queue: MakeQueue) -> None:
    queue = make_queue("block", max_events=2, block_timeout=3600)
    for _ in range(2):
        queue.put(event())
    entered = threading.Event()

    def put() -> PutResult:
        entered.set()
        return queue.put(event())

    blocked = asyncio.create_task(asyncio.to_thread(put))
    await asyncio.to_thread(entered.wait)
    queue.close()
    assert await asyncio.wait_for(blocked, 5.0) is PutResult.CLOSED


async def test_a_flush_waits_for_what_was_put_before_it_and_no_more(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.put(event("before"))
    flushed = asyncio.create_task(queue.settled_up_to(queue.mark()))
    await asyncio.sleep(0)
    lease = await queue.take(1, 10**9, 3600.0)
    queue.put(event("after"))
    assert lease is not None
    assert not flushed.done()
    queue.settle(lease)
    await asyncio.wait_for(flushed, 2.0)


async def test_a_flush_is_not_fooled_by_batches_settled_out_of_order(make_queue: MakeQueue) -> None:
    queue = make_queue()
    for _ in range(2):
        queue.put(event())
    first = await queue.take(1, 10**9, 0.0)
    second = await queue.take(1, 10**9, 0.0)
    assert first is not None
    assert second is not None
    flushed = asyncio.create_task(queue.settled_up_to(1))
    queue.settle(second)
    await asyncio.sleep(0)
    assert not flushed.done()
    queue.settle(first)
    await asyncio.wait_for(flushed, 2.0)


async def test_d5_a_flush_that_times_out_leaves_nobody_behind_who_waits(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.put(event())
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.settled_up_to(queue.mark()), 0.01)
    parts = [queue._memory, queue._disk] if isinstance(queue, SpillQueue) else [queue]
    assert [part._flushes for part in parts] == [[]] * len(parts)  # type: ignore[attr-defined]
    lease = await queue.take(1, 10**9, 0.0)
    assert lease is not None
    queue.settle(lease)
    await asyncio.wait_for(queue.settled_up_to(queue.mark()), 2.0)


async def test_a_flush_does_not_linger(make_queue: MakeQueue) -> None:
    queue = make_queue()
    taking = asyncio.create_task(queue.take(100, 10**9, 3600.0))
    await asyncio.sleep(0)
    queue.put(event())
    flushed = asyncio.create_task(queue.settled_up_to(queue.mark()))
    lease = await asyncio.wait_for(taking, 2.0)
    assert lease is not None
    queue.settle(lease)
    await asyncio.wait_for(flushed, 2.0)


@pytest.mark.wound("vector #10174")
async def test_statistics_agree_with_the_truth(make_queue: MakeQueue) -> None:
    queue = make_queue("drop_newest", max_events=10)
    for _ in range(12):
        queue.put(event(size=50))
    lease = await queue.take(4, 10**9, 0.0)
    assert lease is not None
    now = queue.statistics()
    assert (now.depth, now.in_flight, now.size, now.accepted) == (6, 4, 300, 10)
    assert now.dropped == {DropReason.QUEUE_FULL_NEWEST: 2}
    queue.settle(lease)
    assert queue.statistics().in_flight == 0


async def hurry(queue: EventQueue) -> None:
    """Wait until there is no leisure: what goes to disk is committed by another thread."""
    async with asyncio.timeout(30):
        while queue.has_leisure():
            await asyncio.sleep(0.01)


async def test_there_is_leisure_until_a_queue_is_half_full_or_somebody_waits(make_queue: MakeQueue) -> None:
    queue = make_queue(max_events=20)
    assert queue.has_leisure()
    queue.put(event())
    assert queue.has_leisure()
    flush = asyncio.ensure_future(queue.settled_up_to(queue.mark()))
    await hurry(queue)
    lease = await queue.take(10, 10_000, 0)
    assert lease is not None
    queue.settle(lease)
    await flush
    assert queue.has_leisure()
    for _ in range(10):
        queue.put(event())
    await hurry(queue)


async def test_a_closed_queue_has_no_leisure(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.close()
    assert not queue.has_leisure()


async def test_what_is_not_settled_waits_again_in_front(make_queue: MakeQueue) -> None:
    queue = make_queue()
    sent = [event(str(number)) for number in range(6)]
    for item in sent:
        queue.put(item)
    lease = await queue.take(4, 10**9, 0.0)
    assert lease is not None
    queue.settle(lease, lease.events[2:])
    now = queue.statistics()
    assert (now.depth, now.in_flight, now.size, now.accepted) == (4, 0, 400, 6)
    queue.close()
    assert await take_all(queue) == sent[2:]


async def test_a_flush_waits_for_what_was_given_back(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.put(event())
    lease = await queue.take(1, 10**9, 0.0)
    assert lease is not None
    flushed = asyncio.create_task(queue.settled_up_to(queue.mark()))
    queue.settle(lease, lease.events)
    await asyncio.sleep(0)
    assert not flushed.done()
    again = await queue.take(1, 10**9, 3600.0)
    assert again is not None
    queue.settle(again)
    await asyncio.wait_for(flushed, 2.0)


async def test_what_is_not_on_disk_at_the_end_is_the_callers(make_queue: MakeQueue) -> None:
    queue = make_queue()
    for _ in range(5):
        queue.put(event())
    lease = await queue.take(2, 10**9, 0.0)
    assert lease is not None
    queue.settle(lease, lease.events)
    queue.close()
    expected = 0 if queue.durable else 5
    assert len(queue.remove_unsaved()) == expected
    assert queue.statistics().depth == 5 - expected
    assert len(await take_all(queue)) == 5 - expected


async def put_off(queue: EventQueue, *names: str, pause: float = 0.0) -> None:
    """Put events, take them, and set them aside."""
    for name in names:
        queue.put(event(name))
    while names:
        lease = await queue.take(len(names), 10**9, 0.0)
        assert lease is not None
        names = names[len(lease.events) :]
        queue.settle(lease, put_off=[PutOff([(item, 1) for item in lease.events], pause, "closed")])


async def test_what_is_set_aside_waits_while_others_pass(make_queue: MakeQueue) -> None:
    queue = make_queue()
    await put_off(queue, "a", "b", pause=3600.0)
    queue.put(event("c"))
    lease = await asyncio.wait_for(queue.take(10, 10**9, 0.0), 5.0)
    assert lease is not None
    assert [item.name for item in lease.events] == ["c"]
    queue.settle(lease)
    now = queue.statistics()
    assert (now.depth, now.in_flight, now.size, now.accepted) == (2, 0, 200, 3)
    assert (now.set_aside, now.reason) == (2, "closed")


async def test_what_is_set_aside_comes_back_when_it_is_due_with_its_attempts(make_queue: MakeQueue) -> None:
    queue = make_queue()
    await put_off(queue, "a", pause=0.05)
    lease = await asyncio.wait_for(queue.take(10, 10**9, 3600.0), 5.0)
    assert lease is not None
    assert [(item.name, lease.attempts[id(item)]) for item in lease.events] == [("a", 1)]
    now = queue.statistics()
    assert (now.depth, now.in_flight, now.set_aside) == (0, 1, 1)
    queue.settle(lease)
    now = queue.statistics()
    assert (now.depth, now.in_flight, now.size, now.set_aside, now.reason) == (0, 0, 0, 0, "")


async def test_what_is_due_and_what_is_new_are_leased_in_turn(make_queue: MakeQueue) -> None:
    queue = make_queue()
    await put_off(queue, *["late"] * 4)
    outcomes: list[OSError | None] = []
    for _ in range(4):
        queue.put(event("new"), outcomes.append)
    while queue.durable and len(outcomes) < 4:
        await asyncio.sleep(0.001)
    order = []
    for _ in range(8):
        lease = await asyncio.wait_for(queue.take(1, 10**9, 0.0), 5.0)
        assert lease is not None
        order.append(lease.events[0].name)
        queue.settle(lease)
    assert order[:4].count("late") == 2
    assert order.count("late") == 4


async def test_what_is_given_back_while_it_is_tried_again_is_set_aside_as_it_was(
    make_queue: MakeQueue,
) -> None:
    queue = make_queue()
    await put_off(queue, "a", "b")
    for _ in range(2):
        lease = await asyncio.wait_for(queue.take(10, 10**9, 0.0), 5.0)
        assert lease is not None
        queue.settle(lease, lease.events)
        assert (queue.statistics().set_aside, queue.statistics().reason) == (2, "closed")
    queue.close()
    assert sorted(item.name for item in await take_all(queue)) == ["a", "b"]


async def test_a_closed_queue_hands_out_what_is_set_aside_at_once_and_then_nothing(
    make_queue: MakeQueue,
) -> None:
    queue = make_queue()
    await put_off(queue, "a", pause=3600.0)
    queue.close()
    assert [item.name for item in await asyncio.wait_for(take_all(queue), 5.0)] == ["a"]


async def test_a_consumer_that_waits_hears_of_what_another_puts_off(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.put(event("a"))
    lease = await queue.take(1, 10**9, 0.0)
    waiting = asyncio.create_task(queue.take(1, 10**9, 0.0))
    await asyncio.sleep(0)
    assert lease is not None
    queue.settle(lease, put_off=[PutOff([(lease.events[0], 1)], 0.01, "")])
    again = await asyncio.wait_for(waiting, 5.0)
    assert again is not None
    assert [item.name for item in again.events] == ["a"]


async def test_a_durable_queue_says_when_an_event_is_on_disk(make_queue: MakeQueue) -> None:
    queue = make_queue()
    outcomes: list[OSError | None] = []
    assert queue.put(event(), outcomes.append) is PutResult.ACCEPTED
    lease = await queue.take(1, 10**9, 0.0)
    assert lease is not None
    assert outcomes == [None] * queue.durable


async def test_a_burst_wakes_the_worker_once_and_not_once_an_event() -> None:
    wakes: list[Callable[[], None]] = []
    queue = MemoryQueue(QueueConfig(), "block", wakes.append)
    for _ in range(1000):
        queue.put(event())
    assert len(wakes) == 1


async def test_a_put_inside_a_put_of_the_same_thread_does_not_deadlock() -> None:
    """A signal handler or a finaliser may log while the interrupted code is in the middle of a put."""
    queue = MemoryQueue(QueueConfig(), "block", lambda _callback: None)
    with queue._lock:
        assert queue.put(event()) is PutResult.ACCEPTED
