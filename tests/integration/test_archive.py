"""Old events leave a sink for Parquet, and come back; nothing is lost, whenever it is killed."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from logweir.config.models import RoutingConfig
from logweir.errors import ArchiveError, SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.contract import Query
from logweir.sinks.sql.sink import SqlSink
from logweir.stores.archive import files
from logweir.stores.archive.journal import Busy, Journal
from logweir.stores.archive.progress import Cancelled, Progress, Summary
from logweir.stores.archive.restoring import restore
from logweir.stores.archive.storage import Storage
from logweir.stores.reading import opened
from logweir.testing.contract import make_event
from support.archives import DAY, SMALL, archived, archived_rows, bare, fill, held, old_events, routing

LONG = os.environ.get("LOGWEIR_SOAK") == "long"


async def restored(config: RoutingConfig, url: str, **options: Any) -> Summary:
    storage = await asyncio.to_thread(Storage, url)
    async with opened("audit_db", config) as sink:
        return await restore(storage, sink, **options)


async def test_old_events_move_to_parquet_and_come_back_identical(tmp_path: Path) -> None:
    config, events, recent = routing(tmp_path), old_events(100), make_event("today")
    await fill(config, [*events, recent])
    summary = await archived(config, str(tmp_path / "archive"))
    assert (summary.days, summary.archived, summary.deleted) == (3, 100, 100)
    assert summary.files == 6  # 33 rows a day, and at most 21 (three pages) in a file
    assert await held(config) == bare([recent])
    assert sorted(row["id"] for row in archived_rows(tmp_path)) == sorted(event.id for event in events)
    back = await restored(config, str(tmp_path / "archive"))
    assert (back.restored, back.present, back.problems) == (100, 0, [])
    assert await held(config) == bare([*events, recent])


async def test_restoring_twice_is_restoring_once(tmp_path: Path) -> None:
    config, events = routing(tmp_path), old_events(30)
    await fill(config, events)
    await archived(config, str(tmp_path / "archive"))
    await restored(config, str(tmp_path / "archive"))
    again = await restored(config, str(tmp_path / "archive"))
    assert (again.restored, again.present) == (0, 30)
    assert await held(config) == bare(events)


async def test_a_part_of_the_time_is_restored(tmp_path: Path) -> None:
    config, events = routing(tmp_path), old_events(60, days=3)
    await fill(config, events)
    await archived(config, str(tmp_path / "archive"))
    middle = sorted(event.time for event in events)[20]
    since = datetime.fromtimestamp(middle // DAY * DAY / 1e9, UTC)
    await restored(config, str(tmp_path / "archive"), since=since, until=since + timedelta(days=1))
    wanted = [event for event in events if since <= event.datetime < since + timedelta(days=1)]
    assert len(wanted) == 20
    assert await held(config) == bare(wanted)


async def test_only_one_kind_leaves_if_only_one_is_asked_for(tmp_path: Path) -> None:
    config, audit, tracing = routing(tmp_path), old_events(10), old_events(10, kind=Kind.TRACING)
    await fill(config, [*audit, *tracing])
    await archived(config, str(tmp_path / "archive"), kind=Kind.TRACING)
    assert await held(config) == bare(audit)


async def test_the_columns_are_typed_and_the_fields_are_json(tmp_path: Path) -> None:
    event = make_event(
        "fund.transfer",
        {"user_id": 7, "status": "success", "duration_ms": 12, "amount": {"currency": "EUR"}},
        kind=Kind.AUDIT,
        time_ns=1_700_000_000_123_456_789,
    )
    config = routing(tmp_path)
    await fill(config, [event])
    await archived(config, str(tmp_path / "archive"))
    [row] = archived_rows(tmp_path)
    assert row["time"] == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)
    assert row["time_ns"] == 789
    assert (row["user_id"], row["status"], row["duration_ms"]) == ("7", "success", 12.0)
    assert (row["kind"], row["action"], row["trace_id"]) == ("audit", "fund.transfer", event.trace_id)
    assert json.loads(row["fields"]) == event.fields


async def test_an_event_that_arrives_late_is_not_deleted_unarchived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, events = routing(tmp_path), old_events(30, days=1)
    late = make_event("late", time_ns=events[3].time + 1)
    await fill(config, events)
    delete = SqlSink.delete

    async def delete_meanwhile(self: SqlSink, ids: Sequence[str]) -> int:
        await self.write([late])
        return await delete(self, ids)

    monkeypatch.setattr(SqlSink, "delete", delete_meanwhile)
    summary = await archived(config, str(tmp_path / "archive"))
    assert summary.deleted == 30
    assert await held(config) == bare([late])
    monkeypatch.undo()
    assert (await archived(config, str(tmp_path / "archive"))).archived == 1
    assert len(archived_rows(tmp_path)) == 31


def named(directory: Path, pattern: str) -> list[Path]:
    return list(directory.rglob(pattern))


def the_only_file(directory: Path) -> Path:
    [file] = named(directory, "*.parquet")
    return file


# -- what is not what was written ------------------------------------------------------------------


async def test_nothing_is_deleted_for_a_file_that_reads_back_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, events = routing(tmp_path), old_events(30)
    await fill(config, events)
    finish = files.Part.finish

    def damage(self: files.Part) -> Any:
        done = finish(self)
        path = Path(self._new.path)
        data = bytearray(path.read_bytes())
        at = data.find(events[0].service.encode())
        data[at] ^= 1
        path.write_bytes(data)
        return done

    monkeypatch.setattr(files.Part, "finish", damage)
    with pytest.raises(ArchiveError, match=r"part-.*parquet"):
        await archived(config, str(tmp_path / "archive"))
    assert await held(config) == bare(events)
    assert named(tmp_path, "manifest-*") == []


async def test_a_file_that_lost_rows_is_not_verified(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    config, events = routing(tmp_path), old_events(10, days=1)
    await fill(config, events)
    await archived(config, str(tmp_path / "archive"))
    part = the_only_file(tmp_path)
    pq.write_table(pq.read_table(part).slice(1), part)
    summary = await restored(config, str(tmp_path / "archive"))
    assert summary.restored == 0
    assert "9 rows there, and 10 were archived" in summary.problems[0]
    assert await held(config) == []


async def test_rows_whose_archive_was_damaged_later_are_archived_anew_and_it_is_reported(
    tmp_path: Path,
) -> None:
    config, events = routing(tmp_path), old_events(10, days=1)
    await fill(config, events)
    await archived(config, str(tmp_path / "archive"))
    part = the_only_file(tmp_path)
    part.write_bytes(b"PAR1 no more PAR1")
    await fill(config, events)
    summary = await archived(config, str(tmp_path / "archive"))
    assert (summary.archived, summary.deleted) == (10, 10)
    assert part.name in summary.problems[0]
    part.unlink()
    assert len(archived_rows(tmp_path)) == 10


async def test_a_row_with_columns_that_contradict_its_fields_is_found(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    config, events = routing(tmp_path), old_events(10, days=1)
    await fill(config, events)
    await archived(config, str(tmp_path / "archive"))
    part = the_only_file(tmp_path)
    table = pq.read_table(part)
    forged = pa.array(["somebody else"] * table.num_rows, pa.string())
    at = table.schema.get_field_index("user_id")
    pq.write_table(table.set_column(at, table.schema.field(at), forged), part)
    summary = await restored(config, str(tmp_path / "archive"))
    assert "contradict" in summary.problems[0]


async def test_a_place_that_cannot_be_written_is_reported_and_nothing_is_deleted(tmp_path: Path) -> None:
    config, events = routing(tmp_path), old_events(10)
    await fill(config, events)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ArchiveError, match=r"/file/archive.*Not a directory"):
        await archived(config, str(tmp_path / "file" / "archive"))
    assert await held(config) == bare(events)


async def test_what_is_no_archive_is_reported(tmp_path: Path) -> None:
    with pytest.raises(
        ArchiveError, match="no archive is there; name the folder or URL that `logweir archive` wrote to"
    ):
        await restored(routing(tmp_path), str(tmp_path / "nothing"))


# -- stopping, and being killed --------------------------------------------------------------------


@dataclass(frozen=True)
class Filled:
    """A folder with a sink full of old events, of which each run gets a copy.

    Attributes:
        folder: The folder.
        events: What the sink holds.
    """

    folder: Path
    events: list[Event]

    def copied(self, to: Path) -> RoutingConfig:
        shutil.copytree(self.folder, to)
        return routing(to)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("filled")
    config = routing(folder)
    asyncio.run(fill(config, old_events(60, days=2)))
    return Filled(folder, asyncio.run(held(config)))


@pytest.mark.soak
async def test_stopped_at_any_step_and_begun_again_nothing_is_lost_and_nothing_twice(
    filled: Filled, tmp_path: Path
) -> None:
    steps = await steps_of_a_run(filled, tmp_path / "whole")
    assert steps > 30
    for step in range(1, steps + 1, 1 if LONG else 2):  # each file has several of each kind
        await prove_resumable(filled, tmp_path / str(step), step)


async def steps_of_a_run(filled: Filled, directory: Path) -> int:
    reported: list[str] = []
    await archived(
        filled.copied(directory),
        str(directory / "archive"),
        progress=Progress(lambda what, _share, _summary: reported.append(what)),
    )
    return len(reported)


async def prove_resumable(filled: Filled, directory: Path, step: int) -> None:
    config = filled.copied(directory)
    stop = threading.Event()
    count = 0

    def reported(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == step:
            stop.set()

    try:
        await archived(config, str(directory / "archive"), progress=Progress(reported, stop))
    except Cancelled:
        await archived(config, str(directory / "archive"))
    assert await held(config) == []
    assert sorted(row["id"] for row in archived_rows(directory)) == [event.id for event in filled.events]


#: Forks a process for each step, which is killed there in the folder of that name; with 0 it lives, and says how many
#: steps there are. Importing everything takes longer than what each of them does.
KILLED = """
    import asyncio, os, signal, sys, traceback
    from pathlib import Path
    from support import archives
    from logweir.stores.archive import archiving, files, journal, manifest, storage
    from logweir.sinks.sql.sink import SqlSink

    fatal, count = 0, 0

    def deadly(owner, name, is_async=False):
        original = getattr(owner, name)

        def step():
            global count
            count += 1
            if count == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

        def run(*args, **options):
            step()
            answer = original(*args, **options)
            step()
            return answer

        async def run_async(*args, **options):
            step()
            answer = await original(*args, **options)
            step()
            return answer

        setattr(owner, name, run_async if is_async else run)

    def live():
        here = Path.cwd() / str(fatal)
        os.chdir(here)
        asyncio.run(archives.archived(archives.routing(here), str(here / "archive")))
        print(count, flush=True)

    deadly(journal.Journal, "begin"); deadly(journal.Journal, "end")
    deadly(files.Part, "write"); deadly(files.Part, "finish")
    deadly(storage.Storage, "write"); deadly(os, "replace"); deadly(storage.Storage, "remove")
    deadly(archiving, "verify")
    deadly(SqlSink, "delete", is_async=True)
    for fatal in map(int, sys.argv[1:]):
        process = os.fork()
        if process == 0:
            try:
                live()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if os.waitstatus_to_exitcode(status) != (-signal.SIGKILL if fatal else 0):
            sys.exit(f"step {fatal} ended by {status}")
