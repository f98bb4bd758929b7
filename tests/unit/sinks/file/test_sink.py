"""The file sink: what it remembers, and what others may do to its file."""

import fcntl
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from logweir.encoding.events import decode_event
from logweir.errors import SinkUnavailable
from logweir.sinks.file import FileConfig, FileSink
from logweir.sinks.file.recent_ids import RecentIds
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


def test_b8_what_is_no_regular_file_is_neither_written_nor_locked(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        with pytest.raises(SinkUnavailable, match="no regular file"):
            opened(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"fifo", "link"}
