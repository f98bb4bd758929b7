"""The broker queue over a broker in memory: what it leases, settles, holds and gives back."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from logweir.delivery.brokers.contract import Entry, Message, PartitionState, Place
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queue import Lease, PutResult
from logweir.delivery.queues.broker import BrokerQueue
from logweir.delivery.set_aside import PutOff
from logweir.encoding.events import encode_event
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.settings.delivery import RetryConfig
from logweir.testing.events import make_event
from support.broker_double import BrokerDouble

RETRY = RetryConfig(initial=0.01, max=0.02)


class Bench:
    """One place, its publisher, and queues of as many workers as a test wants."""

    def __init__(self, folder: Path, claim_after: float = 30.0) -> None:
        self._place = Place(f"sink-{uuid4().hex}")
        self._claim_after = claim_after
        self.dead_letters = DeadLetters(folder)
        self.publisher = self.broker()

    def broker(self) -> BrokerDouble:
        return BrokerDouble(self._place, partitions=3, claim_after=self._claim_after)

    def queue(self, broker: BrokerDouble | None = None, room: tuple[int, int] = (100, 10**6)) -> BrokerQueue:
        wake = asyncio.get_running_loop().call_soon_threadsafe
        return BrokerQueue(
            broker or self.broker(), "sink", self._claim_after, room, RETRY, self.dead_letters, wake
        )

    async def publish(self, number: int, version: int = 1) -> list[Event]:
        events = [make_event("event", number=item) for item in range(number)]
        await self.publisher.publish([Message(event.id, encode_event(event), version) for event in events])
        return events

    async def unsettled(self) -> int:
        return sum(state.lag + state.pending for state in await self.publisher.states())

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def ids(events: Sequence[Event]) -> list[str]:
    return sorted(event.id for event in events)


async def take(queue: BrokerQueue, number: int, batch: int = 1000) -> list[Lease]:
    """Leases until they have so many events."""
    leases: list[Lease] = []
    async with asyncio.timeout(30):
        while sum(len(lease.events) for lease in leases) < number:
            lease = await queue.take(batch, 10**9, 0.0)
            assert lease is not None
            leases.append(lease)
    return leases


def events_of(leases: Sequence[Lease]) -> list[Event]:
    return [event for lease in leases for event in lease.events]


async def test_what_was_published_is_delivered_and_settled_with_the_broker(bench: Bench) -> None:
    sent = await bench.publish(50)
    queue = bench.queue()
    leases = await take(queue, 50)
    assert ids(events_of(leases)) == ids(sent)
    assert await bench.unsettled() == 50
    for lease in leases:
        queue.settle(lease)
    await queue.settled_up_to(queue.mark())
    assert await bench.unsettled() == 0
    queue.close()
    assert await queue.take(10, 10**6, 0.0) is None


async def test_what_a_worker_has_not_settled_stays_with_the_broker(bench: Bench) -> None:
    await bench.publish(10)
    queue = bench.queue()
    [lease] = await take(queue, 10)
    queue.settle(lease, lease.events[7:])
    queue.close()
    rest = await take(queue, 3)
    assert ids(events_of(rest)) == ids(lease.events[7:])
    await queue.end()
    assert await bench.unsettled() == 3


async def test_a_worker_that_finds_nothing_more_gives_back_nothing_of_another_one(bench: Bench) -> None:
    await bench.publish(10)
    queue, another = bench.queue(), bench.queue()
    [lease] = await take(queue, 10)
    queue.close()
    assert await queue.take(10, 10**6, 0.0) is None  # the one that is idle
    waiting = asyncio.create_task(another.take(10, 10**6, 0.0))
    queue.settle(lease)
    assert await queue.take(10, 10**6, 0.0) is None  # the one that has written
    assert await bench.unsettled() == 0
    assert not waiting.done()
    another.close()
    assert await waiting is None


async def test_what_is_put_off_is_settled_when_it_was_stored_later(bench: Bench) -> None:
    await bench.publish(6)
    queue = bench.queue()
    [lease] = await take(queue, 6)
    queue.settle(lease, (), [PutOff([(event, 1) for event in lease.events[:2]], 0.01, "later")])
    [again] = await take(queue, 2)
    assert ids(again.events) == ids(lease.events[:2])
    assert set(again.attempts.values()) == {1}
    assert await bench.unsettled() == 2
    queue.settle(again)
    await queue.settled_up_to(queue.mark())
    assert await bench.unsettled() == 0
    await queue.end()


async def test_no_more_is_leased_than_there_is_room_for(bench: Bench) -> None:
    await bench.publish(100)
    queue = bench.queue(room=(20, 10**6))
    seen = 0
    while seen < 100:
        lease = await queue.take(7, 10**6, 0.0)
        assert lease is not None
        assert sum(state.pending for state in await bench.publisher.states()) <= 20
        seen += len(lease.events)
        queue.settle(lease)
    await queue.end()


async def test_bytes_bound_what_is_leased_too(bench: Bench) -> None:
    queue = bench.queue(room=(40, 1))
    await bench.publish(30)
    await take(queue, 10)
    await asyncio.sleep(0.05)
    assert sum(state.pending for state in await bench.publisher.states()) == 10, "a quarter of the room"
    await queue.end()


async def test_a_stop_delivers_what_is_leased_and_leaves_the_rest(bench: Bench) -> None:
    await bench.publish(100)
    queue = bench.queue(room=(40, 10**6))
    first = await take(queue, 40)
    queue.close()
    for lease in first:
        queue.settle(lease)
    assert await asyncio.wait_for(queue.take(100, 10**6, 10.0), 30) is None
    assert await bench.unsettled() == 60
    assert sum(state.pending for state in await bench.publisher.states()) == 0


async def test_a_stop_while_nothing_waits_ends_at_once(bench: Bench) -> None:
    queue = bench.queue()
    waiting = asyncio.ensure_future(queue.take(10, 10**6, 1.0))
    await asyncio.sleep(0.05)
    queue.close()
    assert await asyncio.wait_for(waiting, 10) is None


async def test_a_stop_before_the_first_take_ends_at_once(bench: Bench) -> None:
    queue = bench.queue()
    queue.close()
    assert await asyncio.wait_for(queue.take(10, 10**6, 1.0), 10) is None


async def test_what_is_given_back_at_the_end_is_at_once_anothers(bench: Bench) -> None:
    sent = await bench.publish(10)
    one, other = bench.queue(), bench.queue()
    [lease] = await take(one, 10)
    one.settle(lease, lease.events)
    assert one.remove_unsaved() == []
    await one.end()
    assert ids(events_of(await take(other, 10))) == ids(sent)
    assert other.statistics().claimed == 10
    await other.end()


async def test_what_a_dead_worker_had_is_taken_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path, claim_after=0.2)
    sent = await bench.publish(10)
    await bench.broker().lease(10, 0.0)
    queue = bench.queue()
    assert ids(events_of(await take(queue, 10))) == ids(sent)
    await queue.end()


async def test_what_a_living_worker_has_in_hand_is_not_taken_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path, claim_after=0.4)
    await bench.publish(10)
    one, other = bench.queue(), bench.queue()
    await take(one, 10)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(other.take(10, 10**6, 0.0), 1.2)
    await one.end()
    await other.end()


async def test_what_is_settled_here_and_not_yet_there_is_not_delivered_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, claim_after=0.1)
    away = asyncio.Event()

    class CannotSettle(BrokerDouble):
        async def settle(self, entries: Sequence[Entry]) -> None:
            if not away.is_set():
                raise SinkUnavailable("away")
            await super().settle(entries)

        async def hold(self, entries: Sequence[Entry]) -> None:
            raise SinkUnavailable("away")

    sent = await bench.publish(5)
    queue = bench.queue(CannotSettle(bench._place, partitions=3, claim_after=0.1))
    [lease] = await take(queue, 5)
    queue.settle(lease)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(10, 10**6, 0.0), 0.5)
    away.set()
    await queue.settled_up_to(queue.mark())
    assert await bench.unsettled() == 0
    assert len(sent) == 5
    await queue.end()


async def test_a_broker_that_is_away_is_tried_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    failures = iter(["open", "lease", "settle"])
    due = next(failures)

    class Fails(BrokerDouble):
        def fail(self, what: str) -> None:
            nonlocal due
            if due == what:
                due = next(failures, "")
                raise SinkUnavailable(f"{what} failed")

        async def open(self) -> None:
            self.fail("open")

        async def lease(self, limit: int, timeout: float) -> list[Entry]:
            self.fail("lease")
            return await super().lease(limit, timeout)

        async def settle(self, entries: Sequence[Entry]) -> None:
            self.fail("settle")
            await super().settle(entries)

    queue = bench.queue(Fails(bench._place, partitions=3, claim_after=30.0))
    await bench.publish(5)
    with caplog.at_level(logging.WARNING, "logweir"):
        [lease] = await take(queue, 5)
        queue.settle(lease)
        await queue.settled_up_to(queue.mark())
    assert await bench.unsettled() == 0
    assert due == ""
    assert "open failed" in caplog.text
    await queue.end()


async def test_an_event_of_a_newer_format_stays_for_a_newer_worker(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.publish(3, version=2)
    known = await bench.publish(2)
    queue = bench.queue()
    with caplog.at_level(logging.WARNING, "logweir"):
        leases = await take(queue, 2)
    assert ids(events_of(leases)) == ids(known)
    for lease in leases:
        queue.settle(lease)
    await queue.settled_up_to(queue.mark())
    assert await bench.unsettled() == 3
    assert "format 2 waits for a newer worker" in caplog.text
    await queue.end()


async def test_what_cannot_be_read_is_a_dead_letter_and_blocks_nothing(bench: Bench) -> None:
    await bench.publisher.publish([Message("", b"{not an event")])
    await bench.publish(2)
    queue = bench.queue()
    leases = await take(queue, 2)
    for lease in leases:
        queue.settle(lease)
    async with asyncio.timeout(30):
        while await bench.unsettled():
            await asyncio.sleep(0.005)
    assert (await asyncio.to_thread(bench.dead_letters.look)).letters == {"sink": 1}
    await queue.end()


async def test_nothing_is_put_into_it_but_by_the_broker(bench: Bench) -> None:
    assert bench.queue().put(make_event()) is PutResult.CLOSED


async def test_a_worker_that_stood_still_does_not_hold_what_others_have_by_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, claim_after=0.2)
    now = 0.0
    held: list[int] = []

    class Notes(BrokerDouble):
        async def hold(self, entries: Sequence[Entry]) -> None:
            held.append(len(entries))
            await super().hold(entries)

    wake = asyncio.get_running_loop().call_soon_threadsafe
    queue = BrokerQueue(
        Notes(bench._place, partitions=3, claim_after=1000.0),
        "sink", 0.2, (100, 10**6), RETRY, bench.dead_letters, wake, clock=lambda: now,
    )  # fmt: skip
    await bench.publish(4)
    await take(queue, 4)
    await bench.until(lambda: 4 in held)
    held.clear()
    with caplog.at_level(logging.WARNING, "logweir"):
        now = 100.0
        await bench.until(lambda: "silent for" in caplog.text)
    held.clear()
    await bench.until(lambda: len(held) > 1)
    assert set(held) == {0}
    await queue.end()


async def test_what_the_broker_holds_is_read_by_itself_and_grows_old_while_it_is_away(bench: Bench) -> None:
    class GoesAway(BrokerDouble):
        away = False

        async def states(self) -> list[PartitionState]:
            if self.away:
                raise SinkUnavailable("connection refused")
            return await super().states()

    broker = GoesAway(bench._place, partitions=3, claim_after=0.2)
    bench._claim_after = 0.2
    now = [0.0]
    queue = BrokerQueue(
        broker, "sink", 0.2, (10, 10**6), RETRY, bench.dead_letters,
        asyncio.get_running_loop().call_soon_threadsafe, clock=lambda: now[0],
    )  # fmt: skip
    await bench.publish(30)
    lease = await queue.take(5, 10**9, 0.0)
    await bench.until(lambda: sum(state.lag + state.pending for state in queue.states) == 30)
    await bench.until(lambda: queue.states_age == 0)
    broker.away = True
    now[0] = 40.0
    await asyncio.sleep(0.2)
    assert queue.states_age == 40.0
    assert sum(state.lag + state.pending for state in queue.states) == 30
    broker.away = False
    await bench.until(lambda: queue.states_age == 0)
    assert lease is not None
    queue.settle(lease)
    queue.close()
    await queue.end()


async def test_a_worker_whose_sign_of_life_failed_by_a_defect_does_not_hold_what_others_have_by_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, claim_after=0.2)
    now = 0.0
    held: list[int] = []

    class Defective(BrokerDouble):
        fails = False

        async def hold(self, entries: Sequence[Entry]) -> None:
            held.append(len(entries))
            if self.fails:
                raise RuntimeError("no error of the broker's")
            await super().hold(entries)

    broker = Defective(bench._place, partitions=3, claim_after=1000.0)
    wake = asyncio.get_running_loop().call_soon_threadsafe
    queue = BrokerQueue(
        broker, "sink", 0.2, (100, 10**6), RETRY, bench.dead_letters, wake, clock=lambda: now
    )  # fmt: skip
    await bench.publish(4)
    await take(queue, 4)
    await bench.until(lambda: 4 in held)
    held.clear()
    broker.fails = True
    await bench.until(lambda: len(held) > 1)  # it has begun anew
    now = 100.0
    await bench.until(lambda: held[-1] == 0)
    broker.fails = False
    held.clear()
    await bench.until(lambda: len(held) > 1)
    assert set(held) == {0}
    assert "silent for" in caplog.text
    await queue.end()


async def test_a_flush_that_waits_for_the_broker_ends_with_the_queue(bench: Bench) -> None:
    class NeverSettles(BrokerDouble):
        begun = asyncio.Event()

        async def settle(self, entries: Sequence[Entry]) -> None:
            self.begun.set()
            await asyncio.Event().wait()

    broker = NeverSettles(bench._place, partitions=3, claim_after=30.0)
    await bench.publish(1)
    queue = bench.queue(broker)
    [lease] = await take(queue, 1)
    queue.settle(lease)
    await broker.begun.wait()
    flush = asyncio.ensure_future(queue.settled_up_to(queue.mark()))
    await asyncio.sleep(0)
    broker.settle = super(NeverSettles, broker).settle  # type: ignore[method-assign]
    await queue.end()
    async with asyncio.timeout(5):
        await flush


async def test_what_a_defect_kept_from_being_settled_is_settled_without_waiting_for_the_next(
    bench: Bench,
) -> None:
    class FailsOnce(BrokerDouble):
        failed = False

        async def settle(self, entries: Sequence[Entry]) -> None:
            if not self.failed:
                self.failed = True
                raise RuntimeError("no error of the broker's")
            await super().settle(entries)

    await bench.publish(1)
    queue = bench.queue(FailsOnce(bench._place, partitions=3, claim_after=30.0))
    [lease] = await take(queue, 1)
    queue.settle(lease)
    async with asyncio.timeout(5):
        await queue.settled_up_to(queue.mark())
    assert await bench.unsettled() == 0
    await queue.end()
