"""Page after page through a file and its rotated ones: each line is read a few times, however many pages there are."""

import gzip
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logweir.encoding.events import encode_lines
from logweir.event import Event
from logweir.sinks.contract import Query, SinkContext
from logweir.sinks.file import FileConfig, FileSink, reading
from logweir.sinks.file.reading import Reader
from logweir.sinks.file.rotation import packed_name, put_aside, rotated_files
from logweir.sinks.threaded import as_async
from logweir.stores.reading import pages
from logweir.testing.contract import make_event

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
START = 10**18
PAGE = 100


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SIZE", 4096)
    monkeypatch.setattr("logweir.stores.reading._FIRST_PAGE", PAGE)


@pytest.fixture
def read_lines(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The lines that were made events of."""
    lines, decode = list[bytes](), reading.decode_event
    monkeypatch.setattr(reading, "decode_event", lambda line: lines.append(line) or decode(line))
    return lines


def some_events(count: int, first: int = 0) -> list[Event]:
    return [make_event(f"n{number}", time_ns=START + number * 1000) for number in range(first, first + count)]


def append(path: Path, events: list[Event]) -> None:
    with path.open("ab") as file:
        file.write(encode_lines(events))


def rotate(path: Path, *, packed: bool = False) -> None:
    put_aside(path, NOW)
    if packed:
        pack(rotated_files(path)[-1])


def pack(file: Path) -> None:
    packed_name(file).write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Any]:
    sink = as_async(FileSink(FileConfig(path=path), SinkContext(read_only=True)))
    await sink.open()
    try:
        yield getattr(sink, "itself", sink)
    finally:
        await sink.close()


async def paged(
    sink: Any, query: Query | None = None, between: Callable[[int], object] = lambda _: None
) -> list[str]:
    names = list[str]()
    number = 0
    async for page in pages(sink, query or Query(), PAGE):
        names += [event.name for event in page]
        between(number)
        number += 1
    return names


def in_order(events: list[Event]) -> list[str]:
    return [event.name for event in sorted(events, key=lambda event: event.time)]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_each_line_is_read_a_few_times(
    tmp_path: Path, read_lines: list[bytes], newest_first: bool
) -> None:
    path, events = tmp_path / "app.jsonl", some_events(4000)
    for part in range(4):
        append(path, events[part * 1000 : part * 1000 + 1000])
        if part < 3:
            rotate(path)
    async with opened(path) as sink:
        names = await paged(sink, Query(newest_first=newest_first))
    assert names == in_order(events)[:: -1 if newest_first else 1]
    assert len(read_lines) < 4 * len(events)  # and not once for each of the forty pages


async def test_a_compressed_file_is_unpacked_twice_and_not_for_each_page(
    tmp_path: Path, read_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, events = tmp_path / "app.jsonl", some_events(2000)
    append(path, events)
    rotate(path, packed=True)
    unpacked = list[int]()
    decompress = gzip._GzipReader.read  # type: ignore[attr-defined]

    def read(self: Any, size: int = -1) -> bytes:
        data: bytes = decompress(self, size)
        unpacked.append(len(data))
        return data

    monkeypatch.setattr(gzip._GzipReader, "read", read)  # type: ignore[attr-defined]
    async with opened(path) as sink:
        assert await paged(sink) == in_order(events)
    size = sum(len(line) for line in encode_lines(events).splitlines(keepends=True))
    assert sum(unpacked) < 4 * size
    assert len(read_lines) < 4 * len(events)


async def test_what_can_be_read_of_a_corrupt_file_is_read_for_every_page(tmp_path: Path) -> None:
    path, events = tmp_path / "app.jsonl", some_events(2000)
    append(path, events[:1000])
    rotate(path, packed=True)
    packed = rotated_files(path)[0]
    packed.write_bytes(packed.read_bytes()[:-300])
    append(path, events[1000:])
    async with opened(path) as sink:
        at_once = [event.name async for event in sink.search(Query(limit=None))]
        assert await paged(sink) == at_once
    assert 1000 < len(at_once) < 2000


async def test_events_in_no_order_are_all_found(tmp_path: Path) -> None:
    path, events = tmp_path / "app.jsonl", some_events(1500)
    random.Random(7).shuffle(events)
    append(path, events[:500])
    rotate(path, packed=True)
    append(path, events[500:1000])
    rotate(path)
    append(path, events[1000:])
    async with opened(path) as sink:
        assert await paged(sink) == in_order(events)
        assert await paged(sink, Query(newest_first=True)) == in_order(events)[::-1]


@pytest.mark.parametrize("packed", [False, True])
async def test_nothing_is_lost_or_repeated_when_the_file_is_rotated_between_pages(
    tmp_path: Path, packed: bool
) -> None:
    path, events = tmp_path / "app.jsonl", some_events(2000)
    append(path, events[:1000])

    def rotate_and_go_on(page: int) -> None:
        if page % 3 == 0 and page < 9:
            rotate(path, packed=packed)
            append(path, events[1000 + 100 * page : 1000 + 100 * page + 300])
        if page == 10 and not packed:
            for file in rotated_files(path):
                pack(file)

    async with opened(path) as sink:
        names = await paged(sink, between=rotate_and_go_on)
    assert names == in_order(events[:1900])


async def test_what_is_added_between_pages_is_found(tmp_path: Path) -> None:
    path, events = tmp_path / "app.jsonl", some_events(1000)
    append(path, events[:500])
    torn = encode_lines(events[500:501])

    def add(page: int) -> None:
        if page == 0:
            with path.open("ab") as file:
                file.write(torn[:40])
        elif page == 1:
            with path.open("ab") as file:
                file.write(torn[40:])
            append(path, events[501:])

    async with opened(path) as sink:
        assert await paged(sink, between=add) == in_order(events)


async def test_a_file_that_is_replaced_by_another_of_its_inode_is_read_anew(tmp_path: Path) -> None:
    path, events = tmp_path / "app.jsonl", some_events(2000)
    append(path, events[:1000])
    with closing(Reader()) as reader:
        assert len(reader.find(path, Query(limit=None))) == 1000
        os.truncate(path, 0)  # as `copytruncate` of logrotate does
        append(path, events[1000:])
        late = Query(limit=None, start=events[1000].datetime)
        assert [event.name for event in reader.find(path, late)] == in_order(events[1000:])


async def test_a_write_that_was_taken_back_after_it_was_read_hides_nothing(tmp_path: Path) -> None:
    path, events = tmp_path / "app.jsonl", some_events(1000)
    append(path, events[:300])
    size = path.stat().st_size
    append(path, events[300:600])  # the disk becomes full in the middle of this
    with closing(Reader()) as reader:
        assert len(reader.find(path, Query(limit=None))) == 600
        os.truncate(path, size)
        append(path, events[600:])
        late = Query(limit=None, start=events[600].datetime)
        assert [event.name for event in reader.find(path, late)] == in_order(events[600:])


async def test_who_asks_by_ids_again_reads_the_blocks_that_may_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, events = tmp_path / "app.jsonl", some_events(2000)
    append(path, events)
    looked_at = list[bytes]()
    decode = reading._decode_id
    monkeypatch.setattr(reading, "_decode_id", lambda line: looked_at.append(line) or decode(line))
    with closing(Reader()) as reader:
        for number in range(0, 2000, 100):
            few = events[number : number + 3]
            found = reader.find(path, Query(ids=frozenset(event.id for event in few), limit=None))
            assert [event.name for event in found] == in_order(few)
    assert len(looked_at) < len(events)


async def test_pages_through_the_files_of_tenants_are_read_where_they_stand(
    tmp_path: Path, read_lines: list[bytes]
) -> None:
    events = [
        make_event(f"n{number}", time_ns=START + number * 1000, tenant=f"t{number % 3}")
        for number in range(3000)
    ]
    for tenant in range(3):
        append(tmp_path / f"t{tenant}.jsonl", events[tenant::3])
    config = FileConfig.model_validate({"path": tmp_path / "{fields.tenant}.jsonl"})
    sink = as_async(FileSink(config, SinkContext(read_only=True)))
    await sink.open()
    try:
        assert await paged(sink) == in_order(events)
    finally:
        await sink.close()
    assert len(read_lines) < 8 * len(events)  # each tenant has as many as a page needs


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_between_pages_each_event_is_found_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(reading, "SIZE", dice.choice([300, 1000, 2**18]))
    path, events = tmp_path / "app.jsonl", dict[str, Event]()
    path.touch()

    def move_files(_page: int = 0) -> None:
        loose = [file for file in rotated_files(path) if file.suffix != ".gz"]
        if loose and dice.random() < 0.5:
            pack(dice.choice(loose))
        elif path.stat().st_size and dice.random() < 0.5:
            rotate(path)
            path.touch()

    async with opened(path) as sink:
        for _ in range(6):
            for _ in range(dice.randint(1, 4)):
                late = dice.randint(0, 300_000)
                new = some_events(dice.randint(1, 200), first=len(events))
                new = [
                    make_event(event.name, time_ns=event.time - late * dice.randint(0, 1)) for event in new
                ]
                events |= {event.id: event for event in new}
                append(path, [*new, dice.choice(list(events.values()))])
                move_files()
            query = Query(newest_first=dice.random() < 0.5)
            names = await paged(sink, query, between=move_files)
            ordered = sorted(events.values(), key=lambda event: (event.time, event.id))
            assert names == [event.name for event in ordered][:: -1 if query.newest_first else 1]
