"""Reading page by page: everything once, in order, however the times fall together."""

import contextlib
import random
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.memory import MemoryConfig, MemorySink
from logweir.stores import reading
from logweir.stores.reading import opened, pages, stream_each
from logweir.testing.contract import make_event


@pytest.fixture
def two_files(tmp_path: Path) -> RoutingConfig:
    """Two files, and one that cannot be read."""
    sinks = {name: {"type": "file", "path": str(tmp_path / name)} for name in ("one", "two")}
    sinks["broken"] = {"type": "file", "path": str(tmp_path)}
    return load_config({"sinks": sinks, "routes": [{"name": "all", "to": list(sinks)}]})


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("spread", [1, 3, 1_000, 5_000, 10**6])
async def test_every_event_comes_once_and_in_order(size: int, spread: int) -> None:
    chance = random.Random(size * spread)
    sink = MemorySink(MemoryConfig())
    events = [make_event(str(n), time_ns=10**18 + chance.randrange(spread) * 500) for n in range(60)]
    await sink.write(events)
    found = [event async for page in pages(sink, Query(), size) for event in page]
    assert sorted(event.id for event in found) == sorted(event.id for event in events)
    assert [event.time for event in found] == sorted(event.time for event in events)
    backwards = [event async for page in pages(sink, Query(newest_first=True), size) for event in page]
    assert sorted(event.id for event in backwards) == sorted(event.id for event in events)
    assert [event.time for event in backwards] == sorted((event.time for event in events), reverse=True)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_end_in_the_last_microsecond_that_there_is(newest_first: bool) -> None:
    last = (datetime.max.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    sink = MemorySink(MemoryConfig())
    times = [last * 1000 + number for number in range(12)] + [number * 1000 for number in range(12)]
    await sink.write([make_event(f"e{number}", time_ns=time) for number, time in enumerate(times)])
    query = Query(limit=None, newest_first=newest_first)
    found = [event.time async for page in pages(sink, query, 5) for event in page]
    assert found == sorted(times, reverse=newest_first)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_f8_streams_of_several_sinks_are_one_timeline_with_each_event_once(
    two_files: RoutingConfig, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logweir.stores.reading._STREAMED", 7)
    names = ("one", "two")
    config = two_files
    chance = random.Random(8)
    events = [make_event(str(n), time_ns=10**18 + chance.randrange(50) * 700_000) for n in range(90)]
    for name, part in zip(names, (events[:60], events[30:]), strict=True):
        async with opened(name, config) as sink:
            await sink.writer.write(part)
    silent: dict[str, str] = {}
    asked = (*names, "broken")
    found = [each async for each in stream_each(config, Query(newest_first=newest_first), asked, silent)]
    wanted = sorted(events, key=lambda event: (event.time, event.id), reverse=newest_first)
    assert [item.event.id for item in found] == [event.id for event in wanted]
    assert sum(item.sinks == names for item in found) == 30
    assert list(silent) == ["broken"]


class Older(MemorySink):
    """A sink from before levels and services were conditions."""

    async def search(self, query: Query) -> AsyncIterator[Event]:
        async for event in super().search(replace(query, levels=None, service=None)):
            yield event


async def test_a_sink_that_knows_no_levels_and_services_gives_no_wrong_answer() -> None:
    sink = Older(MemoryConfig())
    events = [
        msgspec.structs.replace(
            make_event(str(n), time_ns=10**18 + n * 1_000), level=("info", "error")[n % 3 == 0], size=0
        )
        for n in range(60)
    ]
    await sink.write(events)
    query = Query(levels=frozenset({"error"}), service=events[0].service)
    found = [event async for page in pages(sink, query, 4) for event in page]
    assert found == events[::3]
    assert [page async for page in pages(sink, replace(query, service="nobody"), 4)] == []


async def test_an_event_that_arrives_while_reading_breaks_nothing(tmp_path: Path) -> None:
    sink = MemorySink(MemoryConfig())
    events = [make_event(str(n), time_ns=10**18 + n * 1_000) for n in range(20)]
    await sink.write(events)
    found = []
    async for page in pages(sink, Query(), 5):
        found += page
        await sink.write([make_event("late", time_ns=10**18 + len(found) * 1_000 - 1)])
    assert {event.id for event in events} <= {event.id for event in found}
    assert len({event.id for event in found}) == len(found)


async def test_pages_of_large_events_are_small() -> None:
    sink = MemorySink(MemoryConfig())
    await sink.write([make_event(text="x" * 200_000, time_ns=10**18 + n * 1_000) for n in range(900)])
    sizes = [len(page) async for page in pages(sink, Query(), 10_000)]
    assert sizes[0] == 500
    assert 1 < max(sizes[1:]) * 200_000 < 40 * 2**20
    assert sum(sizes) == 900


class Counted(dict[str, Any]):
    """Fields whose event is counted while it is anywhere in memory."""

    alive = 0

    def __init__(self) -> None:
        Counted.alive += 1
        weakref.finalize(self, self._gone)

    @classmethod
    def _gone(cls) -> None:
        cls.alive -= 1


class Fetching(MemorySink):
    """A sink that fetches what it finds, as one of a server does."""

    async def search(self, query: Query) -> AsyncIterator[Event]:
        self.in_memory = max(getattr(self, "in_memory", 0), Counted.alive)
        async for event in super().search(query):
            yield msgspec.structs.replace(event, fields=Counted())


async def test_no_page_is_kept_while_the_next_one_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Fetching(MemoryConfig())
    await sink.write([make_event(str(n), time_ns=10**18 + n * 10**7) for n in range(60)])
    monkeypatch.setattr(reading, "_FIRST_PAGE", 10)
    monkeypatch.setattr(reading, "_STREAMED", 10)
    monkeypatch.setattr(
        reading, "opened", lambda *_, **__: contextlib.nullcontext(SimpleNamespace(itself=sink))
    )
    config, silent = RoutingConfig.model_construct(), dict[str, str]()
    found = 0
    async for _ in stream_each(config, Query(), ["one"], silent):
        found += 1
    assert (found, silent) == (60, {})
    assert sink.in_memory < 10 // 2  # the last events, which are on their way to the reader
