"""Queues in whose work a signal handler or a finaliser of the same thread logs, at any instruction."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.queue import EventQueue, PutResult
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.queues.spill import SpillQueue
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.settings.delivery import QueueConfig
from logweir.testing.contract import make_event
from support.disk import make_spool
from support.interrupting import interrupt_at, steps

pytestmark = pytest.mark.soak

MakeQueue = Callable[..., EventQueue]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = make_spool(tmp_path, threaded=True)
    yield spool
    spool.close()


@pytest.fixture(params=["memory", "disk", "spill"])
def make_queue(request: pytest.FixtureRequest, spool: Spool) -> MakeQueue:
    def make(when_full: Any = "block", **settings: Any) -> EventQueue:
        wake: Any = asyncio.get_running_loop().call_soon_threadsafe
        if request.param == "memory":
            return MemoryQueue(QueueConfig(**settings), when_full, wake)
        if request.param == "disk":
            return DiskQueue(spool, "sink", QueueConfig(**settings), when_full, wake)
        config = QueueConfig(when_full="spill", max_events=40, spill_max_events=100_000)
        return SpillQueue(spool, "sink", config, "block", wake)

    return make


class Producer:
    """Puts events, and remembers which must come out before which."""

    def __init__(self, queue: EventQueue) -> None:
        self.queue = queue
        self.events: list[Event] = []
        self.answers: list[str] = []
        self._next = count()

    def put(self) -> None:
        event = make_event(str(next(self._next)))
        self.events.append(event)
        assert self.queue.put(event, self._answer(event)) is PutResult.ACCEPTED

    def _answer(self, event: Event) -> Callable[[OSError | None], None]:
        def answer(error: OSError | None) -> None:
            assert error is None
            self.answers.append(event.id)

        return answer


async def take_all(queue: EventQueue, batch: int = 100) -> list[Event]:
    taken: list[Event] = []
    while lease := await asyncio.wait_for(queue.take(batch, 2**30, 0.0), 10.0):
        taken += lease.events
        queue.settle(lease)
    return taken


async def test_c1_a_put_inside_a_put_loses_nothing_at_any_instruction(make_queue: MakeQueue) -> None:
    queue = make_queue(max_events=100_000)
    producer = Producer(queue)
    pairs: list[tuple[int, int]] = []
    for step in steps(5):
        outer = len(producer.events)
        reached = interrupt_at(step, producer.put, producer.put)
        if not reached:
            break
        pairs.append((outer, outer + 1))
    assert len(pairs) > 5
    assert queue.statistics().accepted == queue.mark() == len(producer.events)
    queue.close()
    taken = [int(event.name) for event in await take_all(queue)]
    assert sorted(taken) == list(range(len(producer.events)))
    # The two of a pair are simultaneous; each pair comes before the next.
    places = {number: place for place, number in enumerate(taken)}
    for before, after in pairwise(pairs):
        assert max(places[number] for number in before) < min(places[number] for number in after)


async def test_c1_a_put_inside_the_work_of_a_consumer_loses_nothing(make_queue: MakeQueue) -> None:
    queue = make_queue(max_events=100_000)
    producer = Producer(queue)
    taken: list[Event] = []

    def work() -> None:
        """What is synchronous of a consumer and of those who look."""
        queue.statistics()
        queue.mark()
        if leases:
            lease = leases.pop()
            queue.settle(lease, lease.events[:1])
            taken.extend(lease.events[1:])

    for step in steps(7):
        for _ in range(3):
            producer.put()
        leases = [await asyncio.wait_for(queue.take(10, 2**30, 0.0), 10.0)]
        if not interrupt_at(step, work, producer.put):
            break
    queue.close()
    taken += await take_all(queue)
    assert sorted(int(event.name) for event in taken) == list(range(len(producer.events)))


async def test_c1_a_take_that_is_interrupted_by_a_put_gets_it(make_queue: MakeQueue) -> None:
    """The consumer must not fall asleep over what was put while it looked."""
    queue = make_queue(max_events=100_000)
    producer = Producer(queue)
    for step in steps(11):
        take = queue.take(10, 2**30, 0.0)
        context: dict[str, Any] = {}

        def first(take: Any = take, context: dict[str, Any] = context) -> None:
            context["future"] = _started(take)

        reached = interrupt_at(step, first, producer.put)
        if not reached:
            producer.put()
        lease = await asyncio.wait_for(context["future"], 10.0)
        assert lease is not None
        assert [event.name for event in lease.events] == [str(len(producer.events) - 1)]
        queue.settle(lease)
        if not reached:
            break


def _started(coroutine: Any) -> Any:
    """Run a coroutine up to its first wait, here and now; return what awaits the rest."""
    try:
        waited_for = coroutine.send(None)
    except StopIteration as end:
        return _value(end.value)
    return _rest(coroutine, waited_for)


async def _value(value: Any) -> Any:
    return value


async def _rest(coroutine: Any, waited_for: Any) -> Any:
    while True:
        waited_for._asyncio_future_blocking = False
        await asyncio.wait([waited_for])
        try:
            waited_for = coroutine.send(None)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("when_full", ["drop_newest", "drop_oldest"])
@pytest.mark.parametrize("kind", ["memory", "disk"])
async def test_c1_what_is_put_inside_a_put_of_a_full_queue_is_counted(
    spool: Spool, kind: str, when_full: Any
) -> None:
    wake: Any = asyncio.get_running_loop().call_soon_threadsafe
    config = QueueConfig(max_events=3)
    queue: EventQueue = (
        MemoryQueue(config, when_full, wake)
        if kind == "memory"
        else DiskQueue(spool, "sink", config, when_full, wake)
    )
    puts = 0
    for step in steps(9):
        puts += 2
        if not interrupt_at(step, lambda: queue.put(make_event()), lambda: queue.put(make_event())):
            puts -= 1
            break
    now = queue.statistics()
    assert now.depth <= 3
    assert now.depth + sum(now.dropped.values()) == puts


def test_c1_a_commit_inside_which_events_are_put_answers_all_of_them(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    queue = DiskQueue(spool, "sink", QueueConfig(), "block", lambda _callback: None)
    producer = Producer(queue)
    for step in steps(67):
        producer.put()
        if not interrupt_at(step, spool.commit, producer.put):
            break
    while spool.has_staged:
        assert spool.commit() is None
    assert sorted(producer.answers) == sorted(event.id for event in producer.events)
    spool.close()


@pytest.mark.parametrize("kind", ["memory", "disk", "spill"])
def test_c1_a_put_that_interrupts_the_work_of_another_queue_does_not_wait_for_room(
    tmp_path: Path, kind: str
) -> None:
    """Whoever makes room may need what this thread holds: all delivery stood still for the block_timeout."""
    spool = make_spool(tmp_path)
    others: dict[str, Callable[[], Any]] = {
        "memory": lambda: MemoryQueue(QueueConfig(), "block", lambda _callback: None),
        "disk": lambda: DiskQueue(spool, "other", QueueConfig(), "block", lambda _callback: None),
        "spill": lambda: SpillQueue(
            spool, "other", QueueConfig(when_full="spill"), "block", lambda _callback: None
        ),
    }
    other = others[kind]()
    full = MemoryQueue(QueueConfig(max_events=1, block_timeout=3.0), "block", lambda _callback: None)
    full.put(make_event())
    answers: list[PutResult] = []
    for step in range(1, 150, 4):

        def interrupt() -> None:
            if other.is_interrupted():
                answers.append(full.put(make_event()))

        interrupt_at(step, lambda: other.put(make_event()), interrupt)
    assert answers
    assert set(answers) == {PutResult.ACCEPTED}
    assert full.statistics().depth == 1 + len(answers)
    spool.close()
