"""``logweir archive`` and ``logweir restore`` on the command line."""

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.event import Kind
from logweir.stores.archive.journal import Journal
from support.archives import archived_rows, bare, fill, held, old_events


def configured(**sink: Any) -> RoutingConfig:
    sinks = {
        "audit_db": {"type": "sqlite", "url": "sqlite+aiosqlite:///audit.db", "provision": True, **sink},
        "local": {"type": "file", "path": "tracing.jsonl"},
    }
    routing = {"data_dir": "data", "sinks": sinks, "routes": [{"name": "all", "to": ["audit_db"]}]}
    Path("routing.yaml").write_text(json.dumps(routing))
    return load_config("routing.yaml")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})


def test_a_day_that_was_archived_in_several_runs_is_one_day() -> None:
    config = configured()
    asyncio.run(fill(config, old_events(10, days=1)))
    for kind in ("audit", "tracing"):
        asyncio.run(fill(config, old_events(10, days=1, kind=Kind(kind))))
        run("archive", "--sink", "audit_db", "--older-than", "90d", "--to", "archive", "--kind", kind)
    result = run("restore", "--from", "archive", "--to", "audit_db")
    assert result.stdout == "audit_db: 30 rows restored, 0 there already, from 2 files of 1 day\n"


def test_there_and_back(tmp_path: Path) -> None:
    config, events = configured(), old_events(60)
    asyncio.run(fill(config, events))
    result = run("archive", "--sink", "audit_db", "--older-than", "90d", "--to", "archive")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "audit_db: 60 rows of 3 days archived in 3 files at archive, 60 rows deleted\n"
    assert len(archived_rows(tmp_path)) == 60
    result = run("restore", "--from", "archive", "--to", "audit_db")
    assert result.stdout == "audit_db: 60 rows restored, 0 there already, from 3 files of 3 days\n"
    assert asyncio.run(held(config)) == bare(events)
    result = run("restore", "--from", "archive/audit_db", "--to", "audit_db", "--since", "2000-01-01")
    assert "0 rows restored, 60 there already" in result.stdout


def test_memory_is_an_archive_for_tests() -> None:
    config, events = configured(), old_events(10)
    asyncio.run(fill(config, events))
    assert run("archive", "--sink", "audit_db", "--older-than", "90d", "--to", "memory://here").exit_code == 0
    assert run("restore", "--from", "memory://here", "--to", "audit_db").exit_code == 0
    assert asyncio.run(held(config)) == bare(events)


def test_what_is_due_is_done_once() -> None:
    config = configured(retention={"after": "90d", "archive": "archive"})
    asyncio.run(fill(config, old_events(10)))
    first = run("archive", "--due")
    assert (first.exit_code, "10 rows of 3 days archived" in first.stdout) == (0, True)
    assert run("archive", "--due").stdout == "nothing is due\n"


def test_without_an_archive_what_is_due_is_deleted() -> None:
    config = configured(retention={"after": "90d"})
    asyncio.run(fill(config, old_events(10)))
    assert run("archive", "--due").stdout == "audit_db: 10 rows deleted\n"
    assert asyncio.run(held(config)) == []


def test_what_another_process_does_is_left_to_it() -> None:
    config = configured(retention={"after": "90d", "archive": "archive"})
    other = Journal(config.data_dir, "audit_db")
    other.acquire()
    try:
        assert run("archive", "--due").exit_code == 0
        result = run("archive", "--sink", "audit_db")
        assert result.exit_code == 1
        assert "another process is at work" in result.stderr
    finally:
        other.release()


