"""The ledger: what is known, also after a kill, of what was sent to a fallback."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from logweir.delivery.fallback.ledger import Ledger, Noted, carry_over, copy_over, waiting_in


class Time:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_noted_is_held_and_by_a_later_process_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "data", "a", "b")
    assert ledger.held(["1"]) == set()
    ledger.note(["1", "2"])
    assert ledger.held(["1", "3"]) == {"1"}
    later = Ledger(tmp_path / "data", "a", "b")
    assert later.held(["1", "2", "3"]) == {"1", "2"}
    later.settle(["1"], ["2"])
    assert ledger.held(["1", "2"]) == {"1"}
    assert [(note.id, note.state) for note in ledger.oldest(10, 5.0)] == [("1", Noted.STORED)]


def test_a_note_of_another_process_is_seen_after_a_look_that_found_none(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path, "a", "b"), Ledger(tmp_path, "a", "b")
    one.note(["1"])
    one.settle([], ["1"])
    for _ in range(3):
        assert one.held(["1"]) == set()
    other.note(["1"])
    assert one.held(["1"]) == {"1"}


def test_the_notes_of_one_pair_are_no_business_of_another(tmp_path: Path) -> None:
    Ledger(tmp_path, "a", "b").note(["1"])
    Ledger(tmp_path, "a", "c").note(["1", "2"])
    assert Ledger(tmp_path, "b", "a").held(["1"]) == set()
    Ledger(tmp_path, "a", "c").settle([], ["1"])
    assert waiting_in(tmp_path) == {("a", "b"): 1, ("a", "c"): 1}
    assert waiting_in(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("answered", ["while it returns", "once it has returned"])
def test_what_returns_before_the_fallback_has_answered_leaves_no_note(tmp_path: Path, answered: str) -> None:
    time = Time()
    ledger = Ledger(tmp_path, "a", "b", time)
    ledger.note(["1"])
    found = ledger.oldest(1, 5.0)
    time.now += 1.0
    if answered == "while it returns":
        ledger.settle(["1"], [])
        ledger.returned(found)
    else:
        ledger.returned(found)
        ledger.settle(["1"], [])
    ledger.deleted(["1"])
    assert ledger.count() == 0


def test_what_is_sent_again_while_it_returns_stays_noted(tmp_path: Path) -> None:
    time = Time()
    ledger = Ledger(tmp_path, "a", "b", time)
    ledger.note(["1"])
    found = ledger.oldest(1, 5.0)
    time.now += 1.0
    ledger.note(["1"])
    ledger.settle(["1"], [])
    ledger.returned(found)
    ledger.deleted(["1"])
    assert ledger.held(["1"]) == {"1"}


def test_what_the_fallback_answers_behind_the_last_look_for_it_stays_noted(tmp_path: Path) -> None:
    time = Time()
    ledger = Ledger(tmp_path, "a", "b", time)
    ledger.note(["1"])
    time.now += 4000.0
    sought = ledger.oldest(1, 5.0)
    ledger.settle(["1"], [])
    ledger.give_up(sought)
    assert ledger.held(["1"]) == {"1"}


def test_what_was_looked_for_in_vain_makes_room_for_others(tmp_path: Path) -> None:
    time = Time()
    ledger = Ledger(tmp_path, "a", "b", time)
    ledger.note(["1", "2", "3"])
    assert [note.id for note in ledger.oldest(2, 5.0)] == ["1", "2"]
    ledger.looked_for(["1", "2"])
    assert [note.id for note in ledger.oldest(2, 5.0)] == ["3"]
    time.now += 10.0
    assert [note.id for note in ledger.oldest(3, 5.0)] == ["3", "1", "2"]


def test_a_clock_that_is_put_back_hides_nothing(tmp_path: Path) -> None:
    time = Time()
    ledger = Ledger(tmp_path, "a", "b", time)
    ledger.note(["1"])
    ledger.looked_for(["1"])
    assert ledger.oldest(1, 5.0) == []
    time.now -= 3600.0
    assert [note.id for note in ledger.oldest(1, 5.0)] == ["1"]


def test_a_note_is_pruned_when_no_queue_can_hold_its_event_any_more(tmp_path: Path) -> None:
    time = Time()
    earlier = Ledger(tmp_path, "a", "b", time)
    earlier.note(["killed"])
    earlier.settle(["killed"], [])
    time.now += 10 * 86_400.0  # nobody ran meanwhile
    ledger = Ledger(tmp_path, "a", "b", time)
    ledger.note(["stored", "sent"])
    ledger.settle(["stored"], [])
    ledger.prune()
    assert ledger.count() == 3
    time.now += 61.0
    ledger.prune()
    assert ledger.held(["killed", "stored", "sent"]) == {"killed", "sent"}
    time.now += 86_400.0
    ledger.note(["sent"])  # it waits for the fallback, which is asked again and again
    ledger.prune()
    assert ledger.held(["killed", "stored", "sent"]) == {"sent"}


def test_the_notes_of_a_former_directory_come_along_with_what_waits_there(tmp_path: Path) -> None:
    former = Ledger(tmp_path / "former", "a", "b")
    former.note([str(number) for number in range(2500)])
    former.settle(["7"], [])
    Ledger(tmp_path / "new", "a", "b").note(["1", "new"])
    carry_over(tmp_path / "former", tmp_path / "new")
    carry_over(tmp_path / "nowhere", tmp_path / "new")
    assert waiting_in(tmp_path / "former") == {}
    assert waiting_in(tmp_path / "new") == {("a", "b"): 2501}
    states = {note.id: note.state for note in Ledger(tmp_path / "new", "a", "b").oldest(3000, 5.0)}
    assert states["7"] is Noted.STORED


def test_notes_are_copied_while_somebody_works_in_the_former_directory(tmp_path: Path) -> None:
    time = Time()
    former, here = (Ledger(tmp_path / name, "a", "b", time) for name in ("former", "new"))
    former.note(["in hand", "stored"])
    former.settle(["stored"], [])
    began = time.now
    copy_over(tmp_path / "former", tmp_path / "new", 0.0)
    assert former.held(["in hand", "stored"]) == here.held(["in hand", "stored"]) == {"in hand", "stored"}
    here.settle([], ["in hand", "stored"])  # they are over here
    time.now += 5.0
    former.note(["later"])
    copy_over(tmp_path / "former", tmp_path / "new", began)
    # What was noted shortly before may have been written after the first copy, and nothing is known of it.
    states = {note.id: note.state for note in here.oldest(9, 5.0)}
    assert states == dict.fromkeys(["in hand", "stored", "later"], Noted.SENT)
    here.settle([], [*states])
    copy_over(tmp_path / "former", tmp_path / "new", began + 60.0)
    copy_over(tmp_path / "nowhere", tmp_path / "new", 0.0)
    assert here.held([*states]) == set()


def test_a_damaged_ledger_is_quarantined_and_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "fallback.db").write_bytes(b"no database at all" * 500)
    ledger = Ledger(tmp_path, "a", "b")
    with caplog.at_level(logging.ERROR, "logweir"):
        ledger.note(["1"])
    assert "is damaged" in caplog.text
    assert ledger.held(["1"]) == {"1"}
    assert len(list(tmp_path.glob("fallback.db.corrupt-*"))) == 1


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "fallback.db")) as connection:
        connection.execute("PRAGMA user_version=2")
    with pytest.raises(OSError, match="has format 2, this version of logweir knows 1"):
        Ledger(tmp_path, "a", "b").note(["1"])
