"""Reading back the file and the rotated ones, while others write, rotate and compress."""

import gzip
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from logweir.diagnostics import after_fork
from logweir.encoding.events import decode_event, encode_event
from logweir.event import Event
from logweir.sinks.contract import Query
from logweir.sinks.file import reading
from logweir.sinks.file.config import RotateConfig
from logweir.sinks.file.reading import Reader
from logweir.sinks.file.rotation import clean_up, packed_name, put_aside, rotated_files
from logweir.testing.contract import make_event

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def append(path: Path, *events: Event) -> None:
    with path.open("ab") as file:
        file.writelines(encode_event(event) + b"\n" for event in events)


def names(path: Path, query: Query | None = None) -> list[str]:
    with closing(Reader()) as reader:
        return [event.name for event in reader.find(path, query or Query())]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two rotated ones, one of them compressed; its name has what globs would read."""
    path = tmp_path / "app[1].jsonl"
    for age, name in enumerate(("oldest", "middle")):
        append(path, make_event(name, time_ns=age))
        put_aside(path, NOW + timedelta(hours=age))
    oldest = rotated_files(path)[0]
    packed_name(oldest).write_bytes(gzip.compress(oldest.read_bytes()))
    oldest.unlink()
    append(path, make_event("newest", time_ns=2))
    return path


def test_all_files_are_read_in_order_of_time(path: Path) -> None:
    assert names(path) == ["oldest", "middle", "newest"]
    assert names(path, Query(newest_first=True, limit=2)) == ["newest", "middle"]
    assert names(path, Query(limit=None, newest_first=True)) == ["newest", "middle", "oldest"]


def test_an_event_that_stands_in_two_files_is_found_once(path: Path) -> None:
    event = make_event("twice", time_ns=3)
    append(path, event, event)
    append(rotated_files(path)[1], event)
    assert names(path) == ["oldest", "middle", "newest", "twice"]
    assert names(path, Query(limit=4)) == ["oldest", "middle", "newest", "twice"]


def test_lines_that_are_no_events_are_passed_over(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'\n{"id": "torn\n[]\n\xff\n')
    append(path, make_event("after", time_ns=9))
    with path.open("ab") as file:
        file.write(b'{"id": "being writ')
    assert names(path) == ["oldest", "middle", "newest", "after"]


def test_a_file_that_is_compressed_at_the_moment_is_read_once(path: Path) -> None:
    middle = rotated_files(path)[1]
    packed_name(middle).write_bytes(gzip.compress(middle.read_bytes()))
    assert names(path) == ["oldest", "middle", "newest"]


def test_a_file_that_is_compressed_or_deleted_after_it_was_listed_is_no_trouble(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle = rotated_files(path)[1]
    acts = [
        lambda: packed_name(middle).write_bytes(gzip.compress(middle.read_bytes())) and middle.unlink(),
        lambda: packed_name(middle).unlink(),
    ]
    listed = reading.rotated_files

    def list_and_act(path: Path) -> list[Path]:
        found = listed(path)
        if acts:
            acts.pop(0)()
        return found

    monkeypatch.setattr(reading, "rotated_files", list_and_act)
    assert names(path) == ["oldest", "newest"]
    assert not acts


def test_a_compressed_file_that_is_corrupt_is_reported_and_the_rest_is_read(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    after_fork()  # forgets what was reported in the last ten seconds
    oldest = rotated_files(path)[0]
    oldest.write_bytes(oldest.read_bytes()[:-9])
    assert names(path)[-2:] == ["middle", "newest"]
    assert "is corrupt and was read only in part" in caplog.text


def test_a_file_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    assert names(tmp_path / "absent.jsonl") == []


def test_no_rotation_overwrites_another_though_the_clock_stands_still(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for number in range(3):
        append(path, make_event(str(number), time_ns=number))
        put_aside(path, NOW)
        last = rotated_files(path)[-1]
        packed_name(last).write_bytes(gzip.compress(last.read_bytes()))
        last.unlink()
    assert names(path) == ["0", "1", "2"]


@pytest.mark.parametrize("compress", ["gzip", "none"])
def test_what_is_rotated_after_the_clock_was_set_back_is_the_newest(
    tmp_path: Path, compress: Literal["gzip", "none"]
) -> None:
    path = tmp_path / "x.jsonl"
    for number, now in enumerate([NOW + timedelta(days=1500), NOW, NOW + timedelta(seconds=1)]):
        append(path, make_event(str(number), time_ns=number))
        put_aside(path, now)
        clean_up(path, RotateConfig(keep=2, compress=compress))
    assert names(path) == ["1", "2"]


@pytest.mark.parametrize("stamp", ["99999999T999999.999999Z", "99991231T235959.999999Z"])
def test_a_file_whose_name_is_of_no_moment_or_of_the_last_is_no_trouble(tmp_path: Path, stamp: str) -> None:
    path = tmp_path / "x.jsonl"
    strange = tmp_path / f"x-{stamp}.jsonl"
    strange.write_text("")
    for number in range(3):
        append(path, make_event(str(number), time_ns=number))
        put_aside(path, NOW)
    assert rotated_files(path)[-1] == strange
    assert names(path) == ["0", "1", "2"]


def test_who_asks_by_id_makes_no_event_of_the_other_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, events = tmp_path / "app.jsonl", [make_event(f"n{number}") for number in range(20)]
    append(path, *events)
    with path.open("ab") as file:
        file.write(b'{"id": 7}\nnot an event\n')
    made = list[bytes]()
    monkeypatch.setattr(reading, "decode_event", lambda line: made.append(line) or decode_event(line))
    assert names(path, Query(ids=frozenset([events[3].id]))) == ["n3"]
    assert len(made) == 1
