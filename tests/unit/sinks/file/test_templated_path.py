"""A path with placeholders: each event in the file that its values name, within the bound."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.file import FileConfig, FileSink
from logweir.sinks.file.open_files import OpenFiles
from logweir.sinks.results import HealthStatus, WriteResult
from logweir.sinks.templated import TemplatedSink
from logweir.sinks.threaded import as_async
from logweir.testing.contract import make_event

CONTEXT = SinkContext(name="local", workers=2)


@asynccontextmanager
async def opened(folder: Path, *, read_only: bool = False, **options: Any) -> AsyncIterator[TemplatedSink]:
    config = FileConfig.model_validate({"path": folder / "{service}" / "{fields.tenant}.jsonl", **options})
    sink = as_async(FileSink(config, replace(CONTEXT, read_only=read_only)))
    assert isinstance(sink, TemplatedSink)
    try:
        await sink.open()
        yield sink
    finally:
        await sink.close()


async def found(sink: Any, **conditions: Any) -> list[Event]:
    return [event async for event in sink.search(Query(**conditions))]


def children(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id for event in events]


def of_tenants(*tenants: Any) -> list[Event]:
    return [make_event(tenant=tenant, time_ns=10**18 + index) for index, tenant in enumerate(tenants)]


def files(folder: Path) -> dict[str, int]:
    """The files below a folder that hold events, each with the number of its lines."""
    return {
        str(path.relative_to(folder)): lines
        for path in sorted(folder.rglob("*.jsonl"))
        if path.is_file() and (lines := path.read_bytes().count(b"\n"))
    }


async def test_each_event_is_in_the_file_of_its_values_and_all_are_read_back(tmp_path: Path) -> None:
    events = of_tenants("acme", "globex", "acme")
    async with opened(tmp_path) as sink:
        assert await sink.write(events) == WriteResult.all_stored()
        again = await sink.write(events)
        assert again.duplicate == {0, 1, 2}
    assert files(tmp_path) == {"contract-service/acme.jsonl": 2, "contract-service/globex.jsonl": 1}
    async with opened(tmp_path, read_only=True) as reader:
        assert ids(await found(reader)) == ids(events)
        assert ids(await found(reader, limit=2, newest_first=True)) == ids(events[:0:-1])
        assert ids(await found(reader, fields={"tenant": "globex"})) == ids(events[1:2])


async def test_no_value_leaves_the_folder_and_what_is_beyond_the_bound_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    hostile = ["../../x", "/etc/x", "..", "a/b", None, "x" * 300, "a-20261124T101530.123456Z"]
    events = of_tenants("a", "b", "c", "d", *hostile)
    with caplog.at_level(logging.WARNING, "logweir"):
        async with opened(folder, max_destinations=2) as sink:
            await sink.write(events)
            assert {*ids(await found(sink))} == {*ids(events)}
            assert "2 of at most 2 destinations" in (await sink.check()).detail
            assert (sink.destinations.beyond, sink.destinations.unnamed) == (2, len(hostile))
    assert files(tmp_path) == {
        "logs/contract-service/a.jsonl": 1,
        "logs/contract-service/b.jsonl": 1,
        "logs/overflow/overflow.jsonl": 2 + len(hostile),
    }
    assert {path.name for path in children(tmp_path)} == {"logs"}
    assert len([record for record in caplog.records if "overflow" in record.getMessage()]) == 2


async def test_rotated_files_are_read_back_and_are_no_destinations(tmp_path: Path) -> None:
    events = of_tenants(*["acme", "globex"] * 20)
    async with opened(tmp_path, rotate={"max_bytes": 1000}) as sink:
        for first in range(0, 40, 4):
            await sink.write(events[first : first + 4])
    (tmp_path / "contract-service" / "acme.jsonl").unlink()
    async with opened(tmp_path, read_only=True) as reader:
        there = ids(await found(reader))
        assert {*ids(events[:32]), *ids(events[1::2])} <= {*there}
        assert len(there) == len({*there})


async def test_one_file_that_cannot_be_opened_lets_the_others_pass(tmp_path: Path) -> None:
    (tmp_path / "contract-service" / "acme.jsonl").mkdir(parents=True)
    events = of_tenants("globex", "acme", "acme", "initech")
    async with opened(tmp_path) as sink:
        result = await sink.write(events)
        assert (result.retry, result.rejected) == ({1, 2}, {})
        assert "no regular file" in result.retry_reason
        with pytest.raises(SinkUnavailable):
            await sink.write(events[1:3])
        assert (await sink.check()).status is HealthStatus.OK
    assert files(tmp_path) == {"contract-service/globex.jsonl": 1, "contract-service/initech.jsonl": 1}


def open_below(folder: Path) -> int:
    """How many descriptors this process has of files below a folder."""
    names = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return sum(name.startswith(str(folder)) for name in names)


async def test_a_bounded_number_of_files_is_open_and_those_that_were_closed_are_written_to_again(
    tmp_path: Path,
) -> None:
    tenants = [f"t{number}" for number in range(300)]
    first, second = of_tenants(*tenants), of_tenants(*tenants)
    async with opened(tmp_path, max_destinations=1000) as sink:
        assert await sink.write(first) == WriteResult.all_stored()
        assert 100 < open_below(tmp_path) < 300
        assert await sink.write(second) == WriteResult.all_stored()
        assert (await sink.write([*first[:2], *second[-2:]])).duplicate == {0, 1, 2, 3}
        assert (await sink.check()).status is HealthStatus.OK
        assert open_below(tmp_path) < 300
        assert {*ids(await found(sink))} == {*ids(first), *ids(second)}
    assert open_below(tmp_path) == 0
    assert files(tmp_path) == {f"contract-service/{tenant}.jsonl": 2 for tenant in sorted(tenants)}


def test_files_that_are_written_to_are_not_closed_for_others() -> None:
    class File:
        busy = False

        def let_go(self) -> bool:
            return not self.busy

    class Busy(File):
        busy = True

    open_files = OpenFiles(most=2)
    closed: list[object] = []

    class Noted(File):
        def let_go(self) -> bool:
            closed.append(self)
            return super().let_go()

    busy, oldest, newest = Busy(), Noted(), Noted()
    for file in (busy, oldest, newest, busy):
        open_files.use(file)
    assert closed == [oldest]
    open_files.forget(newest)
    open_files.use(Noted())
    assert closed == [oldest]


async def test_reading_before_anything_was_stored_says_so(tmp_path: Path) -> None:
    with pytest.raises(SinkUnavailable, match="No such file"):
        async with opened(tmp_path / "nowhere", read_only=True):
            pass
    assert not (tmp_path / "nowhere").exists()


def test_a_path_without_placeholders_costs_nothing(tmp_path: Path) -> None:
    sink = FileSink(FileConfig(path=tmp_path / "x.jsonl"), CONTEXT)
    assert getattr(as_async(sink), "itself") is sink  # noqa: B009 - of the adapter alone
    assert not isinstance(as_async(sink), TemplatedSink)
