"""A reload: what becomes of what a retired channel still holds, how it is counted, and who hears of it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import logweir
from conftest import make_event
from logweir.config.loading import load_config
from logweir.delivery.counters import DeliveryCounters
from logweir.delivery.dead_letters import DeadLetter
from logweir.delivery.queue import DropReason, PutResult, QueueStatistics
from logweir.delivery.receipts import OpenReceipts
from logweir.errors import ConfigError
from logweir.event import Event
from logweir.runtime import reload as module
from logweir.runtime.fan_out import FanOut
from logweir.runtime.reload import Reload
from logweir.runtime.runtime import Runtime
from logweir.settings.delivery import Bounds
from support import sinks as misbehaving


class Channel:
    """A channel that has accepted ``left``, cannot deliver it, and has room for as many more."""

    def __init__(
        self, left: Sequence[Event] = (), *, room: int = 0, on_disk: int = 0, leased: int = 0
    ) -> None:
        self.name = "out"
        self.left = list(left)
        self.room = room
        self.on_disk = on_disk
        self.leased = leased
        self.events: list[Event] = []
        self.bounds = Bounds(1000, 10**6)
        self.counters = DeliveryCounters()
        self.saved: list[Event] = []
        self.lost: list[Event] = []
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    def put(self, event: Event, _on_durable: Any = None) -> PutResult:
        if len(self.events) == self.room:
            return PutResult.CLOSED
        self.events.append(event)
        return PutResult.ACCEPTED

    async def finish(self, _timeout: float) -> list[Event]:
        await self.may_finish.wait()
        return self.left

    def statistics(self) -> QueueStatistics:
        accepted = self.on_disk + self.leased + len(self.left) + len(self.events)
        return QueueStatistics(self.on_disk, self.leased, 0, accepted)

    def count_saved(self, events: Sequence[Event]) -> None:
        self.saved += events
        self.counters.moved += len(events)

    def count_lost(self, events: Sequence[Event]) -> None:
        self.lost += events
        self.counters.lost += len(events)

    def start(self) -> None:
        pass

    def close_queues(self) -> None:
        pass

    def close_books(self) -> None:
        pass


class Store:
    """A spool that takes what is saved, or whose disk does not."""

    directory = Path("queues")

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.saved: list[Event] = []

    def save(self, _name: str, events: Sequence[Event], _deadline: float) -> None:
        if not self.takes:
            raise OSError("the disk is full")
        self.saved += events


class Replacement:
    """A reload that replaces ``old`` by ``new``, which None says is gone."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        old: Channel,
        new: Channel | None,
        *,
        takes: bool,
        on_spools: Callable[[], object] = list,
    ) -> None:
        self.store = Store(takes=takes)
        config = SimpleNamespace(drain_timeout=1.0)
        before: Any = SimpleNamespace(channels={"out": old}, spool=self.store, config=config)
        channels = {} if new is None else {"out": new}
        after = SimpleNamespace(channels=channels, spool=self.store, config=config)
        monkeypatch.setattr(module, "draft", lambda *_: SimpleNamespace(assemble=lambda: after))
        around: Any = None
        self.reload = Reload(FanOut(before, OpenReceipts()), around, on_spools, lambda: False)

    async def run(self) -> None:
        config: Any = None
        await self.reload.replace(config)
        await self.reload.ended(10.0)


def events(count: int) -> list[Event]:
    return [make_event(name=str(number)) for number in range(count)]


async def test_d6_what_is_left_goes_over_the_disk_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Channel(events(3)), Channel(room=10)
    replacement = Replacement(monkeypatch, old, new, takes=True)
    await replacement.run()
    assert replacement.store.saved == old.saved == old.left
    assert not new.events
    assert not old.lost


async def test_d6_where_the_disk_takes_nothing_it_goes_from_hand_to_hand_and_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = Channel(events(3)), Channel(room=10)
    replacement = Replacement(monkeypatch, old, new, takes=False)
    await replacement.run()
    assert new.events == old.left
    assert not old.lost
    assert replacement.reload.metrics()["out"].accepted == 3


