"""Closing over a disk that hangs, is slow, or answers after all."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool import closing
from logweir.delivery.spool.spool import Spool
from logweir.testing.contract import make_event
from support.disk import drain, make_queue, make_spool, names
from support.leading import Disk, Hold, in_thread, started
from support.waiting import eventually


@pytest.fixture
def hold(disk: Disk) -> Iterator[Hold]:
    disk.before = held = Hold()
    yield held
    held.go_on.set()


@pytest.fixture
def _is_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "HANGS_AFTER", 0.2)


def left_in(directory: Path) -> list[str]:
    """What the next process finds when the last threads of this one are through."""
    after = make_spool(directory)
    eventually(after.adopt)
    found = names(drain(after))
    after.close()
    return found


def hanging_with(name: str, directory: Path, hold: Hold) -> tuple[Spool, DiskQueue]:
    """A spool whose commit of an event of this name hangs, and its queue."""
    spool = make_spool(directory, threaded=True)
    queue = make_queue(spool)
    queue.put(make_event(name))
    spool.nudge()
    assert hold.inside.wait(20.0)
    return spool, queue


@pytest.mark.usefixtures("_is_impatient")
def test_a_disk_that_hangs_is_given_up_and_what_it_has_after_all_is_found(
    tmp_path: Path, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    spool, queue = hanging_with("in the commit", tmp_path, hold)
    queue.put(make_event("behind it"))
    assert in_thread(lambda: spool.close(time.monotonic())) is False
    assert f"the disk under {spool.directory} does not answer" in caplog.text
    assert names(spool.give_up("sink")) == ["in the commit", "behind it"]
    assert queue.statistics().depth == 0
    hold.go_on.set()
    assert left_in(tmp_path) == ["in the commit", "behind it"]


@pytest.mark.usefixtures("_is_impatient")
def test_what_a_hung_disk_did_not_save_is_the_callers_and_no_longer_the_queues(
    tmp_path: Path, hold: Hold
) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    with pytest.raises(closing.DiskHangs):
        in_thread(lambda: spool.save("sink", [make_event("a"), make_event("b")], time.monotonic()))
    assert queue.statistics().depth == 0
    assert in_thread(lambda: spool.close(time.monotonic())) is False
    assert spool.give_up("sink") == []
    hold.go_on.set()
    assert left_in(tmp_path) == ["a", "b"]
    eventually(lambda: not any(thread.name == "logweir-close" for thread in threading.enumerate()))
    assert spool.path is None  # those that came late have made no file


def test_a_slow_disk_is_waited_for_beyond_the_time(tmp_path: Path, hold: Hold) -> None:
    spool = make_spool(tmp_path)
    make_queue(spool).put(make_event("slow"))
    closed = started(lambda: spool.close(time.monotonic()))
    assert hold.inside.wait(20.0)
    assert not closed.done()
    hold.go_on.set()
    assert closed.result(20.0) is True
    assert left_in(tmp_path) == ["slow"]


def test_the_time_that_a_stop_has_is_a_hung_disks_too(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "HANGS_AFTER", 0.0)
    spool = make_spool(tmp_path)
    make_queue(spool).put(make_event("in time"))
    closed = started(lambda: spool.close(time.monotonic() + 60.0))
    assert hold.inside.wait(20.0)
    hold.go_on.set()
    assert closed.result(20.0) is True


@pytest.mark.usefixtures("_is_impatient")
def test_where_no_thread_can_start_any_more_who_hangs_is_not_waited_for_either(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, _ = hanging_with("hangs", tmp_path, hold)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patch:
        none_starts = threading.Event()
        closed = started(lambda: none_starts.wait(20.0) and spool.close(time.monotonic()))
        patch.setattr(threading.Thread, "start", refuse)
        none_starts.set()
        assert closed.result(20.0) is False
        hold.go_on.set()
        eventually(lambda: spool.close(time.monotonic()))
    assert left_in(tmp_path) == ["hangs"]
