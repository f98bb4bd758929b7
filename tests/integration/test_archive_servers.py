"""Archiving out of real servers, restoring into them, and moving from one to another."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.sinks.contract import Query
from logweir.stores.archive.restoring import restore
from logweir.stores.archive.storage import Storage
from logweir.stores.migration import Checkpoint, Migration, migrate
from logweir.stores.reading import merged, opened, search_each
from logweir.testing.contract import make_event
from support.archives import archived, archived_rows, bare, fill, held, old_events

SERVERS = ["mysql", "mariadb", "postgresql", "mongodb", "elasticsearch", "opensearch"]


def sink_on(server: Any) -> dict[str, Any]:
    name = f"archived_{uuid4().hex[:10]}"
    place = {
        "mongodb": {"database": "logweir_archive", "collection": name},
        "elasticsearch": {"index": name.replace("_", "-")},
        "opensearch": {"index": name.replace("_", "-")},
    }
    sink_type = "mysql" if server.name == "mariadb" else server.name
    return {
        "type": sink_type,
        "url": server.url,
        "provision": True,
        **place.get(server.name, {"table": name}),
    }


def configured(tmp_path: Path, **sinks: Any) -> RoutingConfig:
    return load_config(
        {"data_dir": str(tmp_path / "data"), "sinks": sinks, "routes": [{"name": "all", "to": list(sinks)}]}
    )


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("server", SERVERS, indirect=True)
async def test_old_events_leave_a_server_and_come_back(server: Any, tmp_path: Path) -> None:
    config = await asyncio.to_thread(configured, tmp_path, audit_db=sink_on(server))
    events, recent = old_events(60), make_event("today")
    await fill(config, [*events, recent])
    summary = await archived(config, str(tmp_path / "archive"))
    assert (summary.archived, summary.deleted, summary.problems) == (60, 60, [])
    assert await held(config) == bare([recent])
    assert len(archived_rows(tmp_path)) == 60
    storage = await asyncio.to_thread(Storage, str(tmp_path / "archive"))
    async with opened("audit_db", config) as sink:
        back = await restore(storage, sink)
    assert (back.restored, back.problems) == (60, [])
    assert await held(config) == bare([*events, recent])


async def test_from_one_store_to_another_and_one_timeline_over_both(
    mysql: Any, mongodb: Any, tmp_path: Path
) -> None:
    config = await asyncio.to_thread(configured, tmp_path, old=sink_on(mysql), new=sink_on(mongodb))
    events = old_events(500)
    await fill(config, events, "old")
    async with opened("old", config) as source, opened("new", config) as target:
        end = events[0].datetime.replace(year=events[0].datetime.year + 1)
        migration = Migration("old", "new", end, page=97)
        moved = await migrate(source, target, migration, Checkpoint(tmp_path / "checkpoint.json"))
    assert (moved.copied, moved.verified, moved.missing, moved.rejected) == (500, 500, [], {})
    assert await held(config, "new") == bare(events)
    answers = await search_each(config, Query(trace_id=events[0].trace_id, limit=None))
    timeline = merged(answers.found)
    assert len(timeline) == 500
    assert {item.sinks for item in timeline} == {("old", "new")}