@pytest.mark.parametrize("room", [0, 2])
async def test_d6_what_the_successor_cannot_take_is_lost_and_counted_and_nothing_else_is(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Channel(events(5)), Channel(room=room)
    replacement = Replacement(monkeypatch, old, new, takes=False)
    await replacement.run()
    assert new.events == old.left[:room]
    assert old.lost == old.left[room:]
    counts = replacement.reload.metrics()["out"]
    assert (counts.accepted, counts.dropped) == (5, {DropReason.SHUTDOWN: 5 - room})


async def test_d6_what_is_left_for_a_sink_that_is_gone_is_counted_as_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Channel(events(5))
    await Replacement(monkeypatch, old, None, takes=False).run()
    assert old.lost == old.left


async def test_d6_what_stays_on_disk_is_counted_by_whoever_takes_it_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Channel(on_disk=2)
    replacement = Replacement(monkeypatch, old, None, takes=True)
    await replacement.run()
    counts = replacement.reload.metrics()["out"]
    assert (counts.accepted, counts.queue_depth) == (0, 0)


async def test_d6_what_an_earlier_channel_has_in_hand_is_counted_when_that_one_retires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Channel(on_disk=1, leased=7)
    replacement = Replacement(monkeypatch, old, None, takes=True)
    await replacement.run()
    counts = replacement.reload.metrics()["out"]
    assert (counts.accepted, counts.in_flight) == (0, 0)


def test_where_the_former_directory_is_cannot_be_noted_nothing_is_replaced(tmp_path: Path) -> None:
    config = {
        "sinks": {"out": {"type": "null"}},
        "routes": [{"name": "all", "to": ["out"]}],
        "data_dir": str(tmp_path / "one"),
    }
    (tmp_path / "a file").touch()
    runtime = Runtime(load_config(config))
    before = runtime._pipeline
    with pytest.raises(
        ConfigError, match=r"data_dir: cannot be written \(.*\), and a crash would leave behind"
    ):
        runtime.reload({**config, "data_dir": str(tmp_path / "a file" / "two")})
    assert runtime._pipeline is before


def test_letters_that_stay_in_the_former_directory_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = {
        "sinks": {"out": {"type": "null"}},
        "routes": [{"name": "all", "to": ["out"]}],
        "data_dir": str(tmp_path / "one"),
    }
    runtime = Runtime(load_config(config))
    letters = runtime._pipeline.dead_letters
    letters.add([DeadLetter.of_event("out", "too long", events(1)[0])])
    with caplog.at_level(logging.WARNING, "logweir"):
        runtime.reload({**config, "data_dir": str(tmp_path / "two")})
    runtime.stop()
    assert f"1 dead letter stays in {letters.path}" in caplog.text


async def test_d6_housekeeping_is_called_when_everything_has_retired(monkeypatch: pytest.MonkeyPatch) -> None:
    old, called = Channel(events(3)), list[int]()
    replacement = Replacement(
        monkeypatch, old, None, takes=True, on_spools=lambda: called.append(len(old.saved))
    )
    await replacement.run()
    assert called == [3]


async def test_d6_while_a_channel_retires_what_it_holds_is_in_the_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Channel(on_disk=3)
    old.may_finish.clear()
    replacement = Replacement(monkeypatch, old, None, takes=True)
    running = asyncio.create_task(replacement.run())
    while not replacement.reload._retiring:
        await asyncio.sleep(0)
    assert replacement.reload.metrics()["out"].queue_depth == 3
    old.may_finish.set()
    await running
    assert replacement.reload.metrics()["out"].queue_depth == 0


@pytest.mark.parametrize(("queue", "count"), [({"type": "disk"}, 5), ({"when_full": "spill"}, 50)])
@pytest.mark.parametrize("fallback", [None, {"to": "bad", "after": "1s"}])
def test_d6_after_a_reload_that_fails_the_queues_in_force_still_count_and_are_drained(
    queue: dict[str, Any], count: int, fallback: dict[str, Any] | None
) -> None:
    def config(bad: str, max_events: int) -> dict[str, Any]:
        dead = {"type": "support.sinks:Dead", "retry": {"initial": "1ms", "max": "5ms"}}
        out = {**dead, "queue": {**queue, "max_events": max_events}}
        sinks = {"out": out, "beside": {**out, "fallback": fallback}, "bad": {"type": bad}}
        return {"sinks": sinks, "routes": [{"name": "all", "to": ["out"]}]}

    misbehaving.healed.clear()
    runtime = logweir.start(config("memory", 20))
    with pytest.raises(RuntimeError, match="cannot be made"):
        logweir.reload(config("support.sinks:Unmade", 30))
    for number in range(count):
        runtime.emit(str(number), {})
    counts = runtime.metrics().sinks["out"]
    assert (counts.accepted, counts.queue_depth + counts.in_flight) == (count, count)
    misbehaving.healed.set()
    assert logweir.stop(20.0)
    assert runtime.metrics().sinks["out"].stored == count
