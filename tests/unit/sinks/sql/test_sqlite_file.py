"""The file of the SQLite sink: who may read it, and what happens when it is taken away under the process."""

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import SinkContext
from logweir.sinks.sql.config import SqliteConfig
from logweir.sinks.sql.sink import SqlSink
from logweir.sinks.tamper_evidence import Chaining
from logweir.testing.contract import make_event
from support.permissions import mode_of, nobody, public_folder, umask


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    with umask(0o022):
        yield


@asynccontextmanager
async def opened(path: Path, *, chained: bool = False, **options: Any) -> AsyncIterator[SqlSink]:
    config = SqliteConfig(url=f"sqlite+aiosqlite:///{path}", provision=True, **options)
    sink = SqlSink(config, SinkContext(chaining=Chaining(None) if chained else None))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def ids_in(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        return {id_ for (id_,) in connection.execute("SELECT id FROM audit_log")}
    finally:
        connection.close()


def files_of(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}*"))


@pytest.mark.parametrize(
    ("options", "file", "folder"), [({}, "0600", "0700"), ({"mode": "0640"}, "0640", "0750")]
)
async def test_s3_the_database_is_private_unless_a_mode_is_given(
    tmp_path: Path, options: dict[str, Any], file: str, folder: str
) -> None:
    path = tmp_path / "audit" / "audit.db"
    async with opened(path, **options) as sink:
        await sink.write([make_event()])
        assert len(files_of(path)) > 1  # the log of its transactions too
        assert {mode_of(each) for each in files_of(path)} == {file}
    assert mode_of(path.parent) == folder


async def test_s3_a_database_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    path.touch()
    path.chmod(0o660)
    async with opened(path) as sink:
        await sink.write([make_event()])
        assert {mode_of(each) for each in files_of(path)} == {"0660"}


def removed(path: Path) -> None:
    for file in files_of(path):
        file.unlink()


def moved(path: Path) -> None:
    for file in files_of(path):
        file.rename(path.parent / f"old-{file.name}")


def moved_alone(path: Path) -> None:
    path.rename(path.parent / "old.db")


def replaced(path: Path) -> None:
    """As a backup is restored: another file under the same name."""
    other = path.parent / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE something (x)")
    connection.close()
    removed(path)
    other.rename(path)


def folder_removed(path: Path) -> None:
    shutil.rmtree(path.parent)


HARMS: list[Callable[[Path], None]] = [removed, moved, moved_alone, replaced, folder_removed]


async def written_until_stored(sink: SqlSink, batch: list[Event]) -> int:
    """Write as a worker does: what is unavailable is sent again."""
    for attempt in range(5):
        try:
            await sink.write(batch)
        except SinkUnavailable:
            continue
        return attempt
    raise AssertionError("never stored")


@pytest.mark.parametrize("chained", [False, True], ids=["plain", "chained"])
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
async def test_s4_what_is_acknowledged_stands_in_the_file_of_that_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None], chained: bool
) -> None:
    path = tmp_path / "data" / "audit.db"
    first, second, third = ([make_event() for _ in range(20)] for _ in range(3))
    async with opened(path, chained=chained) as sink:
        await sink.write(first)
        harm(path)
        await written_until_stored(sink, second)
        await written_until_stored(sink, third)
        assert ids_in(path) >= {event.id for event in [*second, *third]}
        assert (await sink.check()).status.value == "ok"
    assert ids_in(path) >= {event.id for event in [*second, *third]}
    assert f"{path} was removed, moved or replaced" in caplog.text


async def test_s4_a_row_of_the_applications_own_is_not_acknowledged_from_a_file_that_is_gone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.db"
    async with opened(path) as sink:
        await sink.write([make_event()])
        removed(path)
        event = make_event()
        for _ in range(3):
            try:
                await sink.record(event)
            except SinkUnavailable:
                continue
            break
        assert ids_in(path) >= {event.id}


async def test_s4_a_file_that_was_read_only_when_it_was_opened_serves_once_it_may_be_written() -> None:
    with public_folder() as folder:
        path = folder / "audit.db"
        async with opened(path, mode="0644") as maker:
            await maker.write([make_event()])
        folder.chmod(0o777)
        with nobody():
            if os.geteuid() == path.stat().st_uid:
                path.chmod(0o400)
            async with opened(path) as sink:
                event = make_event()
                with pytest.raises(SinkUnavailable, match="readonly"):
                    await sink.write([event])
                if os.geteuid() == path.stat().st_uid:
                    path.chmod(0o600)
                else:
                    os.seteuid(0)
                    path.chmod(0o666)
                    os.seteuid(65534)
                await written_until_stored(sink, [event])
        assert event.id in ids_in(path)
