"""One changed byte or bit, or a cut, anywhere in a queue file: what was acknowledged comes back, or is reported."""

import logging
import os
import random
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from logweir.delivery.spool.spool_file import Record, Row, SpoolFile
from logweir.encoding.events import encode_event
from logweir.event import Event
from logweir.testing.contract import make_event
from support.disk import crash, drain, make_queue, make_spool

COUNT = 600
#: How many bytes are changed anywhere in each of the two files.
LONG = os.environ.get("LOGWEIR_SOAK") == "long"
ROUNDS = 30 if LONG else 3
PAGE = 4096
FRAME = 24 + PAGE
#: Rows on one page, of a body or of marks, and one to spare.
A_PAGE = 200


def put(directory: Path, count: int = COUNT, commits: int = 20, *, close: bool) -> list[Event]:
    """Acknowledge events; what a process leaves that was killed, or that has moved its log into the file."""
    spool = make_spool(directory)
    queue = make_queue(spool)
    events = [make_event(str(number), {"note": f"{number} " + "x" * 300}) for number in range(count)]
    for number, event in enumerate(events, 1):
        queue.put(event)
        if number % (count // commits) == 0:
            assert spool.commit() is None
    if close:
        spool.close()
    return events


class Template:
    """A queue file to be damaged, over and over."""

    def __init__(self, directory: Path, count: int = COUNT, commits: int = 20, *, close: bool) -> None:
        self.directory = directory
        self.events = put(directory / "template", count, commits, close=close)
        self.queues = directory / "template" / "queues"
        self.files = {
            path.suffix: path.read_bytes()
            for path in self.queues.iterdir()
            if path.suffix in {".db", ".db-wal"}
        }
        self.lives = 0

    def size(self, suffix: str) -> int:
        return len(self.files[suffix])

    def adopted(self, suffix: str, damage: Callable[[bytearray], object]) -> list[Event]:
        """What the next process delivers of a copy whose one file was damaged."""
        self.lives += 1
        directory = self.directory / str(self.lives)
        (directory / "queues").mkdir(parents=True)
        # A name of its own for each: reports about one file are limited in their rate.
        name = f"{self.directory.name}-{self.lives}"
        for one, content in self.files.items():
            copy = bytearray(content)
            if one == suffix:
                damage(copy)
            (directory / "queues" / f"{name}{one}").write_bytes(copy)
        spool = make_spool(directory)
        spool.adopt()
        found = drain(spool)
        assert len({event.id for event in found}) == len(found)
        assert not (directory / "queues" / f"{name}.db").exists()
        spool.close()
        shutil.rmtree(directory)
        return found


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A process was killed: its log is beside its file."""
    return Template(tmp_path_factory.mktemp("killed"), close=False)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A process ended well: all is in the file."""
    return Template(tmp_path_factory.mktemp("closed"), close=True)


def flip(place: int, bits: int = 0xFF) -> Callable[[bytearray], None]:
    def damage(content: bytearray) -> None:
        content[place] ^= bits

    return damage


def is_reported(caplog: pytest.LogCaptureFixture) -> bool:
    return any(
        "damaged" in record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR
    )


@pytest.mark.parametrize("place", [0, 1, 16, 18, 19, 20, 21, 28, 44, 47, 56, 60, 100, 103, 105])
def test_s2_a_changed_byte_in_the_head_of_a_file_costs_no_event(
    closed: Template, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert closed.adopted(".db", flip(place)) == closed.events
    assert is_reported(caplog) or place in {44, 47, 56}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.501, 0.9, 0.99])
