"""The retention schedule: does what is due beside delivery, and ends when it is asked to."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.config.models import RoutingConfig
from logweir.sinks.sql.sink import SqlSink
from logweir.stores.archive.journal import Journal
from logweir.stores.archive.schedule import RetentionSchedule
from support.archives import archived_rows, bare, fill, held, old_events, routing


@pytest.fixture
async def config(tmp_path: Path) -> RoutingConfig:
    return await asyncio.to_thread(
        routing, tmp_path, retention={"after": "90d", "archive": str(tmp_path / "archive"), "at": "03:00"}
    )


class Watch:
    """A time that tests move."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


def last_done(config: RoutingConfig) -> datetime | None:
    return Journal(config.data_dir, "audit_db").last_done().get("all")


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def test_a_new_rule_waits_for_its_time_of_day_and_is_done_then(config: RoutingConfig) -> None:
    events, watch = old_events(30), Watch()
    await fill(config, events)
    began = watch.moment
    schedule = RetentionSchedule(lambda: config, now=watch, look=0.01)
    running = asyncio.create_task(schedule.run())
    await until(lambda: last_done(config) == began)
    assert len(await held(config)) == 30
    watch.moment = began + timedelta(days=1)
    await until(lambda: last_done(config) == watch.moment)
    assert await held(config) == []
    await schedule.stop()
    await running


async def test_a_rule_that_fails_is_reported_and_tried_again(
    config: RoutingConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(config, old_events(10))
    await asyncio.to_thread(
        Journal(config.data_dir, "audit_db").done, "all", datetime.now(UTC) - timedelta(days=2)
    )
    delete, calls = SqlSink.delete, 0

    async def fail_once(self: SqlSink, ids: Sequence[str]) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("the disk is full")
        return await delete(self, ids)

    monkeypatch.setattr(SqlSink, "delete", fail_once)
    schedule = RetentionSchedule(lambda: config, look=0.01)
    with caplog.at_level(logging.INFO, "logweir"):
        running = asyncio.create_task(schedule.run())
        await until(lambda: "10 deleted" in caplog.text)
    await schedule.stop()
    await running
    assert "the retention of sink 'audit_db' failed: the disk is full" in caplog.text


async def test_it_stops_in_the_middle_and_the_next_one_goes_on(
    config: RoutingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = old_events(4_000)
    await fill(config, events)
    await asyncio.to_thread(
        Journal(config.data_dir, "audit_db").done, "all", datetime.now(UTC) - timedelta(days=2)
    )
    in_the_middle, go_on = threading.Event(), threading.Event()
    delete = SqlSink.delete

    async def slow(self: SqlSink, ids: Sequence[str]) -> int:
        in_the_middle.set()
        await asyncio.to_thread(go_on.wait)
        return await delete(self, ids)

    monkeypatch.setattr(SqlSink, "delete", slow)
    schedule = RetentionSchedule(lambda: config, look=0.01)
    running = asyncio.create_task(schedule.run())
    await until(in_the_middle.is_set)
    stopping = asyncio.create_task(schedule.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    await running
    left = len(await held(config))
    assert 0 < left < 4_000
    again = RetentionSchedule(lambda: config, look=0.01)
    running = asyncio.create_task(again.run())
    await until(lambda: last_done(config) > datetime.now(UTC) - timedelta(hours=1))
    await again.stop()
    await running
    assert await held(config) == []
    assert len(archived_rows(tmp_path)) == 4_000


def test_the_runtime_keeps_its_retention_while_it_delivers(config: RoutingConfig, tmp_path: Path) -> None:
    events = old_events(30)
    asyncio.run(fill(config, events))
    Journal(config.data_dir, "audit_db").done("all", datetime.now(UTC) - timedelta(days=2))
    with logweir.running(config) as running:
        event = running.emit("today", {})
        assert event is not None
        asyncio.run(until(lambda: len(archived_rows(tmp_path)) == 30 and last_done_recently(config)))
        assert running.flush(10)
    assert asyncio.run(held(config)) == bare([event])


def last_done_recently(config: RoutingConfig) -> bool:
    done = last_done(config)
    return done is not None and done > datetime.now(UTC) - timedelta(hours=1)
