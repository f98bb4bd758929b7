"""Retention rules: what may be written, when they are due, and what they do."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.errors import ConfigError
from logweir.event import Kind
from logweir.settings.retention import RetentionConfig
from logweir.sinks import registry
from logweir.stores.archive.journal import Journal
from logweir.stores.archive.retention import Job, apply, due_jobs, is_due, jobs, last_slot
from logweir.testing.contract import make_event
from support.archives import archived_rows, bare, fill, held, old_events, routing

registry.resolve("sqlite")  # here, because an import in the loop of a test would block it

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def rule(**options: Any) -> RetentionConfig:
    return RetentionConfig.model_validate({"after": "90d", **options})


def configured(tmp_path: Path, retention: Any, sink_type: str = "memory") -> RoutingConfig:
    sink = {"type": sink_type, "retention": retention, **({"path": "x"} if sink_type == "file" else {})}
    return load_config(
        {"data_dir": str(tmp_path), "sinks": {"s": sink}, "routes": [{"name": "all", "to": ["s"]}]}
    )


# -- what may be written ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retention", "message"),
    [
        ({"after": 90}, "an age without a unit: 90"),
        ({"after": "90"}, "write a number with s, h, d or w, such as 90d"),
        ({"after": "3m"}, "not an age: '3m'"),
        ({"after": "0d"}, "must be more than 0"),
        ({"after": "90d", "at": "24:00"}, 'such as "03:00"'),
        ({"after": "90d", "at": 1500}, "not a time of day"),
        ({"after": "90d", "archive": " "}, "the URL of the archive is empty"),
        ({"after": "90d", "archive": "sftp://me:hunter2@host/x"}, "put credentials into options"),
        (
            {"after": "90d", "archive": "s3://b/x?aws_secret_access_key=hunter2"},
            "put credentials into options",
        ),
        ({"after": "90d", "archive": "sftp://me:12/hunter2@host/x"}, "put credentials into options"),
        (
            {"after": "90d", "archive": "zip://a.zip::sftp://me:hunter2@host/x"},
            "put credentials into options",
        ),
        ({"after": "90d", "options": {"key": "x"}}, "name one with archive"),
        ([{"after": "90d"}, {"after": "9d", "kind": "audit"}], "need a kind each"),
        ([{"after": "90d", "kind": "audit"}, {"after": "9d", "kind": "audit"}], "need a kind each"),
        ({"after": "90d", "archiv": "x"}, "archive"),
    ],
)
def test_what_could_be_meant_otherwise_is_refused(tmp_path: Path, retention: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        configured(tmp_path, retention)
    assert message in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_yaml_may_read_a_time_of_day_as_minutes() -> None:
    assert rule(at=13 * 60 + 30).at == rule(at="13:30").at


def test_a_sink_that_cannot_do_it_is_reported_when_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sinks\.s\.retention: .*type file cannot .*no delete method"):
        configured(tmp_path, {"after": "90d", "archive": "x"}, "file")
    with pytest.raises(ConfigError, match="no prune method"):
        configured(tmp_path, {"after": "90d"}, "stdout")


def test_options_are_never_shown(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        {
            "after": "90d",
            "archive": "s3://b",
            "options": {"key": "AKIA-of-me", "client_kwargs": {"x": "nested"}},
        },
    )
    shown = repr(config) + str(config) + config.model_dump_json()
    assert "AKIA-of-me" not in shown
    assert "nested" not in shown


# -- when -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "slot"),
    [
        ("03:00", datetime(2026, 11, 25, 3, tzinfo=UTC)),
        ("12:00", NOON),
        ("12:01", datetime(2026, 11, 24, 12, 1, tzinfo=UTC)),
    ],
)
def test_the_last_slot_is_today_or_yesterday(at: str, slot: datetime) -> None:
    assert last_slot(rule(at=at), NOON) == slot


def test_a_rule_is_due_once_for_each_slot() -> None:
    wanted = rule(at="03:00")
    slot = last_slot(wanted, NOON)
    assert is_due(wanted, None, NOON)
    assert is_due(wanted, slot - timedelta(seconds=1), NOON)
    assert not is_due(wanted, slot, NOON)
    assert not is_due(wanted, NOON, NOON)


def test_what_was_done_is_not_due(tmp_path: Path) -> None:
    config = configured(tmp_path, [{"after": "90d", "kind": "audit"}, {"after": "9d", "kind": "tracing"}])
    Journal(tmp_path, "s").done("audit", NOON)
    assert [job.rule.kind for job in due_jobs(config, NOON)] == [Kind.TRACING]


# -- what is done -----------------------------------------------------------------------------------


async def test_without_an_archive_old_events_are_deleted(tmp_path: Path) -> None:
    config = routing(tmp_path, retention={"after": "90d", "kind": "audit"})
    audit, tracing, recent = old_events(2_500), old_events(10, kind=Kind.TRACING), make_event("recent")
    await fill(config, [*audit, *tracing, recent])
    summary = await apply(config, jobs(config)[0], datetime.now(UTC))
    assert summary.deleted == 2_500
    assert await held(config) == bare([*tracing, recent])


async def test_with_an_archive_old_events_are_archived_and_it_is_noted(tmp_path: Path) -> None:
    config = routing(tmp_path, retention={"after": "90d", "archive": str(tmp_path / "archive")})
    events, recent = old_events(50), old_events(20, age=80)
    await fill(config, [*events, *recent])
    now = datetime.now(UTC)
    [job] = await asyncio.to_thread(lambda: list(due_jobs(config, now)))
    summary = await apply(config, job, now)
    assert (summary.archived, summary.deleted) == (50, 50)
    assert await held(config) == bare(recent)
    assert len(archived_rows(tmp_path)) == 50
    assert await asyncio.to_thread(lambda: list(due_jobs(config, now))) == []


async def test_a_sink_that_cannot_be_archived_is_refused(tmp_path: Path) -> None:
    config = await asyncio.to_thread(configured, tmp_path, {"after": "90d"}, "memory")
    await asyncio.to_thread(registry.resolve, "stdout")
    sink = config.sinks["s"].model_copy(update={"type": "stdout"})
    with pytest.raises(ConfigError, match="type stdout cannot have retention"):
        await apply(config.model_copy(update={"sinks": {"s": sink}}), Job("s", rule()), NOON)
