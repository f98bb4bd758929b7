"""A reload: what becomes of what a retired channel still holds, how it is counted, and who hears of it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import make_event
from logweir.delivery.counters import DeliveryCounters
from logweir.delivery.queue import DropReason, PutResult, QueueStatistics
from logweir.delivery.receipts import OpenReceipts
from logweir.event import Event
from logweir.runtime.fan_out import FanOut
from logweir.runtime.reload import Reload
from logweir.settings.delivery import Bounds


class Retired:
    """A channel that has accepted events, and has some of them left when its time is up."""

    def __init__(self, left: Sequence[Event], name: str = "out") -> None:
        self.name = name
        self.left = list(left)
        self.bounds = Bounds(1000, 10**6)
        self.counters = DeliveryCounters()
        self.saved: list[Event] = []
        self.lost: list[Event] = []
        self.held = 0

    async def finish(self, _timeout: float) -> list[Event]:
        return self.left

    def statistics(self) -> QueueStatistics:
        return QueueStatistics(self.held, 0, 0, len(self.left), {})

    def count_saved(self, events: Sequence[Event]) -> None:
        self.saved += events

    def count_lost(self, events: Sequence[Event]) -> None:
        self.lost += events
        self.counters.lost += len(events)


class Successor:
    """A channel that takes ``room`` events and is closed then, as by the stop of the runtime."""

    name = "out"

    def __init__(self, room: int) -> None:
        self.room = room
        self.events: list[Event] = []

    def put(self, event: Event, _on_durable: Any = None) -> PutResult:
        if len(self.events) == self.room:
            return PutResult.CLOSED
        self.events.append(event)
        return PutResult.ACCEPTED


class Store:
    """A spool that takes what is saved, or whose disk does not."""

    directory = Path("queues")

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.saved: list[Event] = []

    def save(self, _name: str, events: Sequence[Event]) -> None:
        if not self.takes:
            raise OSError("the disk is full")
        self.saved += events


def reload_with(*channels: Successor, takes: bool, on_spools: Callable[[], object] = list) -> Reload:
    pipeline: Any = SimpleNamespace(
        channels={channel.name: channel for channel in channels}, store=Store(takes=takes)
    )
    around: Any = None
    return Reload(FanOut(pipeline, OpenReceipts()), around, on_spools, lambda: False)


def events(count: int) -> list[Event]:
    return [make_event(name=str(number)) for number in range(count)]


async def retire(reload: Reload, channel: Any) -> None:
    await reload._retire(channel, 1.0)


async def test_d6_what_is_left_goes_over_the_disk_and_nowhere_else() -> None:
    successor = Successor(room=10)
    reload = reload_with(successor, takes=True)
    channel = Retired(events(3))
    await retire(reload, channel)
    assert reload.spools[0].saved == channel.saved == channel.left  # type: ignore[attr-defined]
    assert not successor.events
    assert not channel.lost


async def test_d6_where_the_disk_takes_nothing_it_goes_from_hand_to_hand_and_is_accepted_once() -> None:
    successor = Successor(room=10)
    reload = reload_with(successor, takes=False)
    channel = Retired(events(3))
    await retire(reload, channel)
    assert successor.events == channel.left
    assert not channel.lost
    # The successor counts them as accepted: with the predecessor's own count they would be so twice.
    assert reload._history["out"].accepted == 0


@pytest.mark.parametrize("room", [0, 2])
async def test_d6_what_the_successor_cannot_take_is_counted_as_lost_and_nothing_else_is(room: int) -> None:
    successor = Successor(room)
    reload = reload_with(successor, takes=False)
    channel = Retired(events(5))
    await retire(reload, channel)
    assert successor.events == channel.left[:room]
    assert channel.lost == channel.left[room:]
    counts = reload._history["out"]
    assert (counts.accepted, counts.dropped) == (5 - room, {DropReason.SHUTDOWN: 5 - room})


async def test_d6_what_is_left_for_a_sink_that_is_gone_is_counted_as_lost() -> None:
    reload = reload_with(takes=False)
    channel = Retired(events(5))
    await retire(reload, channel)
    assert channel.lost == channel.left


async def test_d6_what_stays_on_disk_is_counted_by_whoever_takes_it_over() -> None:
    reload = reload_with(Successor(room=10), takes=True)
    channel = Retired(events(5))
    channel.held, channel.left[3:] = 2, []
    accepted = channel.statistics().accepted
    await retire(reload, channel)
    assert (reload._history["out"].accepted, reload._history["out"].queue_depth) == (accepted - 2, 0)


async def test_d6_housekeeping_is_called_when_everything_has_retired() -> None:
    called: list[bool] = []
    channel: Any = Retired(events(3))
    reload = reload_with(takes=True, on_spools=lambda: called.append(bool(channel.saved)))
    old: Any = reload._fan_out.pipeline
    old.config = SimpleNamespace(drain_timeout=1.0)
    await reload._retire_all(old, [channel])
    assert called == [True]


async def test_d6_while_a_channel_retires_what_it_holds_is_in_the_counts() -> None:
    reload = reload_with(takes=True)
    finishing = asyncio.Event()
    channel: Any = Retired(events(3))

    async def finish(_timeout: float) -> list[Event]:
        await finishing.wait()
        return list(channel.left)

    channel.finish, channel.held = finish, 3
    reload._retiring = [channel]
    retiring = asyncio.create_task(retire(reload, channel))
    await asyncio.sleep(0)
    assert reload.metrics()["out"].queue_depth == 3
    finishing.set()
    await retiring
    assert reload.metrics()["out"].queue_depth == 0
