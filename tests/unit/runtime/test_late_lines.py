"""Late lines: what is logged when nobody delivers any more is on disk before its call returns, or counted."""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.spool.spool import Spool
from logweir.event import Event
from logweir.runtime import late_lines as module
from logweir.runtime.late_lines import LateLines
from logweir.testing.contract import make_event
from support.disk import drain, make_spool, names
from support.waiting import eventually


class Place:
    """Late lines over a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.waits = False
        self.lines = LateLines(lambda: (data_dir, DeadLetters(data_dir)), lambda: self.waits)

    def stored(self, sink: str = "out") -> list[str]:
        """What the next start finds for a sink."""
        self.lines.close()
        spool = make_spool(self.data_dir)
        try:
            spool.adopt()
            return names(drain(spool, sink, settle=False))
        finally:
            spool.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "data")
    yield made
    made.lines.close()


def save(place: Place, name: str, sinks: Sequence[str] = ("out",)) -> bool:
    return place.lines.save(make_event(name), sinks)


def test_a_line_is_on_disk_for_each_of_its_sinks_when_its_call_returns(place: Place) -> None:
    assert save(place, "a", ["out", "audit"])
    assert save(place, "b")
    assert (place.lines.saved, place.lines.lost) == (2, 0)
    # As a kill would leave it: nothing is closed.
    spool = place.lines._spool
    assert spool is not None
    assert not spool.has_staged
    assert place.stored() == ["a", "b"]
    assert place.stored("audit") == ["a"]


def test_no_more_lines_are_taken_than_so_many(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 3)
    assert [save(place, name) for name in "abcde"] == [True] * 3 + [False] * 2
    assert "more than 3 lines were logged after the stop; the others are lost" in caplog.text
    assert place.lines.saved == 3
    assert place.stored() == list("abc")


def test_a_directory_that_was_removed_is_not_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Place(tmp_path / "gone" / "data")
    assert not save(gone, "a")
    assert f"a line that was logged after the stop is lost: {tmp_path / 'gone'} is gone" in caplog.text
    assert not (tmp_path / "gone").exists()
    assert gone.lines.saved == 0


def test_what_the_disk_does_not_take_is_not_saved_and_reported(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.data_dir.mkdir()
    (place.data_dir / "queues").write_text("a file where the directory should be")
    assert not save(place, "a")
    assert "a line that was logged after the stop cannot be saved: " in caplog.text
    assert place.lines.saved == 0


async def test_on_a_loop_that_still_serves_nothing_blocks_and_the_line_is_on_disk_a_moment_later(
    place: Place,
) -> None:
    # The guard of these tests fails a call that waits for the disk on an event loop. The file is there already.
    await asyncio.to_thread(save, place, "before")
    spool: Any = place.lines._spool
    assert save(place, "a", ["out", "audit"])
    await asyncio.to_thread(eventually, lambda: not spool.has_staged)
    assert place.lines.saved == 2
    assert await asyncio.to_thread(place.stored) == ["before", "a"]
    assert await asyncio.to_thread(place.stored, "audit") == ["a"]


def test_on_a_loop_that_serves_nobody_any_more_the_line_is_on_disk_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "on_event_loop", lambda: True)
    place.waits = True
    assert save(place, "a")
    spool = place.lines._spool
    assert spool is not None
    assert not spool.has_staged
    assert place.stored() == ["a"]


def test_on_a_loop_too_a_directory_that_is_gone_loses_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "on_event_loop", lambda: True)
    gone = Place(tmp_path / "gone" / "data")
    assert not save(gone, "a")
    assert gone.lines.saved == 0


def test_what_interrupts_a_save_in_the_same_thread_is_saved_behind_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_itself, answers = Spool.save, list[bool]()

    def interrupted(self: Spool, sink: str, events: list[Event]) -> Any:
        if events[0].name == "a":
            answers.extend(save(place, name) for name in ("b", "c"))
        return save_itself(self, sink, events)

    monkeypatch.setattr(Spool, "save", interrupted)
    assert save(place, "a")
    assert answers == [True, True]
    assert place.lines.saved == 3
    assert save(place, "d")
    assert place.stored() == list("abcd")


def test_what_interrupts_a_save_and_cannot_be_saved_is_counted_as_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_itself = Spool.save

    def interrupted(self: Spool, sink: str, events: list[Event]) -> Any:
        if events[0].name == "a":
            save(place, "b")
            return save_itself(self, sink, events)
        raise OSError("disk full")

    monkeypatch.setattr(Spool, "save", interrupted)
    assert save(place, "a")
    assert (place.lines.saved, place.lines.lost) == (1, 1)
    assert not save(place, "c")  # its caller knows, and counts it
    assert (place.lines.saved, place.lines.lost) == (1, 1)


async def test_what_was_taken_and_is_not_on_disk_at_the_close_is_lost_and_counted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(save, place, "before")
    monkeypatch.setattr(Spool, "commit", lambda _self: OSError("disk full"))
    assert save(place, "a", ["out", "audit"])
    assert place.lines.saved == 2
    await asyncio.to_thread(place.lines.close)
    assert (place.lines.saved, place.lines.lost) == (1, 1)


def test_a_forks_child_leaves_what_was_saved_to_its_parent(place: Place) -> None:
    save(place, "a")
    parents = place.lines._spool
    assert parents is not None
    place.lines.begin()
    assert (place.lines.saved, place.lines.lost) == (0, 0)
    place.lines.close()
    assert not parents.closed
    parents.close()
    gc.collect()
    assert place.stored() == ["a"]
