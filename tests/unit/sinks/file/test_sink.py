"""The file sink: what it remembers, and what others may do to its file."""

import fcntl
import gzip
import os
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from logweir.encoding.events import decode_event
from logweir.errors import SinkUnavailable
from logweir.sinks.file import FileConfig, FileSink, reading
from logweir.sinks.file.config import RotateConfig
from logweir.sinks.file.reading import latest_ids
from logweir.sinks.file.recent_ids import RecentIds
from logweir.sinks.file.rotation import clean_up, packed_name, rotated_files
from logweir.sinks.results import HealthStatus
from logweir.testing.contract import make_event


def opened(path: Path, **options: Any) -> FileSink:
    sink = FileSink(FileConfig(path=path, **options))
    sink.open()
    return sink


def names(path: Path) -> list[str]:
    return [decode_event(line).name for line in path.read_bytes().splitlines()]


def test_at_least_as_many_ids_are_remembered_as_promised_and_at_most_twice_as_many() -> None:
    recent = RecentIds(100)
    for number in range(1000):
        recent.add([str(number)])
        remembered = sum(str(earlier) in recent for earlier in range(1000))
        assert min(number + 1, 100) <= remembered <= 200
        assert all(str(earlier) in recent for earlier in range(max(0, number - 99), number + 1))


@pytest.mark.wound("vector #20118")
@pytest.mark.parametrize("restart", [True, False])
def test_a_batch_sent_again_is_stored_once(tmp_path: Path, restart: bool) -> None:
    batch = [make_event(str(number)) for number in range(500)]
    sink = opened(tmp_path / "x.jsonl", fsync=True)
    sink.write(batch[:300])
    if restart:
        sink.close()
        sink.open()
    assert sink.write(batch).duplicate == set(range(300))
    sink.close()
    assert names(tmp_path / "x.jsonl") == [event.name for event in batch]


@pytest.mark.parametrize("compress", ["gzip", "none"])
def test_a_batch_sent_again_after_a_restart_is_stored_once_though_the_file_was_rotated(
    tmp_path: Path, compress: str
) -> None:
    path, rotate = tmp_path / "x.jsonl", {"max_bytes": 20_000, "compress": compress}
    batches = [[make_event(f"{part}.{number}") for number in range(20)] for part in range(20)]
    before = opened(path, rotate=rotate)
    for batch in batches:
        before.write(batch)
    before.close()
    assert len(rotated_files(path)) > 2
    after = opened(path, rotate=rotate)
    assert [len(after.write(batch).duplicate) for batch in batches] == [20] * 20
    after.close()


