"""Checkpoints of ranges: what is left to read is what nobody has settled, however a file was divided."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.stores.checkpoints import Checkpoints, Mark

LINE = b"a line of sixteen"  # and its end
LENGTH = len(LINE) + 1
COUNT = 20


class Log:
    """A file of equal lines, and what processes have settled of it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "app.log"
        self.path.write_bytes((LINE + b"\n") * COUNT)
        self.checkpoints = Checkpoints(directory / "checkpoints")

    def opened(self, *, from_start: bool = False) -> str:
        """Look at it as a new run does; what is said about it."""
        with self.path.open("rb") as file:
            return self.checkpoints.open("app.log", file.fileno(), from_start=from_start).note

    def settle(self, start: int, end: int) -> None:
        """Read lines as one process does."""
        with self.path.open("rb") as file, Checkpoints(self.path.parent / "checkpoints") as own:
            checkpoint = own.open_range("app.log", file.fileno(), start * LENGTH)
            lines = checkpoint.lines + end - start
            own.settle(checkpoint, Mark(end * LENGTH, lines, LINE + b"\n"))

    @property
    def ranges(self):  # type: ignore[no-untyped-def]
        return self.checkpoints.ranges(self.path.stat())

    def gaps(self) -> list[tuple[int, int | None]]:
        return [(a // LENGTH, b if b is None else b // LENGTH) for a, b in self.ranges.gaps()]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    log = Log(tmp_path)
    assert log.opened() == ""
    return log


def test_what_no_range_has_settled_is_left_and_ranges_that_meet_are_joined(log: Log) -> None:
    log.settle(5, 8)
    log.settle(12, 13)
    assert log.gaps() == [(0, 5), (8, 12), (13, None)]
    log.settle(8, 12)
    assert log.gaps() == [(0, 5), (13, None)]
    log.settle(0, 5)
    assert log.gaps() == [(13, None)]
    assert not log.ranges.exist()
    assert log.ranges.lines() == 13


@settings(deadline=None, max_examples=40)
@given(settled=st.lists(st.tuples(st.integers(0, 5), st.integers(1, COUNT)), max_size=8))
def test_whatever_processes_settle_the_rest_is_left_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, settled: list[tuple[int, int]]
) -> None:
    log = Log(tmp_path_factory.mktemp("ranges"))
    log.opened()
    known = set[int]()
    for which, length in settled:
        gaps = log.gaps()
        start, until = gaps[which % len(gaps)]
        end = min(start + length, COUNT if until is None else until)
        if start < end:
            log.settle(start, end)
            known |= set(range(start, end))
        assert log.opened() == ""
    left = {line for start, end in log.gaps() for line in range(start, COUNT if end is None else end)}
    assert left == set(range(COUNT)) - known
    assert log.ranges.lines() == len(known)


def test_a_range_gives_lines_the_ids_that_the_whole_file_gives_them(log: Log) -> None:
    with log.path.open("rb") as file:
        whole = log.checkpoints.open("app.log", file.fileno())
        part = log.checkpoints.open_range("app.log", file.fileno(), 5 * LENGTH)
    assert part.event_id(200, None) == whole.event_id(200, None)


def test_a_range_that_a_process_reads_keeps_the_file_from_another_run(log: Log) -> None:
    status = log.path.stat()
    with log.path.open("rb") as file, Checkpoints(log.path.parent / "checkpoints") as reading:
        reading.open_range("app.log", file.fileno(), 5 * LENGTH)
        with log.checkpoints:
            pass  # the run that divided the file is gone, one of its processes is not
        assert not log.checkpoints.claim(status)


def test_ranges_of_a_file_that_was_rewritten_since_count_for_nothing(log: Log) -> None:
    log.settle(5, 8)
    content = bytearray(log.path.read_bytes())
    content[8 * LENGTH - 3] ^= 1
    log.path.write_bytes(content)
    assert "rewritten" in log.opened()
    assert log.gaps() == [(0, None)]


def test_a_file_that_is_read_from_its_start_again_forgets_its_ranges(log: Log) -> None:
    log.settle(5, 8)
    log.opened(from_start=True)
    assert log.gaps() == [(0, None)]
    assert not log.ranges.exist()


def test_a_last_line_without_an_end_that_has_grown_is_read_again_as_a_whole(log: Log) -> None:
    size = log.path.stat().st_size
    with log.path.open("ab") as file:
        file.write(b"begun")
    with log.path.open("rb") as file, Checkpoints(log.path.parent / "checkpoints") as own:
        checkpoint = own.open_range("app.log", file.fileno(), 0)
        own.settle(checkpoint, Mark(size + 5, COUNT + 1, b"begun"))
    assert log.ranges.gaps() == [(size + 5, None)]
    with log.path.open("rb") as file:
        checkpoint = log.checkpoints.open_range("app.log", file.fileno(), size + 5)
    assert (checkpoint.begun, checkpoint.offset, checkpoint.saved.before) == (size, size + 5, COUNT + 1)
    assert checkpoint.path.exists()