def test_s2_a_file_that_was_cut_gives_what_is_left_of_it(
    closed: Template, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    length = int(closed.size(".db") * share)
    found = closed.adopted(".db", lambda content: content.__delitem__(slice(length, None)))
    assert len(found) >= COUNT * share - A_PAGE
    assert [event.id for event in found] == [e.id for e in closed.events if e in found]
    assert is_reported(caplog)


@pytest.mark.parametrize("place", [0, 4, 8, 12, 16, 24, 31])
def test_s1_a_changed_byte_in_the_head_of_a_log_costs_no_event(
    killed: Template, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert killed.adopted(".db-wal", flip(place)) == killed.events
    assert is_reported(caplog)


@pytest.mark.parametrize("place", [0, 3, 5, 8, 12, 16, 20])
def test_s1_a_changed_byte_in_the_head_of_a_frame_costs_no_other_frame(
    killed: Template, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    for frame in (0, 50, (killed.size(".db-wal") - 32) // FRAME - 1):
        caplog.clear()
        found = killed.adopted(".db-wal", flip(32 + frame * FRAME + place))
        assert len(found) >= COUNT - A_PAGE
        assert is_reported(caplog)


@pytest.mark.soak
def test_s1_and_s2_a_changed_byte_anywhere_is_never_silent_and_costs_a_page_at_most(
    killed: Template, closed: Template, caplog: pytest.LogCaptureFixture
) -> None:
    generator = random.Random(7)
    for template, suffix in ((killed, ".db-wal"), (closed, ".db")) * ROUNDS:
        caplog.clear()
        place = generator.randrange(template.size(suffix))
        found = template.adopted(suffix, flip(place))
        known = {event.id: event for event in template.events}
        assert all(known[event.id] == event for event in found), place
        assert len(found) >= COUNT - A_PAGE, place
        assert len(found) == COUNT or is_reported(caplog), place


def test_a_changed_bit_in_the_head_of_a_row_keeps_back_no_other_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The columns of SQLite have no types of their own: a bit makes a text of a blob, or nothing of a number."""
    few = Template(tmp_path, 5, 1, close=True)
    content, known = few.files[".db"], {event.id: event for event in few.events}
    heads = [content.index(encode_event(few.events[2]))]
    heads += [found.start() for found in re.finditer(b"sink", content)][-5:]  # those that wait for a row
    # A row begins with its length and the kinds of its columns, the last of these in front of its values.
    for place in [head - distance for head in heads for distance in range(1, 25 if head == heads[0] else 6)]:
        for bit in range(8) if LONG else range(place % 2, 8, 2):
            caplog.clear()
            found = few.adopted(".db", flip(place, 1 << bit))
            assert all(known[event.id] == event for event in found), (place, bit)
            assert len(found) == 5 or (len(found) == 4 and is_reported(caplog)), (place, bit, len(found))


def test_a_log_whose_last_write_was_torn_is_no_damage(
    killed: Template, caplog: pytest.LogCaptureFixture
) -> None:
    found = killed.adopted(".db-wal", lambda content: content.__delitem__(slice(-100, None)))
    assert found == killed.events[: len(found)]
    assert len(found) == COUNT - COUNT // 20
    assert not is_reported(caplog)


def test_what_a_write_that_failed_left_in_the_log_is_no_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that was full in the middle of a long write, and took a shorter one in its place."""
    first, long, short = make_event("first"), make_event("long", {"note": "x" * 100_000}), make_event("short")
    spool = make_spool(tmp_path / "life")
    queue = make_queue(spool)
    queue.put(first)
    assert spool.commit() is None
    shutil.copytree(tmp_path / "life", tmp_path / "other", ignore=shutil.ignore_patterns("*.lock", "*-shm"))
    queue.put(long)
    assert spool.commit() is None
    with closing(SpoolFile(next((tmp_path / "other" / "queues").glob("*.db")))) as file:
        file.write([Record(Row(1, short.time, 10, encode_event(short)), ["sink"])])
        taken = Path(f"{file.path}-wal").read_bytes()
    directory = crash(spool, tmp_path / "after")
    log = next((directory / "queues").glob("*.db-wal"))
    left = log.read_bytes()[len(taken) : -FRAME]
    assert len(left) > 10 * FRAME
    log.write_bytes(taken + left)
    after = make_spool(directory)
    after.adopt()
    assert [event.name for event in drain(after)] == ["first", "short"]
    after.close()
    assert not is_reported(caplog)