def test_rotated_files_that_cannot_be_read_do_not_keep_the_sink_from_opening(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    events = [make_event(str(number)) for number in range(3)]
    sink = opened(path, rotate={"max_bytes": 1, "compress": "none"})
    for event in events:
        sink.write([event])
    sink.close()
    (oldest, corrupt) = rotated_files(path)
    corrupt.unlink()
    packed_name(corrupt).write_bytes(gzip.compress(b"x")[:-4])
    oldest.rename(packed_name(oldest))
    packed_name(oldest).write_bytes(gzip.compress(packed_name(oldest).read_bytes()))
    sink = opened(path)
    assert sink.write(events).duplicate == {0, 2}
    sink.close()


def test_only_the_latest_files_are_read_at_opening(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    events = [make_event(str(number), text="x" * 1000) for number in range(3)]
    sink = opened(path, rotate={"max_bytes": 1, "compress": "none"})
    for event in events:
        sink.write([event])
    sink.close()
    with path.open("rb") as file:
        size = path.stat().st_size
        ids = [list(latest_ids(file.fileno(), path, length)) for length in (size, size + 1, size * 9)]
    assert ids == [[events[2].id], [events[2].id], [events[2].id, events[1].id, events[0].id]]


def test_a_file_that_is_compressed_after_it_was_listed_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    event = make_event("a")
    sink = opened(path, rotate={"max_bytes": 1, "compress": "none"})
    sink.write([event])
    sink.write([make_event("b")])
    sink.close()
    listed = rotated_files(path)
    clean_up(path, RotateConfig())
    assert not listed[0].exists()
    monkeypatch.setattr(reading, "rotated_files", lambda _path: listed)
    with path.open("rb") as file:
        assert event.id in list(latest_ids(file.fileno(), path, 10_000))


def test_an_event_that_is_not_json_is_rejected_and_the_others_are_stored(tmp_path: Path) -> None:
    sink = opened(tmp_path / "x.jsonl")
    result = sink.write([make_event("a"), make_event("b", value=object()), make_event("c")])
    sink.close()
    assert result.rejected == {1: "cannot be written as JSON: TypeError"}
    assert names(tmp_path / "x.jsonl") == ["a", "c"]


def test_a_line_that_another_process_left_unfinished_is_isolated_while_the_file_is_open(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.jsonl"
    sink = opened(path)
    sink.write([make_event("before")])
    with path.open("ab") as other:
        other.write(b'{"id": "killed in the mid')
    sink.write([make_event("after")])
    sink.close()
    before, torn, after = path.read_bytes().splitlines()
    assert (decode_event(before).name, decode_event(after).name) == ("before", "after")
    assert torn == b'{"id": "killed in the mid'


def test_a_write_waits_for_its_turn_among_processes(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    sink = opened(path)
    with (tmp_path / ".x.jsonl.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writing = threading.Thread(target=sink.write, args=([make_event("its turn")],))
        writing.start()
        writing.join(0.05)
        assert path.read_bytes() == b""
    writing.join()
    sink.close()
    assert names(path) == ["its turn"]


def test_a_folder_that_is_removed_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.jsonl"
    sink = opened(path)
    sink.write([make_event("gone")])
    shutil.rmtree(path.parent)
    sink.write([make_event("here")])
    sink.close()
    assert names(path) == ["here"]


def test_a_sink_that_could_not_open_its_file_anew_serves_again_when_it_can(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.jsonl"
    sink = opened(path)
    shutil.rmtree(path.parent)
    path.parent.write_text("in the way")
    event = make_event("late")
    with pytest.raises(SinkUnavailable, match="Not a directory|File exists"):
        sink.write([event])
    path.parent.unlink()
    assert not sink.write([event]).duplicate
    sink.close()
    assert names(path) == ["late"]


def test_what_is_not_open_cannot_serve(tmp_path: Path) -> None:
    sink = FileSink(FileConfig(path=tmp_path / "x.jsonl"))
    with pytest.raises(SinkUnavailable, match="not open"):
        sink.write([make_event()])
    assert sink.check().status is HealthStatus.DOWN


@pytest.mark.parametrize("stream", ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/2"])
def test_b8_a_stream_is_refused_as_a_file_with_the_sink_that_it_is_for(stream: str) -> None:
    with pytest.raises(ValidationError, match="take a sink of type stdout"):
        FileConfig(path=Path(stream))


@pytest.mark.parametrize("path", ["logs/app.jsonl.gz", "app.gz", "logs/{fields.tenant}.jsonl.gz"])
def test_a_path_that_ends_as_a_compressed_file_does_is_refused_with_the_right_name(path: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"name it {path.removesuffix('.gz')};")):
        FileConfig(path=Path(path))


def test_a_value_that_ends_as_a_compressed_file_does_names_no_destination() -> None:
    config = FileConfig(path=Path("logs/{fields.file}"))
    assert config.at_destination("logs/a.gz") is None
    assert config.at_destination("logs/a.gzip") is not None


def test_b8_what_is_no_regular_file_is_neither_written_nor_locked(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        with pytest.raises(SinkUnavailable, match="no regular file"):
            opened(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"fifo", "link"}