"""


async def killed_at(directory: Path, *steps: int) -> str:
    """Kill a process at each step, and return what was printed."""
    program = directory / "killed.py"
    program.write_text(textwrap.dedent(KILLED))
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, str(program), *map(str, steps)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.slow
@pytest.mark.soak
async def test_killed_at_many_points_and_begun_again_nothing_is_lost_and_nothing_twice(
    filled: Filled, tmp_path: Path
) -> None:
    filled.copied(tmp_path / "0")
    steps = int(await killed_at(tmp_path, 0))
    points = steps if LONG else 8
    chosen = sorted({round(1 + number * (steps - 1) / (points - 1)) for number in range(points)})
    configs = {step: filled.copied(tmp_path / str(step)) for step in chosen}
    await killed_at(tmp_path, *chosen)
    for step, config in configs.items():
        await prove_killed_is_resumable(filled, tmp_path / str(step), config)


async def prove_killed_is_resumable(filled: Filled, directory: Path, config: RoutingConfig) -> None:
    events = filled.events
    present = {event.id for event in await held(config)}
    in_files = {row["id"] for row in archived_rows(directory)}
    assert {event.id for event in events} - present <= in_files  # what is gone is archived
    await archived(config, str(directory / "archive"))
    assert await held(config) == []
    assert sorted(row["id"] for row in archived_rows(directory)) == [event.id for event in events], directory
    assert named(directory, "*.tmp") == []
    await restored(config, str(directory / "archive"))
    assert await held(config) == events


async def test_one_process_at_a_time_is_at_work_on_a_sink(tmp_path: Path) -> None:
    config = routing(tmp_path)
    other = Journal(config.data_dir, "audit_db")
    await asyncio.to_thread(other.acquire)
    try:
        with pytest.raises(Busy, match="another process is at work on the retention of sink 'audit_db'"):
            await archived(config, str(tmp_path / "archive"))
    finally:
        await asyncio.to_thread(other.release)
    await archived(config, str(tmp_path / "archive"))


async def test_a_sink_that_fails_while_deleting_is_finished_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, events = routing(tmp_path), old_events(30, days=1)
    await fill(config, events)
    delete, calls = SqlSink.delete, 0

    async def fail_at_the_third(self: SqlSink, ids: Sequence[str]) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise SinkUnavailable("the server has gone away")
        return await delete(self, ids)

    monkeypatch.setattr(SqlSink, "delete", fail_at_the_third)
    with pytest.raises(SinkUnavailable):
        await archived(config, str(tmp_path / "archive"))
    assert 0 < len(await held(config)) < 30
    summary = await archived(config, str(tmp_path / "archive"))
    assert (summary.archived, await held(config)) == (0, [])
    assert len(archived_rows(tmp_path)) == 30


async def test_the_rows_in_memory_are_bounded_by_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = routing(tmp_path)
    await fill(config, old_events(200, days=1))
    largest = 0
    search = SqlSink.search

    async def counted(self: SqlSink, query: Query) -> AsyncIterator[Event]:
        nonlocal largest
        rows = 0
        async for event in search(self, query):
            rows += 1
            largest = max(largest, rows)
            yield event

    monkeypatch.setattr(SqlSink, "search", counted)
    await archived(config, str(tmp_path / "archive"))
    assert largest <= SMALL.page + 1
