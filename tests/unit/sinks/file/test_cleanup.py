"""Rotated files are cleaned up in a thread of their own."""

import fcntl
import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logweir.diagnostics import after_fork
from logweir.sinks.file import FileConfig, FileSink
from logweir.sinks.file.cleanup import Cleanup
from logweir.sinks.file.config import RotateConfig
from logweir.sinks.file.rotation import put_aside, rotated_files
from logweir.testing.contract import make_event


def rotated(path: Path) -> Path:
    path.write_text("line\n")
    put_aside(path, datetime.now(UTC))
    return rotated_files(path)[-1]


def test_all_that_was_asked_for_is_done_before_waiting_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    cleanup = Cleanup(path, RotateConfig())
    for _ in range(5):
        rotated(path)
        cleanup.begin()
    assert cleanup.wait(10)
    assert [gzip.decompress(file.read_bytes()) for file in rotated_files(path)] == [b"line\n"] * 5
    assert cleanup.wait(0)


def test_a_disk_that_refuses_is_reported_and_the_next_round_tries_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    after_fork()  # forgets what was reported in the last ten seconds
    path = tmp_path / "x.jsonl"
    file = rotated(path)
    obstacle = tmp_path / f"{file.name}.gz"
    obstacle.mkdir()
    cleanup = Cleanup(path, RotateConfig())
    cleanup.begin()
    assert cleanup.wait(10)
    assert "were not cleaned up" in caplog.text
    assert file.exists()
    obstacle.rmdir()
    cleanup.begin()
    assert cleanup.wait(10)
    assert [found.suffix for found in rotated_files(path)] == [".gz"]


def test_copies_that_a_crash_left_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    left = tmp_path / ".x-20260101T000000.000000Z.jsonl.unfinished"
    left.write_bytes(b"half")
    stranger = tmp_path / ".y-20260101T000000.000000Z.jsonl.unfinished"
    stranger.write_bytes(b"of another file")
    cleanup = Cleanup(path, RotateConfig())
    cleanup.begin()
    assert cleanup.wait(10)
    assert not left.exists()
    assert stranger.exists()


def test_cleanup_makes_no_file_where_there_is_nothing_to_do(tmp_path: Path) -> None:
    """Otherwise whoever removes the folder just after a sink has opened finds a new file in it."""
    path = tmp_path / "x.jsonl"
    path.write_text("line\n")
    cleanup = Cleanup(path, RotateConfig())
    cleanup.begin()
    assert cleanup.wait(10)
    assert [file.name for file in tmp_path.iterdir()] == ["x.jsonl"]


def test_a_folder_that_is_gone_needs_no_cleanup(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    after_fork()  # forgets what was reported in the last ten seconds
    cleanup = Cleanup(tmp_path / "gone" / "x.jsonl", RotateConfig())
    cleanup.begin()
    assert cleanup.wait(10)
    assert not caplog.text


def test_a_process_that_cleans_up_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    file = rotated(path)
    cleanup = Cleanup(path, RotateConfig())
    with (tmp_path / ".x.jsonl.tidy.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cleanup.begin()
        assert cleanup.wait(10)
        assert file.exists()


def test_a_write_does_not_wait_for_compression(tmp_path: Path) -> None:
    """While another process holds the cleanup up, or a large file is compressed, writes go on."""
    path = tmp_path / "x.jsonl"
    sink = FileSink(FileConfig.model_validate({"path": path, "rotate": {"max_bytes": 300}}))
    sink.open()
    for number in range(5):
        assert not sink.write([make_event(str(number))]).rejected
    sink.close()
    assert len(rotated_files(path)) >= 2
    assert {file.suffix for file in rotated_files(path)} == {".gz"}