def test_a_damaged_file_ends_with_1_and_the_others_are_restored(tmp_path: Path) -> None:
    config = configured()
    asyncio.run(fill(config, old_events(60)))
    run("archive", "--sink", "audit_db", "--older-than", "90d", "--to", "archive")
    damaged = min(tmp_path.rglob("*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    result = run("restore", "--from", "archive", "--to", "audit_db")
    assert result.exit_code == 1
    assert damaged.name in result.stderr
    assert "40 rows restored" in result.stdout


def test_files_of_a_run_that_was_killed_are_named_where_they_are_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit(9)

    asyncio.run(fill(configured(), old_events(10, days=1)))
    here = ["archive", "--sink", "audit_db", "--older-than", "90d", "--to", "archive"]
    with monkeypatch.context() as patch:
        patch.setattr("logweir.stores.archive.archiving.verify", die)
        assert run(*here).exit_code == 9
    assert len(archived_rows(tmp_path)) == 10
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = run(*here, "-c", "../routing.yaml")
    assert result.exit_code == 1
    assert f" in {tmp_path}/archive; remove them" in result.stderr


def test_a_run_that_was_killed_leaves_nothing_behind_where_it_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit(9)

    asyncio.run(fill(configured(), old_events(10, days=1)))
    here = ["archive", "--sink", "audit_db", "--older-than", "90d", "--to"]
    with monkeypatch.context() as patch:
        patch.setattr("logweir.stores.archive.archiving.verify", die)
        assert run(*here, "archive").exit_code == 9
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    result = run(*here, "../archive", "-c", "../routing.yaml")
    assert result.exit_code == 0, result.stderr
    assert len(archived_rows(tmp_path)) == 10


@pytest.mark.parametrize("age", ["1000000d", "99999999999999999999w"])
def test_an_age_from_before_the_calendar_is_one_that_nothing_has(age: str) -> None:
    asyncio.run(fill(configured(retention={"after": age}), old_events(10)))
    assert run("archive", "--due").output == "audit_db: 0 rows deleted\n"
    result = run("archive", "--sink", "audit_db", "--older-than", age, "--to", "archive")
    assert (result.exit_code, result.output) == (
        0,
        "audit_db: 0 rows of 0 days archived in 0 files at archive, 0 rows deleted\n",
    )


def test_a_failure_ends_with_1(tmp_path: Path) -> None:
    config = configured()
    asyncio.run(fill(config, old_events(10)))
    Path("file").write_text("")
    result = run("archive", "--sink", "audit_db", "--older-than", "90d", "--to", "file/archive")
    assert result.exit_code == 1
    assert "logweir: " in result.stderr
    assert run("restore", "--from", "nowhere", "--to", "audit_db").exit_code == 1


@pytest.mark.parametrize(
    "change", ["kind = 'metric'", "extra_info = '{'", "time_us = -9000000000000000000"], ids=str
)
def test_a_row_that_is_no_event_is_named_and_nothing_is_deleted_behind_it(change: str) -> None:
    asyncio.run(fill(configured(), old_events(10, days=1)))
    with closing(sqlite3.connect("audit.db")) as database, database:
        ((row_id,),) = database.execute("SELECT id FROM audit_log ORDER BY time_us, time_ns LIMIT 1")
        database.execute(f"UPDATE audit_log SET {change} WHERE id = ?", [row_id])
    result = run("archive", "--sink", "audit_db", "--older-than", "90d", "--to", "archive")
    assert result.exit_code == 1
    assert f"'{row_id}'" in result.stderr
    assert "unexpected" not in result.stderr
    with closing(sqlite3.connect("audit.db")) as database:
        assert database.execute("SELECT count(*) FROM audit_log").fetchone() == (10,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["archive"], "name the sink with --sink"),
        (["archive", "--sink", "audit"], "did you mean 'audit_db'?"),
        (["archive", "--sink", "audit_db"], "--older-than 90d"),
        (["archive", "--sink", "audit_db", "--older-than", "90d"], "--to s3://bucket/audit"),
        (
            ["archive", "--sink", "audit_db", "--older-than", "90", "--to", "x"],
            "--older-than: not an age: '90'",
        ),
        (["archive", "--sink", "audit_db", "--older-than", "9d", "--to", "ftp://a:b@c/d"], "put credentials"),
        (["archive", "--sink", "audit_db", "--older-than", "9d", "--to", "gopher://x"], "gopher"),
        (["archive", "--sink", "local", "--older-than", "9d", "--to", "x"], "no delete method"),
        (["archive", "--due", "--to", "x"], "leave out the other options"),
        (["restore", "--from", "x", "--to", "nobody"], "there is no sink 'nobody'"),
        (["restore", "--from", "x", "--to", "audit_db", "--since", "soon"], "not a time: 'soon'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_ends_with_2_and_says_what_is_right(arguments: list[str], message: str) -> None:
    configured()
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


@pytest.mark.parametrize("missing", ["pyarrow", "fsspec.core"])
def test_a_missing_driver_is_named_with_the_line_to_type(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    config = configured()
    asyncio.run(fill(config, old_events(5)))
    monkeypatch.setitem(sys.modules, missing, None)
    result = run("archive", "--sink", "audit_db", "--older-than", "9d", "--to", "x")
    assert result.exit_code == 2
    assert "pip install 'logweir[archive]'" in result.stderr
    assert len(asyncio.run(held(config))) == 5
