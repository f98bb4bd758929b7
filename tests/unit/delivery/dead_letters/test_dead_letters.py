"""The dead letters' file: nothing is lost, nothing blocks a reader, bounds hold, processes share it."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logweir.delivery.dead_letters import (
    DeadLetter,
    DeadLetterPruner,
    DeadLetters,
    Position,
    Selection,
    database,
)
from logweir.settings.operations import DeadLettersConfig
from logweir.testing.contract import make_event

DAY = 86_400 * 10**9


def letter(name: str = "x", sink: str = "db", *, time: int = 0, size: int = 10, **other: Any) -> DeadLetter:
    found = {"reason": "too long", "place": "", "body": b"b" * size, **other}
    return DeadLetter(sink=sink, id=f"{name}:{sink}", time=time, **found)


def ids(letters: list[DeadLetter]) -> list[str]:
    return [found.id for found in letters]


def test_a_letter_is_written_once_and_its_attempts_are_counted(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    event = make_event("paid")
    letters.add([DeadLetter.of_event("db", "too long", event)])
    letters.add([DeadLetter.of_event("db", "still too long", event), DeadLetter.of_event("es", "no", event)])
    first, second = letters.read()
    assert (first.sink, first.reason, first.attempts) == ("db", "still too long", 2)
    assert (second.sink, second.reason, second.attempts) == ("es", "no", 1)
    assert first.event().id == event.id
    assert letters.totals.letters == {"db": 1, "es": 1}


def test_a_letter_that_is_refused_again_keeps_its_place(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter("a", time=1), letter("b", time=2)])
    letters.refused_again([("a:db", "bad \ud800 again"), ("gone:db", "x")])
    assert [(found.id, found.reason, found.attempts) for found in letters.read()] == [
        ("a:db", "bad \\ud800 again", 2),
        ("b:db", "too long", 1),
    ]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["a:db", "b:es", "c:db", "line"]),
        (Selection(ids=["a"]), ["a:db"]),
        (Selection(ids=["a:db", "b"]), ["a:db", "b:es"]),
        (Selection(ids=["a:d"]), []),
        (Selection(ids=[*map(str, range(5000)), "line", "c"]), ["c:db", "line"]),
        (Selection(sink="db"), ["a:db", "c:db"]),
        (Selection(sink=""), ["line"]),
        (Selection(events_only=True), ["a:db", "b:es", "c:db"]),
        (Selection(reason="TOO long"), ["a:db", "c:db"]),
        (Selection(reason="too*"), ["a:db", "c:db"]),
        (Selection(reason="long*"), []),
        (Selection(reason="value [x]"), ["b:es"]),
        (Selection(reason="bad value [?]"), ["b:es"]),
        (Selection(reason="100%"), []),
        (Selection(since=20, until=40), ["b:es", "c:db"]),
        (Selection(sink="db", since=20), ["c:db"]),
    ],
)
def test_letters_are_selected(selection: Selection, expected: list[str], tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    line = DeadLetter("", "not JSON", b"{", "a.log:1", "line", 40)
    letters.add([letter("a", time=10), letter("b", "es", time=20, reason="Bad value [x]"), line])
    letters.add([letter("c", time=30)])
    assert ids(letters.read(selection)) == expected
    assert letters.count(selection) == len(expected)


def test_letters_are_read_page_by_page_also_when_many_have_one_time(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter(f"{number:02}", time=number // 4) for number in range(20)])
    seen: list[str] = []
    after = None
    while page := letters.read(after=after, limit=3):
        seen += ids(page)
        after = Position(page[-1].time, page[-1].id)
    assert seen == [f"{number:02}:db" for number in range(20)]


def test_a_letter_that_nobody_can_decode_does_not_hide_the_others(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([DeadLetter.of_event("db", "no", make_event("good"))])
    with closing(sqlite3.connect(letters.path)) as connection, connection:
        connection.execute(
            "INSERT INTO dead_letters VALUES ('bad:db', 1, CAST(x'ff6462' AS TEXT), CAST(x'fe' AS TEXT), '', x'ff', 'many')"
        )
        connection.execute("INSERT INTO dead_letters VALUES ('text:db', 2, 'db', 'r', '', '[]', 1)")
    bad, text, good = letters.read()
    assert (bad.sink, bad.reason, bad.body, bad.attempts) == ("\\xffdb", "\\xfe", b"\xff", 0)
    for broken in (bad, text):
        with pytest.raises(ValueError, match="cannot be read"):
            broken.event()
    assert good.event().name == "good"
    assert letters.look().count == 3


def test_a_line_says_why_it_is_no_event() -> None:
    with pytest.raises(ValueError, match="this line never became an event; fix it"):
        DeadLetter.of_line("a.log:\udcff1", "not JSON", b"{").event()


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "data")
    assert (letters.read(), letters.count(), letters.look().count, letters.remove(["x"])) == ([], 0, 0, 0)
    assert letters.prune(keep=1, max_bytes=1) == {}
    assert not (tmp_path / "data").exists()


def test_the_file_is_for_its_owner_and_says_its_version(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter()])
    assert letters.path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(letters.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_of_the_first_format_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "dead_letters.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE dead_letters (id TEXT PRIMARY KEY, time INTEGER NOT NULL, sink TEXT NOT NULL,"
            " reason TEXT NOT NULL, place TEXT NOT NULL, body BLOB NOT NULL)"
        )
        connection.execute("INSERT INTO dead_letters VALUES ('a:db', 5, 'db', 'no', '', x'616263')")
    letters = DeadLetters(tmp_path)
    (old,) = letters.read()
    assert (old.id, old.attempts, old.body) == ("a:db", 1, b"abc")
    assert (letters.look().letters, letters.look().size) == ({"db": 1}, 3)


def test_a_file_that_another_process_has_just_brought_up_is_left_as_it_is(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter()])
    with closing(database.connect(letters.path)) as connection:
        database._bring_up(connection)  # it saw version 0, and then waited for the other one
    assert letters.look().letters == {"db": 1}


def test_a_file_of_a_newer_format_is_left_as_it_is(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter()])
    with closing(sqlite3.connect(letters.path)) as connection:
        connection.execute("PRAGMA user_version=2")
    with pytest.raises(OSError, match="has format 2, this version of logweir knows 1"):
        letters.add([letter("other")])
    with closing(sqlite3.connect(letters.path)) as connection:
        assert connection.execute("SELECT count(*) FROM dead_letters").fetchone() == (1,)


@pytest.mark.parametrize("damage", [b"not a database at all, but long enough" * 100, None])
def test_a_damaged_file_is_quarantined_and_letters_go_on(
    damage: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter(str(number), size=2000) for number in range(50)])
    if damage is None:
        content = bytearray(letters.path.read_bytes())
        content[4096 : 4096 * 6] = b"\xaa" * (4096 * 5)
        damage = bytes(content)
    letters.path.write_bytes(damage)
    letters.add([letter("new")])
    assert "new:db" in ids(letters.read())
    (quarantined,) = [
        path for path in tmp_path.glob("*.corrupt-*") if not path.name.endswith(("-wal", "-shm"))
    ]
    assert quarantined.read_bytes() == damage
    assert f"quarantined as {quarantined}" in caplog.text


def test_what_can_be_read_of_a_damaged_file_is_carried_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter(f"{number:03}", size=1500, time=number) for number in range(400)])
    content = bytearray(letters.path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 3 * 4096] = b"\xaa" * (3 * 4096)
    letters.path.write_bytes(content)
    saved = ids(letters.read())
    assert 300 < len(saved) < 400
    assert {"000:db", "399:db"} <= set(saved)
    assert f"a new one begun, with the {len(saved)} letters that could be read" in caplog.text
    assert letters.look().count == len(saved)


def test_processes_that_begin_the_file_together_all_get_their_letters_in(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from logweir.delivery.dead_letters import *\n"
        "sys.stdin.readline()\n"
        "for n in range(20): DeadLetters(Path('data')).add("
        "[DeadLetter('db', 'no', b'x', '', f'{sys.argv[1]}-{n}:db', n)])"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], cwd=tmp_path, stdin=subprocess.PIPE)
        for number in range(6)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0] * 6
    assert DeadLetters(tmp_path / "data").look().letters == {"db": 120}


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "again"]), st.sampled_from("abcd"), st.integers(0, 50)),
        max_size=15,
    )
)
@settings(max_examples=15, deadline=None)
def test_totals_are_what_is_there_after_any_changes(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str, int]]
) -> None:
    letters = DeadLetters(tmp_path_factory.mktemp("letters"))
    for what, name, size in changes:
        if what == "add":
            letters.add([letter(name, sink="es" if name < "c" else "db", size=size)])
        elif what == "remove":
            letters.remove([f"{name}:es", f"{name}:db"])
        else:
            letters.refused_again([(f"{name}:db", "again")])
        there = letters.read()
        assert letters.totals == letters.look()
        assert letters.totals.size == sum(len(found.body) for found in there)
        assert letters.totals.count == len(there)


# -- retention ----------------------------------------------------------------------------------------


def test_what_is_older_than_it_is_kept_goes_and_is_counted_by_sink(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter(str(day), "db" if day % 2 else "es", time=day * DAY) for day in range(10)])
    assert letters.prune(keep=3.5 * 86_400, now=10 * DAY) == {"db": 3, "es": 4}
    assert [found.time // DAY for found in letters.read()] == [7, 8, 9]
    assert letters.totals.letters == {"db": 2, "es": 1}


def test_beyond_the_bytes_the_oldest_go_first_and_no_more_than_must(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter(f"{number:04}", time=number, size=100) for number in range(1300)])
    assert letters.prune(max_bytes=1050) == {"db": 1290}
    assert ids(letters.read()) == [f"{number:04}:db" for number in range(1290, 1300)]
    assert letters.prune(max_bytes=1000) == {}


def test_space_is_given_back_when_letters_went(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([letter(str(number), size=5000) for number in range(400)])
    full = letters.path.stat().st_size
    letters.prune(max_bytes=10_000)
    assert letters.path.stat().st_size < full / 4


@pytest.mark.wound("seq-tickets #189")
async def test_dead_letters_are_kept_as_declared_and_their_end_is_counted_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    letters = DeadLetters(tmp_path)
    await asyncio.to_thread(letters.add, [letter(str(number), time=number) for number in range(5)])
    bounds = DeadLettersConfig.model_validate({})
    pruner = DeadLetterPruner(lambda: (letters, bounds))
    await pruner.prune(report_waiting=True)
    assert pruner.expired == {}  # the default deletes nothing, and says that something waits
    assert f"5 dead letters wait in {letters.path}, the oldest since 1970-01-01" in caplog.text
    caplog.clear()
    bounds = DeadLettersConfig.model_validate({"keep": "90d"})
    await pruner.prune()
    assert pruner.expired == {"db": 5}
    assert "5 dead letters of sink 'db' deleted, beyond dead_letters.keep (7776000 s)" in caplog.text
    assert letters.totals.count == 0


async def test_a_pruner_that_cannot_prune_says_so_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "dead_letters.db").mkdir()
    pruner = DeadLetterPruner(lambda: (DeadLetters(tmp_path), DeadLettersConfig()))
    with caplog.at_level(logging.WARNING):
        await pruner.prune()
    assert "the dead letters cannot be pruned" in caplog.text
