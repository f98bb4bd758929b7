"""The file sink: rotation, several processes, crashes and full disks."""

import gzip
import multiprocessing
import os
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logweir.encoding.events import decode_event
from logweir.errors import SinkUnavailable
from logweir.sinks.file import FileConfig, FileSink
from logweir.sinks.file.rotation import clean_up, is_due, put_aside, rotated_files
from logweir.testing.contract import make_event


def opened(path: Path, **options: Any) -> FileSink:
    sink = FileSink(FileConfig(path=path, **options))
    sink.open()
    return sink


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def everything(path: Path) -> list[str]:
    """The ids in a file and its rotated ones, oldest first."""
    found: list[str] = []
    for file in [*rotated_files(path), path]:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        found += [decode_event(line).id for line in content.splitlines()]
    return found


def test_a_file_that_would_grow_too_large_is_put_aside_and_compressed(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    sink = opened(path, rotate={"max_bytes": 5000})
    batches = [[make_event(number=number) for number in range(10)] for _ in range(12)]
    for batch in batches:
        sink.write(batch)
    sink.close()
    assert len(rotated_files(path)) >= 3
    assert {file.suffix for file in rotated_files(path)} == {".gz"}
    assert everything(path) == [event.id for batch in batches for event in batch]


def test_only_as_many_rotated_files_are_kept_as_configured(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    sink = opened(path, rotate={"max_bytes": 300, "keep": 2, "compress": "none"})
    for number in range(10):
        sink.write([make_event(number=number)])
    sink.close()
    assert len(rotated_files(path)) == 2


@pytest.mark.parametrize(
    ("every", "minutes", "due"),
    [("hour", 5, False), ("hour", 65, True), ("day", 65, False), ("day", 60 * 25, True)],
)
def test_a_file_is_due_when_its_period_has_passed(
    tmp_path: Path, every: Any, minutes: int, due: bool
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("line\n")
    written = datetime(2026, 5, 4, 12, 0, tzinfo=UTC).timestamp()
    os.utime(path, (written, written))
    now = datetime.fromtimestamp(written + 60 * minutes, UTC)
    assert is_due(FileConfig(path=path, rotate={"every": every}).rotate, path.stat(), 10, now) is due


def test_a_compression_that_a_crash_interrupted_is_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("kept\n")
    put_aside(path, datetime.now(UTC))
    (rotated,) = rotated_files(path)
    rotated.with_name(f".{rotated.name}.gz.unfinished").write_bytes(b"half")
    clean_up(path, FileConfig(path=path).rotate)
    (packed,) = rotated_files(path)
    assert gzip.decompress(packed.read_bytes()) == b"kept\n"


def test_a_line_that_a_crash_left_unfinished_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    sink = opened(path)
    sink.write([make_event("first")])
    sink.close()
    with path.open("ab") as file:
        file.write(b'{"id": "half a li')
    sink = opened(path)
    sink.write([make_event("second")])
    sink.close()
    first, torn, second = lines(path)
    assert decode_event(first).name == "first"
    assert torn == b'{"id": "half a li'
    assert decode_event(second).name == "second"


def write_many(path: Path, process: int, count: int) -> None:
    sink = opened(path, rotate={"max_bytes": 20_000})
    for number in range(count):
        sink.write([make_event(f"{process}", number=number) for _ in range(3)])
    sink.close()


def test_several_processes_share_a_file_through_its_rotations(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_many, args=(path, number, 150)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    ids = everything(path)
    assert len(ids) == len(set(ids)) == 4 * 150 * 3
    assert len(rotated_files(path)) > 3


def test_a_file_that_is_moved_away_by_others_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    sink = opened(path)
    sink.write([make_event("before")])
    path.rename(tmp_path / "moved")
    sink.write([make_event("after")])
    sink.close()
    assert decode_event(lines(path)[0]).name == "after"


def test_a_write_that_does_not_fit_the_disk_is_taken_back(tmp_path: Path) -> None:
    """The limit on a file's size stands in for a full disk: the write fails half-way, with an error."""
    path = tmp_path / "x.jsonl"
    sink = opened(path)
    sink.write([make_event("fits")])
    size = path.stat().st_size
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    big = make_event("does not fit", body="x" * 10_000)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4000, before[1]))
        with pytest.raises(SinkUnavailable, match="File too large"):
            sink.write([big])
        assert path.stat().st_size == size
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    sink.write([big])
    sink.close()
    assert [decode_event(line).name for line in lines(path)] == ["fits", "does not fit"]


def test_a_folder_that_cannot_be_made_is_reported_as_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkUnavailable, match="x.jsonl: "):
        opened(tmp_path / "file" / "x.jsonl")
    assert sys.exc_info() == (None, None, None)
