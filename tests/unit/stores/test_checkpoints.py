"""Checkpoints of files: which file is the same, and which ids its lines have."""

from pathlib import Path
from uuid import UUID

import pytest

from logweir.stores.checkpoints import Checkpoint, Checkpoints, Mark

LINES = [b"first line\n", b"second line\n", b"third line\n"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(LINES))
    return path


def opened(log: Path) -> Checkpoint:
    with log.open("rb") as file, Checkpoints(log.parent / "checkpoints") as checkpoints:
        return checkpoints.open(str(log), file.fileno())


def settled(log: Path, lines: int) -> Checkpoint:
    """What the next run finds when this many lines were stored."""
    checkpoint = opened(log)
    offset = len(b"".join(LINES[:lines]))
    Checkpoints(log.parent / "checkpoints").settle(checkpoint, Mark(offset, lines, LINES[lines - 1]))
    return checkpoint


def test_a_new_file_begins_at_its_beginning(log: Path) -> None:
    checkpoint = opened(log)
    assert (checkpoint.offset, checkpoint.lines, checkpoint.note) == (0, 0, "")


def test_a_file_goes_on_where_it_was_stored(log: Path) -> None:
    settled(log, 2)
    assert (opened(log).offset, opened(log).lines) == (23, 2)


def test_a_file_that_a_rotation_renamed_is_the_same_and_its_successor_another(log: Path) -> None:
    settled(log, 2)
    renamed = log.rename(log.with_suffix(".log.1"))
    log.write_bytes(b"first line\n")
    assert opened(renamed).offset == 23
    assert opened(log).offset == 0


def test_a_file_that_grew_is_the_same(log: Path) -> None:
    settled(log, 3)
    with log.open("ab") as file:
        file.write(b"x" * 3000)
    assert opened(log).offset == 34
    assert opened(log).offset == 34


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"first line\n", "truncated to 11 bytes"),
        (b"", "truncated to 0 bytes"),
        (b"First line\nsecond line\nthird line\n", "another file"),
        (b"first line\nsecond LINE\nthird line\n" * 90, "another file"),
    ],
)
def test_a_truncated_or_rewritten_file_is_read_from_its_beginning_with_new_ids(
    log: Path, content: bytes, said: str
) -> None:
    before = settled(log, 2)
    log.write_bytes(content)  # the inode stays
    now = opened(log)
    assert now.offset == 0
    assert said in now.note
    assert now.event_id(10, None) != before.event_id(10, None)
    assert opened(log).note == ""


def test_a_file_that_was_rewritten_behind_its_head_is_read_from_its_beginning(log: Path) -> None:
    head = b"# " + b"-" * 2000 + b"\n"
    log.write_bytes(head + LINES[1])
    Checkpoints(log.parent / "checkpoints").settle(opened(log), Mark(len(head) + 12, 2, LINES[1]))
    log.write_bytes(head + b"SECOND line\nthird\n")
    assert "rewritten since" in opened(log).note


def test_lines_that_came_in_the_place_of_others_that_were_read_but_not_settled_have_new_ids(
    log: Path,
) -> None:
    log.write_bytes(b"")
    with log.open("r+b") as file, Checkpoints(log.parent / "checkpoints") as checkpoints:
        before = checkpoints.open(str(log), file.fileno())
        file.write(LINES[0])
        file.flush()
        checkpoints.keep_head(before, lambda length, offset: LINES[0][offset : offset + length])
        assert checkpoints.open(str(log), file.fileno()).event_id(10, None) == before.event_id(10, None)
    log.write_bytes(b"other line\n")
    assert opened(log).event_id(10, None) != before.event_id(10, None)


def test_what_is_begun_anew_has_new_ids_though_nothing_of_it_was_settled(log: Path) -> None:
    with log.open("rb") as file, Checkpoints(log.parent / "checkpoints") as checkpoints:
        before = checkpoints.open(str(log), file.fileno())
        checkpoints.begin_anew(before, file.fileno(), lambda _length, _offset: b"")
        now = checkpoints.open(str(log), file.fileno())
    assert (now.offset, now.note) == (0, "")
    assert now.event_id(10, 5_000_000) != before.event_id(10, 5_000_000)


def test_ids_are_uuids_of_version_7_one_for_each_place_and_the_same_again(log: Path) -> None:
    checkpoint, again = opened(log), opened(log)
    ids = [checkpoint.event_id(place, None) for place in range(5000)]
    assert ids == [again.event_id(place, None) for place in range(5000)]
    assert len(set(ids)) == 5000
    for text in ids[:50]:
        uuid = UUID(text)
        assert (str(uuid), uuid.version, uuid.variant) == (text, 7, "specified in RFC 4122")


def test_ids_have_the_time_of_the_event_in_front(log: Path) -> None:
    checkpoint = opened(log)
    assert UUID(checkpoint.event_id(1, 1_767_323_045_678_000_000)).int >> 80 == 1_767_323_045_678
    assert UUID(checkpoint.event_id(1, None)).int >> 80 == checkpoint.saved.first_seen
    assert UUID(checkpoint.event_id(1, -5)).int >> 80 == checkpoint.saved.first_seen


def test_two_files_have_different_ids_at_the_same_place(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    other.write_bytes(log.read_bytes())
    assert opened(log).event_id(10, 5_000_000) != opened(other).event_id(10, 5_000_000)


def test_a_last_line_without_an_end_is_looked_at_again(log: Path) -> None:
    log.write_bytes(b"first line\nsec")
    Checkpoints(log.parent / "checkpoints").settle(opened(log), Mark(14, 2, b"sec"))
    with log.open("ab") as file:
        file.write(b"ond line\n")
    found = opened(log)
    assert (found.offset, found.begun) == (14, 11)


def test_s1_a_byte_of_a_checkpoint_that_changed_moves_nothing_and_is_said(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"ping\n" * 2000)  # a place further on looks the same
    before = opened(log)
    Checkpoints(tmp_path / "checkpoints").settle(before, Mark(500, 100, b"ping\n"))
    content = before.path.read_bytes()
    for place in range(len(content)):
        for change in (0x01, 0xFF):
            before.path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
            now = opened(log)
            assert (now.offset, now.lines) == (500, 100), place
            assert now.line_id(700) == before.line_id(700), place
            assert "was damaged" in now.note, place


def test_a_checkpoint_that_cannot_be_read_is_said_and_the_file_is_read_anew_with_the_same_ids(
    log: Path,
) -> None:
    before = settled(log, 2)
    before.path.write_bytes(b"{")
    now = opened(log)
    assert now.offset == 0
    assert "cannot be read" in now.note
    assert now.event_id(10, 7_000_000) == before.event_id(10, 7_000_000)
    (kept,) = before.path.parent.glob("*.corrupt-*")
    assert kept.read_bytes() == b"{"
    assert str(kept) in now.note


def test_a_checkpoint_of_before_without_a_checksum_is_gone_on_with(log: Path) -> None:
    before = settled(log, 2)
    before.path.write_bytes(before.path.read_bytes().splitlines()[0].rpartition(b" ")[0])
    now = opened(log)
    assert (now.offset, now.note) == (before.offset, "")


def test_nothing_but_checkpoints_and_their_locks_stays_in_the_directory(log: Path) -> None:
    settled(log, 1)
    settled(log, 3)
    left = sorted(path.suffix for path in (log.parent / "checkpoints").iterdir())
    assert left == [".json", ".lock"]
