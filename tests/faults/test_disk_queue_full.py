"""Disk full and read-only: callers who wait learn of it, the others are kept, and everything resumes."""

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from logweir.delivery.queue import PutResult
from logweir.delivery.spool.spool import Spool
from logweir.testing.contract import make_event
from support.disk import drain, make_queue, make_spool, mount, names, small_disk_at

TESTS = Path(__file__).parents[1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    with small_disk_at(tmp_path / "disk", "the limited file size below covers the same") as place:
        yield place


class Answers:
    """Collects what callers learn."""

    def __init__(self) -> None:
        self.errors: list[OSError | None] = []
        self._changed = threading.Condition()

    def __call__(self, error: OSError | None) -> None:
        with self._changed:
            self.errors.append(error)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[OSError | None]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.errors) >= count, 20.0)
            return list(self.errors)


def fill(place: Path) -> Path:
    """Take all the space that is left."""
    path = place / "ballast"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return path


def check_that_it_fails_and_resumes(spool: Spool, stop: object, resume: object) -> None:
    queue, answers = make_queue(spool, max_events=1000), Answers()
    queue.put(make_event("first"), answers)
    assert answers.wait_for(1) == [None]
    stop()  # type: ignore[operator]
    results = [queue.put(make_event(f"kept {n}", {"note": "x" * 9000})) for n in range(20)]
    assert set(results) == {PutResult.ACCEPTED}
    queue.put(make_event("reported"), answers)
    error = answers.wait_for(2)[1]
    assert isinstance(error, OSError)
    assert "cannot be written" in str(error)
    assert str(spool.directory) in str(error)
    assert queue.statistics().depth == 21
    resume()  # type: ignore[operator]
    queue.put(make_event("after"), answers)
    for _ in range(20):  # an attempt that was under way may still fail
        if answers.wait_for(3)[-1] is None:
            break
        answers.errors.pop()
        queue.put(make_event("after"), answers)
    assert spool.flush(20.0)
    found = names(drain(spool))
    assert found == ["first", *(f"kept {n}" for n in range(20)), "after"]


def test_a_full_disk_fails_those_who_wait_keeps_the_others_and_resumes(small_disk: Path) -> None:
    spool = make_spool(small_disk, threaded=True)
    check_that_it_fails_and_resumes(spool, lambda: fill(small_disk), (small_disk / "ballast").unlink)
    spool.close()


def test_a_read_only_disk_fails_those_who_wait_keeps_the_others_and_resumes(small_disk: Path) -> None:
    mount("-o", "remount,ro", str(small_disk))
    spool = make_spool(small_disk, threaded=True)
    queue, answers = make_queue(spool), Answers()
    assert queue.put(make_event("kept")) is PutResult.ACCEPTED
    queue.put(make_event("reported"), answers)
    assert "cannot be written" in str(answers.wait_for(1)[0])
    mount("-o", "remount,rw", str(small_disk))
    assert spool.flush(20.0)
    assert names(drain(spool)) == ["kept"]
    spool.close()


def test_settling_goes_on_while_the_disk_is_full(small_disk: Path) -> None:
    spool = make_spool(small_disk)
    queue = make_queue(spool)
    number = 0
    while spool.commit() is None:
        number += 1
        queue.put(make_event(str(number), {"note": "x" * 20_000}))
    assert number > 5
    delivered: list[str] = []
    for _ in range(40):
        delivered += names(drain(spool))
        if spool.commit() is None and len(delivered) == number:
            break
    assert delivered == [str(n + 1) for n in range(number)]
    assert spool.close()


LIMITED = """
import resource, sys, time
from pathlib import Path
from support.disk import drain, make_queue, make_spool, mount, names, small_disk_at
from logweir.testing.contract import make_event

spool = make_spool(Path(sys.argv[1]))
queue = make_queue(spool)
queue.put(make_event("first"))
assert spool.commit() is None
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
outcomes = []
for number in range(10):
    queue.put(make_event(str(number), {"note": "x" * 9000}))
queue.put(make_event("reported"), outcomes.append)
error = spool.commit()
assert isinstance(error, OSError), error
assert outcomes == [error]
assert spool.has_staged
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
while spool.has_staged:
    assert spool.commit() is None
assert names(drain(spool)) == ["first", *map(str, range(10))]
spool.close()
"""


def test_a_limit_on_the_size_of_files_is_survived(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        check=True,
        timeout=60,
    )


def test_a_directory_that_cannot_be_made_fails_those_who_wait(tmp_path: Path) -> None:
    (tmp_path / "queues").touch()
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    outcomes: list[OSError | None] = []
    queue.put(make_event("reported"), outcomes.append)
    queue.put(make_event("kept"))
    assert isinstance(spool.commit(), OSError)
    assert len(outcomes) == 1
    (tmp_path / "queues").unlink()
    assert spool.commit() is None
    assert names(drain(spool)) == ["kept"]
    spool.close()
