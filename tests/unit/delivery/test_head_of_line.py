"""What must wait is set aside, and what is behind it passes: every kind of queue, a sink that answers by item."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logweir.delivery.channel import Channel
from logweir.delivery.counters import SinkState
from logweir.delivery.queue import DropReason, EventQueue
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.queues.spill import SpillQueue
from logweir.delivery.receipts import OpenReceipts
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.unconfigured import dead_letter_unconfigured
from logweir.delivery.worker import Clock
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.settings.delivery import BatchConfig, QueueConfig, RetryConfig
from logweir.sinks.contract import Sink, SinkConfig
from logweir.sinks.results import WriteResult
from logweir.telemetry.model import SinkMetrics
from logweir.testing.contract import make_event
from support.disk import crash, make_spool, names

REASON = "the index of last month is closed"
KINDS = ("memory", "disk", "spill")


class ByItem(Sink[SinkConfig]):
    """Stores what it may, and puts off what is called poison, until it is cured."""

    def __init__(self, config: SinkConfig) -> None:
        super().__init__(config)
        self.cured = False
        self.stored: list[str] = []
        self.calls: list[list[str]] = []
        self.retry_after: float | None = None
        self.away = False

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self.calls.append(names(list(batch)))
        if self.away:
            raise SinkUnavailable("the server is away")
        waits = frozenset(
            index for index, event in enumerate(batch) if event.name == "poison" and not self.cured
        )
        self.stored += [event.name for index, event in enumerate(batch) if index not in waits]
        return WriteResult(retry=waits, retry_after=self.retry_after, retry_reason=REASON if waits else "")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = make_spool(tmp_path, threaded=True)
    yield spool
    spool.close()


def queue_of(kind: str, spool: Spool, when_full: Any = "block", **bounds: Any) -> EventQueue:
    wake: Any = asyncio.get_running_loop().call_soon_threadsafe
    match kind:
        case "memory":
            return MemoryQueue(QueueConfig(**bounds), when_full, wake)
        case "disk":
            return DiskQueue(spool, "sink", QueueConfig(**bounds), when_full, wake)
        case _:  # half of what waits is on disk
            return SpillQueue(spool, "sink", QueueConfig(when_full="spill", max_events=2), when_full, wake)


@asynccontextmanager
async def delivering(
    queue: EventQueue, spool: Spool, sink_class: type[ByItem] = ByItem, **retry: Any
) -> AsyncIterator[tuple[Channel, ByItem]]:
    """A channel at work, with pauses of a few milliseconds."""
    options = {"initial": 0.002, "max": 0.01, "timeout": 20.0} | retry
    config = SinkConfig(
        type="by_item", batch=BatchConfig(linger=0, max_events=10), retry=RetryConfig(**options)
    )
    sink = sink_class(config)
    channel = Channel(
        "sink",
        config,
        sink,
        queue,
        None,
        QueueConfig().bounds("memory"),
        spool.dead_letters,
        OpenReceipts(),
        Clock(),
    )
    channel.start()
    try:
        yield channel, sink
    finally:
        await channel.finish(0.01)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


def metrics(channel: Channel) -> SinkMetrics:
    return SinkMetrics.of(channel.statistics(), channel.counters, channel.bounds)


@pytest.mark.parametrize("kind", KINDS)
async def test_d1_one_event_that_must_wait_does_not_hold_up_those_behind_it(kind: str, spool: Spool) -> None:
    queue = queue_of(kind, spool)
    good = [str(number) for number in range(50)]
    for name in ("poison", *good):
        queue.put(make_event(name))
    async with delivering(queue, spool) as (_, sink):
        await until(lambda: sorted(sink.stored) == sorted(good))
        sink.cured = True
        await until(lambda: sorted(sink.stored) == sorted([*good, "poison"]))
    assert queue.statistics().depth == 0


async def test_d1_one_poisonous_event_and_a_thousand_good_ones_in_a_queue_of_a_hundred(spool: Spool) -> None:
    """What comes as fast as the sink stores it is not dropped because of the one that waits."""
    queue = queue_of("memory", spool, "drop_oldest", max_events=100)
    async with delivering(queue, spool) as (channel, sink):
        queue.put(make_event("poison"))
        await until(lambda: sink.calls)
        for number in range(1000):
            queue.put(make_event(str(number)))
            if not number % 50:
                await until(lambda: queue.statistics().depth <= 1)
        await until(lambda: len(sink.stored) == 1000)
        assert queue.statistics().dropped == {}
        assert queue.statistics().set_aside == 1
        assert channel.statistics().depth + channel.statistics().in_flight == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_batch_of_which_all_must_wait_holds_up_nobody_for_long(kind: str, spool: Spool) -> None:
    queue = queue_of(kind, spool)
    for name in [*["poison"] * 100, "good"]:
        queue.put(make_event(name))
    async with delivering(queue, spool) as (_, sink):
        await until(lambda: sink.stored == ["good"])


@pytest.mark.parametrize("kind", KINDS)
async def test_what_waits_is_counted_and_degrades_the_sink_with_the_reason(kind: str, spool: Spool) -> None:
    queue = queue_of(kind, spool)
    for name in ("poison", "poison", "good"):
        queue.put(make_event(name))
    async with delivering(queue, spool) as (channel, sink):
        await until(lambda: queue.statistics().set_aside == 2 and sink.stored == ["good"])
        await until(lambda: queue.statistics().depth + queue.statistics().in_flight == 2)
        seen = metrics(channel)
        assert (seen.set_aside, seen.state, seen.last_error) == (2, SinkState.DEGRADED, REASON)
        assert seen.queue_depth + seen.in_flight == 2
        sink.cured = True
        await until(lambda: len(sink.stored) == 3)
        await until(lambda: queue.statistics().set_aside == 0)
        seen = metrics(channel)
        assert (seen.set_aside, seen.state) == (0, SinkState.HEALTHY)
        assert seen.accepted == seen.stored == 3


async def test_d4_what_is_put_off_counts_as_a_failure_each_time(spool: Spool) -> None:
    queue = queue_of("memory", spool)
    queue.put(make_event("poison"))
    queue.put(make_event("good"))
    async with delivering(queue, spool) as (channel, _):
        await until(lambda: channel.counters.put_off >= 3)
        counters = channel.counters
        assert counters.failures == counters.put_off == counters.retried
        assert counters.last_error == REASON


async def test_a_server_that_is_away_is_not_asked_for_others_meanwhile(spool: Spool) -> None:
    """A write that fails as a whole stays in hand: nothing else would pass."""
    queue = queue_of("memory", spool)
    for number in range(100):
        queue.put(make_event(str(number)))
    async with delivering(queue, spool) as (_, sink):
        sink.away = True
        await until(lambda: len(sink.calls) >= 5)
        assert {tuple(call) for call in sink.calls} == {tuple(str(number) for number in range(10))}
        assert queue.statistics().set_aside == 0
        sink.away = False
        await until(lambda: sink.stored == [str(number) for number in range(100)])


async def test_a_sink_that_takes_nothing_event_by_event_is_down_and_healthy_when_it_takes_them(
    spool: Spool,
) -> None:
    queue = queue_of("memory", spool)
    for _ in range(40):
        queue.put(make_event("poison"))
    async with delivering(queue, spool) as (channel, sink):
        await until(lambda: metrics(channel).state is SinkState.DOWN)
        assert metrics(channel).last_error == REASON
        sink.cured = True
        await until(lambda: len(sink.stored) == 40)
        await until(lambda: metrics(channel).state is SinkState.HEALTHY)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_set_aside_and_then_fails_as_a_whole_holds_up_nobody(kind: str, spool: Spool) -> None:
    """A sink may raise for a batch of nothing but what it put off before."""

    class Raising(ByItem):
        async def write(self, batch: Sequence[Event]) -> WriteResult:
            if {event.name for event in batch} == {"poison"} and len(self.calls):
                self.calls.append([])
                raise SinkUnavailable("all of it is away")
            return await super().write(batch)

    queue = queue_of(kind, spool)
    queue.put(make_event("poison"))
    async with delivering(queue, spool, sink_class=Raising) as (_, sink):
        await until(lambda: sink.calls.count([]) >= 2)
        for number in range(30):
            queue.put(make_event(str(number)))
        await until(lambda: len(sink.stored) == 30)
        assert queue.statistics().set_aside == 1


async def test_a_server_that_asks_for_a_pause_gets_it_from_everybody(spool: Spool) -> None:
    queue = queue_of("memory", spool)
    queue.put(make_event("poison"))
    async with delivering(queue, spool) as (channel, sink):
        sink.retry_after = 3600.0
        await until(lambda: channel.counters.put_off)
        queue.put(make_event("good"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert sink.calls == [["poison"]]


async def test_what_is_out_of_attempts_becomes_a_dead_letter_with_the_reason(spool: Spool) -> None:
    queue = queue_of("memory", spool)
    queue.put(make_event("poison"))
    queue.put(make_event("good"))
    async with delivering(queue, spool, max_attempts=3) as (channel, sink):
        await until(lambda: channel.counters.dead)
        assert [call for call in sink.calls if "poison" in call] == [
            ["poison", "good"],
            ["poison"],
            ["poison"],
        ]
    letters = await asyncio.to_thread(spool.dead_letters.read)
    assert [letter.reason for letter in letters] == [REASON]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_waits_fills_the_queue_and_then_its_own_policy_holds(kind: str, spool: Spool) -> None:
    queue = queue_of(kind, spool, "drop_newest", max_events=10)
    if isinstance(queue, SpillQueue):
        queue._disk._max_events = 8
    async with delivering(queue, spool) as (_, sink):
        for _ in range(10):
            queue.put(make_event("poison"))
        await until(lambda: queue.statistics().set_aside == 10)
        queue.put(make_event("too much"))
        assert queue.statistics().dropped == {DropReason.QUEUE_FULL_NEWEST: 1}
        sink.cured = True
        await until(lambda: len(sink.stored) == 10)
        queue.put(make_event("again"))
        await until(lambda: "again" in sink.stored)


@pytest.mark.parametrize("kind", ["memory", "disk"])
async def test_a_queue_that_forgets_its_oldest_forgets_first_what_was_set_aside(
    kind: str, spool: Spool
) -> None:
    queue = queue_of(kind, spool, "drop_oldest", max_events=10)
    async with delivering(queue, spool, initial=3600.0, max=3600.0) as (_, sink):
        for _ in range(10):
            queue.put(make_event("poison"))
        await until(lambda: queue.statistics().set_aside == 10)
        sink.away = True
        for number in range(3):
            queue.put(make_event(str(number)))
        now = queue.statistics()
        assert now.dropped == {DropReason.QUEUE_FULL_OLDEST: 3}
        assert now.set_aside == 7


@pytest.mark.parametrize("kind", KINDS)
async def test_a_caller_who_is_blocked_gets_room_when_what_waited_is_stored(kind: str, spool: Spool) -> None:
    queue = queue_of(kind, spool, "block", max_events=4, block_timeout=3600.0)
    if isinstance(queue, SpillQueue):
        queue._disk._max_events = 2
        queue._disk._block_timeout = 3600.0
    async with delivering(queue, spool) as (_, sink):
        for _ in range(4):
            queue.put(make_event("poison"))
        await until(lambda: queue.statistics().set_aside == 4)
        blocked = asyncio.create_task(asyncio.to_thread(queue.put, make_event("later")))
        await asyncio.sleep(0.01)
        assert not blocked.done()
        sink.cured = True
        await until(lambda: "later" in sink.stored)
        await blocked


@pytest.mark.parametrize("kind", KINDS)
async def test_a_flush_waits_for_what_is_set_aside(kind: str, spool: Spool) -> None:
    queue = queue_of(kind, spool)
    async with delivering(queue, spool) as (channel, sink):
        queue.put(make_event("good"))
        await asyncio.wait_for(channel.settled(), 20)
        queue.put(make_event("poison"))
        await until(lambda: queue.statistics().set_aside)
        flushed = asyncio.create_task(channel.settled())
        await asyncio.sleep(0.02)
        assert not flushed.done()
        sink.cured = True
        await asyncio.wait_for(flushed, 20)


@pytest.mark.parametrize("kind", ["memory", "disk"])
async def test_a_flush_does_not_wait_for_what_came_after_it_and_is_set_aside(kind: str, spool: Spool) -> None:
    queue = queue_of(kind, spool)
    queue.put(make_event("good"))
    mark = queue.mark()
    queue.put(make_event("poison"))
    async with delivering(queue, spool):
        await until(lambda: queue.statistics().set_aside)
        await asyncio.wait_for(queue.settled_up_to(mark), 20)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stop_keeps_what_is_set_aside(kind: str, spool: Spool) -> None:
    queue = queue_of(kind, spool)
    for name in ("poison", "poison", "good"):
        queue.put(make_event(name))
    async with delivering(queue, spool) as (channel, sink):
        await until(lambda: queue.statistics().set_aside == 2 and sink.stored == ["good"])
        left = await channel.finish(0.05)
        assert sink.stored == ["good"]
        on_disk = queue.statistics().depth
        assert names(left) == ["poison"] * (2 - on_disk)
        assert on_disk == {"memory": 0, "disk": 2}.get(kind, on_disk)


async def test_a_stop_tries_what_is_set_aside_once_more_at_once(spool: Spool) -> None:
    queue = queue_of("memory", spool)
    queue.put(make_event("poison"))
    async with delivering(queue, spool, initial=3600.0, max=3600.0) as (channel, sink):
        await until(lambda: queue.statistics().set_aside == 1)
        sink.cured = True
        assert await channel.finish(20.0) == []
        assert sink.stored == ["poison"]


async def test_a_process_that_is_killed_leaves_what_was_set_aside_to_the_next(tmp_path: Path) -> None:
    spool = make_spool(tmp_path / "first", threaded=True)
    queue = queue_of("disk", spool)
    for name in ("poison", "good", "poison"):
        queue.put(make_event(name))
    async with delivering(queue, spool) as (_, sink):
        await until(lambda: queue.statistics().set_aside == 2 and "good" in sink.stored)
        await until(lambda: queue.statistics().depth + queue.statistics().in_flight == 2)
        while spool.has_removals:
            await asyncio.to_thread(spool.commit)
        left = await asyncio.to_thread(crash, spool, tmp_path / "second")
    second = make_spool(left, threaded=True)
    await asyncio.to_thread(second.adopt)
    queue = queue_of("disk", second)
    async with delivering(queue, second) as (_, sink):
        sink.cured = True
        await until(lambda: sink.stored == ["poison", "poison"])
    await asyncio.to_thread(second.close)


async def test_a_reload_hands_over_what_is_set_aside(spool: Spool) -> None:
    old = queue_of("disk", spool)
    old.put(make_event("poison"))
    async with delivering(old, spool, initial=3600.0, max=3600.0):
        await until(lambda: old.statistics().set_aside == 1)
        new = queue_of("disk", spool)
        async with delivering(new, spool) as (_, sink):
            sink.cured = True
            old.close()
            await until(lambda: sink.stored == ["poison"])
            await until(lambda: new.statistics().set_aside == 0)


async def test_what_is_set_aside_for_a_sink_that_is_gone_becomes_dead_letters(spool: Spool) -> None:
    queue = queue_of("disk", spool)
    for name in ("poison", "good", "poison"):
        queue.put(make_event(name))
    async with delivering(queue, spool) as (channel, _):
        await until(lambda: queue.statistics().set_aside == 2)
        await channel.finish(0.01)
    assert await asyncio.to_thread(dead_letter_unconfigured, spool, ["another"]) == 2
    assert len(await asyncio.to_thread(spool.dead_letters.read)) == 2
    assert queue.statistics().depth == 0


async def test_what_cannot_be_read_back_for_a_moment_is_tried_again(spool: Spool) -> None:
    queue = queue_of("disk", spool)
    queue.put(make_event("poison"))
    async with delivering(queue, spool, initial=0.05, max=0.05) as (_, sink):
        await until(lambda: queue.statistics().set_aside == 1)
        file, spool._current.file = spool._current.file, None  # as between two files, at a replacement
        assert isinstance(queue, DiskQueue)
        aside = queue._backlog.aside
        takes, take = [], aside.take
        aside.take = lambda *of: takes.append(1) or take(*of)  # type: ignore[method-assign,func-returns-value]
        await until(lambda: len(takes) >= 2)
        assert queue.statistics().set_aside == 1
        spool._current.file = file
        sink.cured = True
        await until(lambda: sink.stored == ["poison"])


async def test_a_damaged_queue_file_costs_none_of_what_is_set_aside_and_readable(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, threaded=True)
    queue = queue_of("disk", spool)
    for name in ("poison", "good", "poison"):
        queue.put(make_event(name))
    async with delivering(queue, spool, initial=3600.0, max=3600.0) as (_, sink):
        await until(lambda: queue.statistics().set_aside == 2 and "good" in sink.stored)
        await until(lambda: queue.statistics().depth + queue.statistics().in_flight == 2)
        while spool.has_removals:
            await asyncio.to_thread(spool.commit)
        file = spool._current.file
        assert file is not None
        spool._found_damaged(file, OSError("found by a test"))
        queue.put(make_event("after"))
        await until(lambda: "after" in sink.stored)
        assert queue.statistics().set_aside == 2
        sink.cured = True
        queue.close()
        await until(lambda: sorted(sink.stored) == ["after", "good", "poison", "poison"])
    assert await asyncio.to_thread(spool.dead_letters.read) == []
    await asyncio.to_thread(spool.close)


_ANSWERS = st.lists(
    st.lists(st.sampled_from("sswrd"), min_size=1, max_size=4) | st.just(["away"]), max_size=12
)


@given(answers=_ANSWERS, number=st.integers(1, 12), kind=st.sampled_from(KINDS))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
async def test_every_event_settles_once_whatever_is_put_off_and_when(
    answers: list[list[str]], number: int, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Stored, known, refused, put off, a server that is away: in the end the counts add up."""
    left = list(answers)

    class Scripted(ByItem):
        async def write(self, batch: Sequence[Event]) -> WriteResult:
            said = left.pop(0) if left else ["s"]
            if said == ["away"]:
                raise SinkUnavailable("away")
            verdicts = [said[index % len(said)] for index in range(len(batch))]
            indexes = {verdict: {i for i, one in enumerate(verdicts) if one == verdict} for verdict in "swrd"}
            self.stored += [batch[index].name for index in sorted(indexes["s"] | indexes["d"])]
            return WriteResult(
                duplicate=frozenset(indexes["d"]),
                retry=frozenset(indexes["w"]),
                rejected=dict.fromkeys(indexes["r"], "no"),
            )

    spool = await asyncio.to_thread(make_spool, tmp_path_factory.mktemp("spool"), threaded=True)
    queue = queue_of(kind, spool)
    names_ = [str(one) for one in range(number)]
    for name in names_:
        queue.put(make_event(name))
    async with delivering(queue, spool, sink_class=Scripted, initial=0.0, max=0.0) as (channel, sink):
        counts = channel.counters
        await until(lambda: counts.stored + counts.duplicate + counts.dead == number)
        assert len(sink.stored) == len(set(sink.stored)) == counts.stored + counts.duplicate
        await asyncio.wait_for(channel.settled(), 20)
        now = queue.statistics()
        assert (now.depth, now.in_flight, now.size, now.set_aside) == (0, 0, 0, 0)
        assert now.accepted == number
    await asyncio.to_thread(spool.close)
