"""The log of a SQLite database that was damaged while nobody had it open: put right, or cut off and reported."""

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from logweir.sinks.shared.sqlite_repair import repair_log

ROWS = 120
FRAME = 24 + 4096


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as a process that was killed leaves it: the last transactions are in the log alone."""
    folder = tmp_path_factory.mktemp("killed")
    with closing(sqlite3.connect(folder / "life.db", isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA journal_mode=WAL; CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT);"
        )
        for number in range(ROWS):
            connection.execute("INSERT INTO t VALUES (?, ?)", (number, f"{number} " + "x" * 100))
        for suffix in ("", "-wal"):
            shutil.copy(folder / f"life.db{suffix}", folder / f"a.db{suffix}")
    return folder / "a.db"


def damaged(killed: Path, folder: Path, damage: Callable[[bytearray], object]) -> Path:
    path = folder / "a.db"
    folder.mkdir(exist_ok=True)
    shutil.copy(killed, path)
    content = bytearray(Path(f"{killed}-wal").read_bytes())
    damage(content)
    Path(f"{path}-wal").write_bytes(content)
    return path


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = connection.execute("SELECT n, text FROM t ORDER BY n").fetchall()
    assert all(text == f"{n} " + "x" * 100 for n, text in found)
    return [n for n, _ in found]


def flip(place: int) -> Callable[[bytearray], None]:
    def damage(content: bytearray) -> None:
        content[place] ^= 0xFF

    return damage


def test_a_byte_changed_anywhere_costs_nothing_or_is_reported(killed: Path, tmp_path: Path) -> None:
    generator = random.Random(1)
    size = Path(f"{killed}-wal").stat().st_size
    last = size - FRAME
    places = [0, 4, 8, 12, 16, 24, *(last + place for place in (1, 2, 5, 6, 8, 500, 1001))]
    places += [32 + 60 * FRAME + place for place in (0, 3, 4, 7, 8, 12, 16, 20)]
    places += [generator.randrange(32, last) for _ in range(15)]
    lost = 0
    for number, place in enumerate(places):
        path = damaged(killed, tmp_path / str(number), flip(place))
        before = Path(f"{path}-wal").read_bytes()
        repair = repair_log(path, cut=True)
        found = rows(path)
        assert found == list(range(len(found))), place
        if repair is None:
            assert len(found) == ROWS, place
        else:
            assert repair.quarantined is not None
            assert repair.quarantined.read_bytes() == before
            assert (len(found) == ROWS) == (repair.lost == 0), place
            lost += bool(repair.lost)
    assert lost <= len(places) // 8


def test_a_page_that_was_written_once_more_may_be_damaged_beyond_repair(killed: Path, tmp_path: Path) -> None:
    place = 32 + 100 * FRAME + 24
    path = damaged(
        killed, tmp_path, lambda content: content.__setitem__(slice(place, place + 512), bytes(512))
    )
    repair = repair_log(path, cut=True)
    assert repair is not None
    assert repair.lost == 0
    assert rows(path) == list(range(ROWS))


def test_what_cannot_be_kept_is_cut_off_and_counted_or_left_as_it_is(killed: Path, tmp_path: Path) -> None:
    size = Path(f"{killed}-wal").stat().st_size
    path = damaged(
        killed, tmp_path, lambda content: content.__setitem__(slice(size - 900, size - 300), bytes(600))
    )
    left = repair_log(path, cut=False)
    assert left is not None
    assert (left.quarantined, left.lost > 0) == (None, True)
    repair = repair_log(path, cut=True)
    assert repair is not None
    assert f"{repair.lost} pages of it are lost" in str(repair)
    found = rows(path)
    assert found == list(range(len(found)))
    assert len(found) >= ROWS - 1


def test_a_whole_or_torn_log_and_one_in_use_are_left_as_they_are(killed: Path, tmp_path: Path) -> None:
    assert repair_log(tmp_path / "none.db", cut=True) is None
    for number, damage in enumerate(
        [lambda content: None, lambda content: content.__delitem__(slice(-99, None))]
    ):
        assert repair_log(damaged(killed, tmp_path / str(number), damage), cut=True) is None
    path = damaged(killed, tmp_path / "used", flip(32 + 5 * FRAME + 100))
    reader = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM t'); "
    with subprocess.Popen(
        [sys.executable, "-c", reader + "print(flush=True); input()", path], stdin=-1, stdout=-1
    ) as other:
        assert other.stdin
        assert other.stdout
        other.stdout.readline()
        assert repair_log(path, cut=True) is None
        other.kill()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM t").fetchone()
        assert repair_log(path, cut=True) is None
