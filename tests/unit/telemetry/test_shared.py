"""Several processes that count into one directory; the kill is a real one."""

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logweir.telemetry.model import Metrics
from logweir.telemetry.shared import SharedCounts, take
from logweir.telemetry.summing import picture_of


def counting(number: int) -> Metrics:
    return Metrics(sinks={}, unrouted=number)


@contextmanager
def process(directory: Path, number: int, then: Callable[[SharedCounts], object] = id) -> Iterator[int]:
    """A process that has counted, and waits to be killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            counts = SharedCounts(directory, lambda: counting(number))
            counts.publish()
            then(counts)
            os.write(writing, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    try:
        assert os.read(reading, 1) == b"x"
        yield child
    finally:
        os.close(reading)
        kill(child)


def kill(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def test_who_died_is_not_kept_among_the_living_by_a_reader_whose_disk_was_full(tmp_path: Path) -> None:
    mine = SharedCounts(tmp_path, lambda: counting(1))
    mine.publish()
    with process(tmp_path, 10) as child:
        kill(child)
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            mine.all(lambda: counting(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    seen = mine.all(lambda: counting(1))
    assert (seen.unrouted, seen.processes) == (11, 1)


def test_what_a_killed_process_counted_stays_counted_once(tmp_path: Path) -> None:
    mine = SharedCounts(tmp_path, lambda: counting(1))
    with process(tmp_path, 10) as child, process(tmp_path, 100):
        seen = mine.all(lambda: counting(1))
        assert (seen.unrouted, seen.processes) == (111, 3)
        kill(child)
        for _ in range(3):
            seen = mine.all(lambda: counting(2))
            assert (seen.unrouted, seen.processes) == (112, 2)
    mine.end()


def test_each_living_process_is_told_apart(tmp_path: Path) -> None:
    mine = SharedCounts(tmp_path, lambda: counting(1))
    with process(tmp_path, 10) as child, process(tmp_path, 100) as other:
        found = {number: seen.unrouted for number, seen in mine.each(lambda: counting(2)).items()}
        assert found == {os.getpid(): 2, child: 10, other: 100}
        kill(child)
        assert list(mine.each(lambda: counting(2))) == [os.getpid(), other]
    mine.end()


def test_who_has_ended_still_knows_what_all_have_counted(tmp_path: Path) -> None:
    mine = SharedCounts(tmp_path, lambda: counting(1))
    with process(tmp_path, 10) as child:
        mine.publish()
        mine.end()
        seen = mine.all(lambda: counting(1))
        assert (seen.unrouted, seen.processes) == (11, 1)
        assert set(mine.each(lambda: counting(1))) == {os.getpid(), child}


@pytest.mark.parametrize("way", ["publish", "all", "each", "end"])
def test_no_reading_replaces_a_newer_one(tmp_path: Path, way: str) -> None:
    newer: list[Metrics] = []

    def read() -> Metrics:
        here = counting(1) if not newer else newer[-1]
        if not newer:
            newer.append(counting(2))
            mine.all(lambda: newer[-1])  # as another thread does while this one is at it
        return here

    mine = SharedCounts(tmp_path, read)
    getattr(mine, way)(*([read] if way in {"all", "each"} else []))
    (file,) = tmp_path.glob("*.counts")
    assert picture_of(json.loads(file.read_text())).unrouted == 2
    mine.end()


def test_what_has_ended_is_counted_on_by_who_comes_next(tmp_path: Path) -> None:
    for number in range(1, 4):
        one = SharedCounts(tmp_path, lambda: counting(1))
        assert one.all(lambda: counting(1)).unrouted == number
        one.end()
        one.end()
        one.publish()
    assert len(list(tmp_path.glob("*.counts"))) == 1
    assert not list(tmp_path.glob("group*"))


def test_a_reader_that_dies_before_it_deletes_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SharedCounts(tmp_path, lambda: counting(1))
    one.publish()
    one.end()
    (left,) = tmp_path.glob("*.counts")
    text = left.read_text()
    two = SharedCounts(tmp_path, lambda: counting(1))
    two.publish()
    left.write_text(text)  # as if it had not come to that
    assert two.all(lambda: counting(1)).unrouted == 2
    assert not left.exists()
    two.end()


def test_after_a_minute_without_a_process_the_counts_begin_anew(tmp_path: Path) -> None:
    one = SharedCounts(tmp_path, lambda: counting(1))
    one.publish()
    one.end()
    before = time.time() - 100
    for path in tmp_path.iterdir():
        os.utime(path, (before, before))
    two = SharedCounts(tmp_path, lambda: counting(1))
    assert two.all(lambda: counting(1)).unrouted == 1
    two.end()


def test_a_damaged_file_is_reported_and_costs_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1-ab.counts").write_text("{")
    (tmp_path / "ended.json").write_text("[]")
    one = SharedCounts(tmp_path, lambda: counting(1))
    assert one.all(lambda: counting(1)).unrouted == 1
    assert "the counts of a process are lost" in caplog.text
    assert "the counts of processes that ended are lost" in caplog.text
    one.end()


def test_a_directory_that_cannot_be_made_leaves_the_process_its_own_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    one = SharedCounts(tmp_path / "file" / "metrics", lambda: counting(1))
    for _ in range(3):
        assert one.all(lambda: counting(1)).unrouted == 1
    assert caplog.text.count("metrics are those of this process alone") == 1
    one.end()


def test_a_forks_child_may_take_what_its_parent_had_and_joins_for_itself(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    go, going = os.pipe()
    parent = os.fork()
    if not parent:
        SharedCounts(tmp_path, lambda: counting(1)).publish()
        port = take(tmp_path / "port")
        assert port is not None
        if not os.fork():
            os.write(writing, b"%d" % (take(tmp_path / "port") is not None))
            os.read(go, 1)  # the end of its parent
            os.write(writing, b"%d" % (take(tmp_path / "port") is not None))
        else:
            signal.pause()
        os._exit(0)
    assert os.read(reading, 1) == b"0"
    kill(parent)
    os.write(going, b"x")
    assert os.read(reading, 1) == b"1"
    for descriptor in (reading, writing, go, going):
        os.close(descriptor)
