"""``logweir migrate``: everything is in the target, whatever stopped it on the way."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.file.sink import FileSink
from logweir.sinks.results import WriteResult
from logweir.sinks.sql.sink import SqlSink
from logweir.stores.migration import Checkpoint, Migration, Moved, migrate
from logweir.stores.reading import opened
from logweir.testing.contract import make_event
from support.archives import bare, fill, held, old_events


@pytest.fixture
def config() -> RoutingConfig:
    routing = {
        "data_dir": "data",
        "sinks": {
            "old": {"type": "file", "path": "old.jsonl"},
            "new": {"type": "sqlite", "url": "sqlite+aiosqlite:///new.db", "provision": True},
            "console": {"type": "stdout"},
            "lines": {"type": "file", "path": "lines.jsonl"},
        },
        "routes": [{"name": "all", "to": ["new"]}],
    }
    Path("routing.yaml").write_text(json.dumps(routing))
    return load_config("routing.yaml")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["migrate", *arguments])


def test_all_events_are_in_the_target_and_that_is_proven(config: RoutingConfig) -> None:
    events, mine = old_events(120), make_event("of the target")
    asyncio.run(fill(config, events, "old"))
    asyncio.run(fill(config, [*events[:5], mine], "new"))
    result = run("--from", "old", "--to", "new")
    assert result.exit_code == 0, result.output
    assert "old to new: 115 events copied, 5 there already; 120 of old found in new" in result.output
    assert asyncio.run(held(config, "new")) == bare([*events, mine])
    again = run("--from", "old", "--to", "new")
    assert "0 events copied, 120 there already; 120 of old found in new" in again.output


def test_a_part_of_the_time_is_moved(config: RoutingConfig) -> None:
    events = old_events(30)
    asyncio.run(fill(config, events, "old"))
    middle = sorted(event.time for event in events)[15]
    since = datetime.fromtimestamp(middle / 1e9, UTC).isoformat()
    assert run("--from", "old", "--to", "new", "--since", since).exit_code == 0
    assert len(asyncio.run(held(config, "new"))) == 15


async def moved(config: RoutingConfig, page: int = 7, end: datetime | None = None) -> Moved:
    async with opened("old", config) as source, opened("new", config) as target:
        migration = Migration("old", "new", end or datetime.now(UTC), page=page)
        return await migrate(source, target, migration, Checkpoint(Path("checkpoint.json")), sleep=_no_sleep)


def die_in_write(patch: pytest.MonkeyPatch, fatal: int) -> None:
    """Let the target die in its so many-th write."""
    write, calls = SqlSink.write, 0

    async def die(self: SqlSink, batch: Sequence[Event]) -> WriteResult:
        nonlocal calls
        calls += 1
        if calls == fatal:
            raise KeyboardInterrupt
        return await write(self, batch)

    patch.setattr(SqlSink, "write", die)


async def test_a_file_is_looked_through_once_for_a_page_and_not_for_every_few_ids(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(config, old_events(1300), "old")
    asked = list[int]()
    search = FileSink.search

    def counted(self: FileSink, query: Query) -> AsyncIterator[Event]:
        asked.append(len(query.ids or ()))
        return search(self, query)

    monkeypatch.setattr(FileSink, "search", counted)
    wanted = Migration("old", "lines", datetime.now(UTC))
    async with opened("old", config) as source, opened("lines", config) as target:
        moved = await migrate(source, target, wanted, Checkpoint(Path("checkpoint.json")), sleep=_no_sleep)
    assert moved.verified == 1300
    questions = [count for count in asked if count]
    assert sum(questions) == 1300
    assert max(questions) > 500


async def _no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("fatal", [1, 2, 4, 8])
async def test_begun_again_it_goes_on_where_it_was(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    events = old_events(60)
    await fill(config, events, "old")
    with monkeypatch.context() as patch:
        die_in_write(patch, fatal)
        with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
            await moved(config)
    done = await moved(config)
    assert done.resumed == (fatal - 1) * 7
    assert done.read <= 60 - done.resumed + 1  # the events of the last microsecond are read again
    assert done.verified == 60
    assert await held(config, "new") == bare(events)
    assert not await asyncio.to_thread(Path("checkpoint.json").exists)


@pytest.mark.parametrize("later", [5, 30, 60])
async def test_begun_again_with_another_end_it_goes_on_to_that_one(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    events = sorted(old_events(61), key=lambda event: event.time)
    await fill(config, events, "old")

    def end(number: int) -> datetime:
        return datetime.fromtimestamp(events[number].time // 1000 / 1e6, UTC)

    with monkeypatch.context() as patch:
        die_in_write(patch, 3)
        with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
            await moved(config, end=end(20))
    done = await moved(config, end=end(later))
    assert (done.resumed, done.verified) == (14, later)
    assert await held(config, "new") == bare(events[: max(later, 14)])


async def test_an_event_that_arrived_behind_the_reader_is_moved_too(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = old_events(60)
    late = make_event("late", time_ns=min(event.time for event in events) - 1)
    await fill(config, events, "old")
    write, calls = SqlSink.write, 0

    async def meanwhile(self: SqlSink, batch: Sequence[Event]) -> WriteResult:
        nonlocal calls
        calls += 1
        if calls == 3:
            await fill(config, [late], "old")
        return await write(self, batch)

    monkeypatch.setattr(SqlSink, "write", meanwhile)
    done = await moved(config)
    assert (done.verified, done.missing) == (61, [])
    assert await held(config, "new") == bare([*events, late])


async def test_what_the_target_takes_and_does_not_show_is_missing(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = old_events(20)
    await fill(config, events, "old")
    search = SqlSink.search

    async def forgetful(self: SqlSink, query: Query) -> AsyncIterator[Event]:
        async for event in search(self, query):
            if event.id != events[3].id:
                yield event

    monkeypatch.setattr(SqlSink, "search", forgetful)
    done = await moved(config)
    assert (done.verified, done.missing) == (19, [events[3].id])


def test_a_target_that_is_down_ends_with_1_and_nothing_is_lost(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(fill(config, old_events(10), "old"))

    async def down(self: SqlSink, batch: Sequence[Event]) -> WriteResult:
        raise SinkUnavailable("the server has gone away")

    text = Path("routing.yaml").read_text().replace('"provision"', '"retry": {"initial": "1ms"}, "provision"')
    Path("routing.yaml").write_text(text)
    monkeypatch.setattr(SqlSink, "write", down)
    result = run("--from", "old", "--to", "new")
    assert result.exit_code == 1
    assert "the server has gone away" in result.output


def test_what_the_target_refuses_is_reported_and_the_rest_is_moved(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = old_events(20)
    asyncio.run(fill(config, events, "old"))
    write = SqlSink.write

    async def picky(self: SqlSink, batch: Sequence[Event]) -> WriteResult:
        refused = {index: "too long" for index, event in enumerate(batch) if event.id == events[3].id}
        kept = [event for event in batch if event.id != events[3].id]
        await write(self, kept)
        return WriteResult(rejected=refused)

    monkeypatch.setattr(SqlSink, "write", picky)
    result = run("--from", "old", "--to", "new")
    assert result.exit_code == 1
    assert f"refused: event {events[3].id}: too long" in result.output
    assert len(asyncio.run(held(config, "new"))) == 19


def test_a_move_that_goes_on_says_up_to_when(config: RoutingConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(fill(config, old_events(1100), "old"))
    with monkeypatch.context() as patch:
        die_in_write(patch, 2)
        assert run("--from", "old", "--to", "new").exit_code == 1
    result = run("--from", "old", "--to", "new", "--until", "2101-02-03")
    assert "went on after 500 events of an earlier run, up to 2101-02-03 00:00:00Z" in result.output
    assert "1,100 of old found in new" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "old", "--to", "old"], "the same sink"),
        (["--from", "old", "--to", "console"], "cannot be read back"),
        (["--from", "odl", "--to", "new"], "did you mean 'old'?"),
    ],
)
def test_wrong_input_ends_with_2(config: RoutingConfig, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["migrate", *arguments], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert message in result.output
