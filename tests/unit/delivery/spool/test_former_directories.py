"""Directories of queues that a reload left: noted until they are empty."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from logweir.delivery.spool.current_file import CurrentFile
from logweir.delivery.spool.former_directories import forget, note, noted
from logweir.delivery.spool.housekeeping import Housekeeping
from logweir.testing.contract import make_event
from support.disk import drain, make_queue, make_spool, names


def leave(directory: Path, name: str) -> None:
    spool = make_spool(directory)
    make_queue(spool).put(make_event(name))
    spool.close()


def test_a_note_lasts_until_it_is_forgotten(tmp_path: Path) -> None:
    here, there, other = tmp_path / "here", tmp_path / "there", tmp_path / "änder\udcff"
    assert noted(here) == set()
    for _ in range(2):
        note(here, there)
        note(here, other)
        note(here, here)
    assert noted(here) == {there, other}
    assert {path.suffix for path in here.iterdir()} == {".former"}
    forget(here, there)
    forget(here, there)
    assert noted(here) == {other}


def test_a_process_that_ends_in_the_middle_of_a_note_leaves_no_other_file_and_no_other_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"

    def ends(_descriptor: int) -> NoReturn:
        raise SystemExit

    monkeypatch.setattr("os.fsync", ends)
    with pytest.raises(SystemExit):
        note(here, there)
    monkeypatch.undo()
    (left,) = here.iterdir()
    assert left.suffix == ".former"
    for kept in (0, len(str(tmp_path))):  # what of it was written, if the machine ended
        os.truncate(left, kept)
        assert noted(here) == set()
        note(here, there)
        assert noted(here) == {there}


def test_who_notes_the_same_at_the_same_time_does_not_take_the_note_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a reload and the housekeeping behind it do."""
    here, there = tmp_path / "here", tmp_path / "there"
    sync = os.fsync

    def overtaken(descriptor: int) -> None:
        monkeypatch.undo()
        sync(descriptor)
        note(here, there)

    monkeypatch.setattr("os.fsync", overtaken)
    note(here, there)
    assert noted(here) == {there}


def test_the_next_process_takes_over_what_was_noted_and_what_that_had_noted(tmp_path: Path) -> None:
    """Found by the simulation: a process that died in the middle of such a reload left acknowledged events."""
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    leave(first, "one")
    leave(second, "two")
    note(second / "queues", first / "queues")
    spool = make_spool(third)
    note(third / "queues", second / "queues")
    keeping = Housekeeping(lambda: (spool, {"sink"}, []))
    keeping._once()
    keeping._once()
    assert sorted(names(drain(spool))) == ["one", "two"]
    assert noted(third / "queues") == noted(second / "queues") == set()
    spool.close()


def test_a_directory_whose_file_somebody_owns_stays_noted(tmp_path: Path) -> None:
    owner = make_spool(tmp_path / "former")
    make_queue(owner).put(make_event("owned"))
    owner.commit()
    spool = make_spool(tmp_path / "now")
    keeping = Housekeeping(lambda: (spool, {"sink"}, [owner]))
    keeping._once()
    assert noted(tmp_path / "now" / "queues") == {tmp_path / "former" / "queues"}
    assert not spool.backlog("sink").depth
    owner.close()
    keeping._once()
    assert names(drain(spool)) == ["owned"]
    assert noted(tmp_path / "now" / "queues") == set()
    spool.close()


def test_a_directory_stays_noted_while_a_former_spool_may_still_make_a_file_in_it(tmp_path: Path) -> None:
    """Found by the simulation: an event acknowledged a moment after a reload was left behind by the next start."""
    former, spool = make_spool(tmp_path / "former"), make_spool(tmp_path / "now")
    make_queue(former).put(make_event("staged"))
    keeping = Housekeeping(lambda: (spool, {"sink"}, [former]))
    keeping._once()
    former.commit()
    assert noted(spool.directory) == {former.directory}
    former.close()
    spool.close()
    started = make_spool(tmp_path / "now")
    Housekeeping(lambda: (started, {"sink"}, []))._once()
    assert names(drain(started)) == ["staged"]
    assert noted(started.directory) == set()
    started.close()


def test_what_a_former_spool_could_not_write_at_its_end_is_written_when_the_disk_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulation: it stayed in memory until the stop, and nobody looked for it then."""
    former, spool = make_spool(tmp_path / "former"), make_spool(tmp_path / "now")
    make_queue(former).put(make_event("staged"))
    keeping = Housekeeping(lambda: (spool, {"sink"}, [former]))
    with monkeypatch.context() as full:
        full.setattr(CurrentFile, "opened", _refuse)
        assert not former.close()
        keeping._once()
    assert noted(spool.directory) == {former.directory}
    keeping._once()
    assert names(drain(spool)) == ["staged"]
    assert noted(spool.directory) == set()
    spool.close()


def _refuse(_file: CurrentFile) -> NoReturn:
    raise OSError(errno.ENOSPC, "the disk is full")
