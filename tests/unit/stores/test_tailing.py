"""Following sinks: each event once, late ones too, and a sink that is down is reported once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.memory import MemorySink
from logweir.stores.reading import Found
from logweir.stores.tailing import Follower
from logweir.testing.contract import make_event

CONFIG: dict[str, Any] = {
    "sinks": {"one": {"type": "memory"}, "two": {"type": "memory"}},
    "routes": [{"name": "all", "to": ["one", "two"]}],
}


class Script:
    """What happens between two looks; the last act ends the following."""

    def __init__(self, *acts: Any) -> None:
        self.acts = list(acts)

    async def __call__(self, _seconds: float) -> None:
        await asyncio.sleep(0)
        if not self.acts:
            raise StopFollowing
        await self.acts.pop(0)()


class StopFollowing(Exception):
    pass


@pytest.fixture
async def config() -> RoutingConfig:
    return await asyncio.to_thread(load_config, CONFIG)


def arrives(sink: str, *events: Event) -> Any:
    async def act() -> None:
        await MemorySink.of(sink).write(events)

    return act


async def followed(follower: Follower, *acts: Any) -> list[Found]:
    found = list[Found]()

    async def follow() -> None:
        async with aclosing(follower.follow(1.0, Script(*acts))) as events:
            async for item in events:
                found.append(item)

    with pytest.raises(StopFollowing):
        await follow()
    return found


async def test_events_are_shown_once_as_they_arrive(config: RoutingConfig) -> None:
    start = datetime.now(UTC)
    first, second, third = (make_event(name) for name in ("first", "second", "third"))
    found = await followed(
        Follower(config, ["one", "two"], Query(), start),
        arrives("one", first),
        arrives("two", first, second),
        arrives("one", second, third),
    )
    assert [(item.sink, item.event.name) for item in found] == [
        ("one", "first"),
        ("two", "second"),
        ("one", "third"),
    ]


async def test_what_happened_before_is_not_shown(config: RoutingConfig) -> None:
    start = datetime.now(UTC)
    old = make_event("old", time_ns=time.time_ns() - 10**9)
    assert await followed(Follower(config, ["one"], Query(), start), arrives("one", old)) == []


async def test_an_event_that_arrives_late_is_shown_and_memory_is_bounded(config: RoutingConfig) -> None:
    base = time.time_ns()
    moment = start = datetime.fromtimestamp(base // 10**9, UTC)

    def now() -> datetime:
        nonlocal moment
        moment += timedelta(seconds=5)
        return moment

    follower = Follower(config, ["one"], Query(), start, now=now)
    acts = [arrives("one", make_event(str(n), time_ns=base + n * 5 * 10**9)) for n in range(12)]
    late = arrives("one", make_event("late", time_ns=base + 52 * 10**9))
    found = await followed(follower, *acts, late)
    assert [item.event.name for item in found] == [*map(str, range(12)), "late"]
    assert len(follower._seen) < 6


async def test_what_is_no_event_is_reported_once_and_the_rest_is_shown(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = MemorySink.search

    def damaged(self: MemorySink, query: Query) -> AsyncIterator[Event]:
        assert query.on_unreadable is not None
        query.on_unreadable("row 'x' is no event")
        return search(self, query)

    monkeypatch.setattr(MemorySink, "search", damaged)
    reported = list[tuple[str, str]]()
    follower = Follower(
        config,
        ["one"],
        Query(),
        datetime.now(UTC),
        on_unreadable=lambda name, fault: reported.append((name, fault)),
    )
    found = await followed(follower, arrives("one", make_event("a")), arrives("one", make_event("b")))
    assert [item.event.name for item in found] == ["a", "b"]
    assert reported == [("one", "row 'x' is no event")]


async def test_a_filter_chooses(config: RoutingConfig) -> None:
    found = await followed(
        Follower(config, ["one"], Query(fields={"user_id": 7}), datetime.now(UTC)),
        arrives("one", make_event("yes", user_id=7), make_event("no", user_id=8)),
    )
    assert [item.event.name for item in found] == ["yes"]


async def test_a_sink_that_is_down_is_reported_once_and_nothing_of_it_is_missed(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = MemorySink.search
    down = False
    reported: list[tuple[str, str | None]] = []

    async def failing(self: MemorySink, query: Query) -> AsyncIterator[Event]:
        if down and self.context.name == "one":
            raise SinkUnavailable("connection refused")
        async for event in search(self, query):
            yield event

    monkeypatch.setattr(MemorySink, "search", failing)

    def switch(state: bool, *then: Any) -> Any:
        async def act() -> None:
            nonlocal down
            down = state
            for other in then:
                await other()

        return act

    found = await followed(
        Follower(
            config, ["one", "two"], Query(), datetime.now(UTC), on_change=lambda *what: reported.append(what)
        ),
        switch(True, arrives("one", make_event("hidden")), arrives("two", make_event("shown"))),
        switch(True),
        switch(False),
    )
    assert [item.event.name for item in found] == ["shown", "hidden"]
    assert reported == [("one", "connection refused"), ("one", None)]
