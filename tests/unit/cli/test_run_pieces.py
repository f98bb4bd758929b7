"""Dividing files among processes: whatever the division, together they read the lines of the whole."""

import io
import os
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.cli import run_pieces
from logweir.cli.run_inputs import Input
from logweir.cli.run_pieces import boundaries, pieces_of_gap
from logweir.cli.run_reading import Reading
from logweir.integrations.log_lines import LineParser
from logweir.stores.checkpoints import Checkpoints

LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"\r")), max_size=30)
CRI = "2026-01-02T03:04:05.678901234Z stdout {} {}\n"


def lines_of(data: bytes) -> list[bytes]:
    return io.BytesIO(data).readlines()


def reader_at(data: bytes) -> Callable[[int, int], bytes]:
    return lambda size, place: data[place : place + size]


@given(lines=LINES, ended=st.booleans(), count=st.integers(1, 12), skipped=st.integers(0, 5))
def test_any_division_has_whole_lines_and_together_those_of_the_whole(
    lines: list[bytes], ended: bool, count: int, skipped: int
) -> None:
    whole = b"\n".join(lines) + b"\n" * ended
    start = min(sum(len(line) + 1 for line in lines[:skipped]), len(whole))
    cuts = list(boundaries(reader_at(whole), start, len(whole), count))
    parts = [whole[a:b] for a, b in pairwise([start, *cuts, len(whole)])]
    assert len(parts) <= count
    assert all(part.endswith(b"\n") for part in parts[:-1])
    assert all(parts[1:])
    assert [line for part in parts for line in lines_of(part)] == lines_of(whole[start:])


@settings(deadline=None, max_examples=40)
@given(lines=LINES, ended=st.booleans(), count=st.integers(2, 6))
def test_reading_range_by_range_gives_each_line_once(lines: list[bytes], ended: bool, count: int) -> None:
    whole = b"x" * 64 + b"\n" + b"\n".join(lines) + b"\n" * ended  # plain text, by its beginning
    cuts = list(boundaries(reader_at(whole), 0, len(whole), count))
    read = list[bytes]()
    with tempfile.TemporaryDirectory() as name, Checkpoints(Path(name) / "checkpoints") as checkpoints:
        path = Path(name) / "a.log"
        path.write_bytes(whole)
        checkpoints.open("a.log", os.open(path, os.O_RDONLY))
        for start, end in pairwise([0, *cuts, None]):
            assert start is not None
            source = Input(os.open(path, os.O_RDONLY))
            checkpoint = checkpoints.open_range("a.log", source.descriptor, start)
            source.seek(checkpoint.begun)
            reading = Reading("a.log", source, checkpoint, LineParser(), None, end)
            assert reading.place(1) == f"a.log:{len(read) + 1}"
            read += reading.lines(to_the_end=True)
            reading.close()
    assert read == lines_of(whole)


def test_lines_that_make_one_event_together_are_not_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pod.log"
    path.write_text("".join(CRI.format("F" if n % 7 == 6 else "P", f"part {n}") for n in range(70)))
    monkeypatch.setattr(run_pieces, "_WORTH", 100)
    source = Input(os.open(path, os.O_RDONLY))
    size = path.stat().st_size
    pieces = list(pieces_of_gap(source, (0, None), size, 8, lambda: LineParser("cri")))
    source.close()
    assert len(pieces) > 4
    for start, _ in pieces[1:]:
        assert path.read_bytes()[:start].count(b"\n") % 7 == 0
