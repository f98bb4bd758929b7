"""Damage in the dead letters' file and in its log: what is whole comes back, and nothing goes without a report."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from logweir.delivery.dead_letters import DeadLetter, DeadLetters

COUNT = 150
PAGE = 4096
FRAME = 24 + PAGE
#: Letters on one page, and one to spare.
A_PAGE = 12


def letters(count: int) -> list[DeadLetter]:
    return [
        DeadLetter("db", "too long", b"%d " % number + b"x" * 300, "", f"{number:04}:db", number)
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A process was killed while another one had the file open: letters stand in the log alone."""
    life, left = tmp_path_factory.mktemp("life"), tmp_path_factory.mktemp("killed")
    written = letters(COUNT)
    DeadLetters(life).add(written[:10])
    with closing(sqlite3.connect(life / "dead_letters.db")) as other:
        other.execute("SELECT count(*) FROM dead_letters").fetchone()
        for start in range(10, COUNT, 5):
            DeadLetters(life).add(written[start : start + 5])
        for path in life.glob("*.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, left)
    return left


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("closed")
    DeadLetters(directory).add(letters(COUNT))
    return directory


def after(
    template: Path, directory: Path, name: str, damage: Callable[[bytearray], object]
) -> list[DeadLetter]:
    """What a process finds in a copy whose one file was damaged; it can also write."""
    shutil.copytree(template, directory)
    content = bytearray((directory / name).read_bytes())
    damage(content)
    (directory / name).write_bytes(content)
    found = DeadLetters(directory).read()
    DeadLetters(directory).add([DeadLetter("db", "new", b"new", "", "new:db", COUNT + 1)])
    assert [each.id for each in DeadLetters(directory).read()] == [each.id for each in found] + ["new:db"]
    assert DeadLetters(directory).look().count == len(found) + 1
    return found


def flip(place: int) -> Callable[[bytearray], None]:
    def damage(content: bytearray) -> None:
        content[place] ^= 0xFF

    return damage


def is_reported(caplog: pytest.LogCaptureFixture) -> bool:
    return any("damaged" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "place", [0, 12, 24, 32, 36, 40, 48, 56, 32 + 9 * FRAME + 700, 32 + 9 * FRAME + 4000]
)
def test_s1_a_changed_byte_in_the_log_costs_no_letter(
    killed: Path, tmp_path: Path, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    found = after(killed, tmp_path / "a", "dead_letters.db-wal", flip(place))
    assert found == letters(COUNT)
    assert is_reported(caplog)
    assert list((tmp_path / "a").glob("*.corrupt-*-wal"))


def test_s1_a_damaged_end_of_the_log_costs_its_page_at_most_and_what_may_be_wrong_says_so(
    killed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = ((killed / "dead_letters.db-wal").stat().st_size - 32) // FRAME
    known = {each.id: each for each in letters(COUNT)}
    for last in (1, 3, 9):

        def damage(content: bytearray, last: int = last) -> None:
            for frame in range(frames - last, frames):
                start = 32 + frame * FRAME + 24 + PAGE - 400
                content[start : start + 50] = b"\xaa" * 50

        caplog.clear()
        found = after(killed, tmp_path / str(last), "dead_letters.db-wal", damage)
        assert all(each == known[each.id] or "damaged page" in each.reason for each in found)
        assert len(found) >= COUNT - 2 * A_PAGE
        assert is_reported(caplog)


@pytest.mark.parametrize("place", [0, 16, 18, 19, 20, 21, 28, 60, 100])
def test_s2_a_changed_byte_in_the_head_of_the_file_costs_no_letter(
    closed: Path, tmp_path: Path, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert after(closed, tmp_path / "a", "dead_letters.db", flip(place)) == letters(COUNT)
    assert is_reported(caplog)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_s2_a_file_that_was_cut_gives_what_is_left_of_it(
    closed: Path, tmp_path: Path, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    length = int((closed / "dead_letters.db").stat().st_size * share)
    found = after(
        closed, tmp_path / "a", "dead_letters.db", lambda content: content.__delitem__(slice(length, None))
    )
    assert len(found) >= int(COUNT * share) - 4 * A_PAGE
    assert is_reported(caplog)


def test_s2_pages_between_two_damaged_ones_are_saved(
    closed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    size = (closed / "dead_letters.db").stat().st_size

    def damage(content: bytearray) -> None:
        for share in (0.2, 0.8):
            start = int(size * share) // PAGE * PAGE
            content[start : start + PAGE] = b"\xff" * PAGE

    found = after(closed, tmp_path / "a", "dead_letters.db", damage)
    assert len(found) >= COUNT - 3 * A_PAGE
    assert is_reported(caplog)


def test_s1_and_s2_a_changed_byte_anywhere_is_never_silent_and_costs_a_page_at_most(
    killed: Path, closed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    generator = random.Random(3)
    for number, (template, name) in enumerate(
        [(killed, "dead_letters.db-wal"), (closed, "dead_letters.db")] * 12
    ):
        caplog.clear()
        place = generator.randrange((template / name).stat().st_size)
        found = after(template, tmp_path / str(number), name, flip(place))
        assert len(found) >= COUNT - A_PAGE, (name, place)
        assert len(found) == COUNT or is_reported(caplog), (name, place)
