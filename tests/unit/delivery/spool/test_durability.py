"""What the disk queue and the dead letters answer is true: on disk, or the caller still has it."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.delivery.dead_letters.database import connect
from logweir.delivery.queue import QueueStatistics
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.spool.former_directories import note
from logweir.delivery.spool.spool import Spool
from logweir.settings.delivery import QueueConfig
from logweir.testing.contract import make_event
from support.disk import drain, lease, make_queue, make_spool, names


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = make_spool(tmp_path)
    yield made
    made.close()


def fill_the_disk(spool: Spool) -> None:
    """What is there already has room, and no more, until the file is opened anew."""
    assert spool._current.file is not None
    spool._current.file._writer.execute("PRAGMA max_page_count = 1")


def opened(spool: Spool) -> Any:
    make_queue(spool).put(make_event("first"))
    assert spool.commit() is None
    drain(spool)
    return spool._current.file


LARGE = "x" * 100_000


# -- the settings that a commit's promise rests on ------------------------------------------------------


def test_a_commit_is_synchronised_with_the_disk(spool: Spool, tmp_path: Path) -> None:
    letters = connect(tmp_path / "letters.db")
    for connection in (opened(spool)._writer, letters):
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        (fullfsync,) = connection.execute("PRAGMA fullfsync").fetchone()
        assert (synchronous, fullfsync) == (2, 1)  # FULL
    letters.close()
    assert spool._current.file is not None
    assert spool._current.file._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_nobody_else_may_look_into_the_directories(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        spool = make_spool(tmp_path / "a")
        opened(spool)
        DeadLetters(tmp_path / "b").add([DeadLetter.of_event("out", "no", make_event())])
        note(tmp_path / "c" / "queues", tmp_path / "former")
        spool.close()
    finally:
        os.umask(before)
    (letters,) = (tmp_path / "b").rglob("*.db")
    for path in (tmp_path / "a" / "queues", letters.parent, letters, tmp_path / "c" / "queues"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


# -- the answer to who saves, waits, or neither ----------------------------------------------------------


def test_who_saves_events_that_the_disk_does_not_take_still_has_them(spool: Spool) -> None:
    opened(spool)
    fill_the_disk(spool)
    with pytest.raises(OSError, match="full"):
        spool.save("out", [make_event("a", text=LARGE), make_event("b")])
    assert not spool.has_staged
    assert spool.backlog("out").depth == 0


@pytest.mark.parametrize("why", ["the disk is full", "it is not JSON"])
def test_who_waits_learns_of_the_failure_and_the_event_is_gone_from_the_counts(
    spool: Spool, why: str
) -> None:
    opened(spool)
    queue, answers = make_queue(spool), list[OSError | None]()
    before = queue.statistics()
    if why == "the disk is full":
        fill_the_disk(spool)
        queue.put(make_event("a", text=LARGE), answers.append)
    else:
        queue.put(make_event("a", value=object()), answers.append)
    spool.commit()
    assert isinstance(answers[0], OSError)
    now = queue.statistics()
    assert (now.depth, now.in_flight, now.size) == (0, 0, 0)
    assert (before.depth, before.size) == (0, 0)
    # "Failed" never turns into "delivered".
    spool.commit()
    assert drain(spool) == []
    queue.put(make_event("b"))
    spool.commit()
    assert names(drain(spool)) == ["b"]
    assert queue.statistics().depth == 0


def test_what_nobody_waits_for_is_kept_and_committed_when_there_is_room(spool: Spool) -> None:
    opened(spool)
    queue = make_queue(spool)
    fill_the_disk(spool)
    queue.put(make_event("a", text=LARGE))
    assert spool.commit() is not None
    assert queue.statistics().depth == 1
    assert spool.commit() is None
    assert names(drain(spool)) == ["a"]


async def test_a_flush_ends_when_what_it_waited_for_has_failed(tmp_path: Path) -> None:
    spool = await asyncio.to_thread(make_spool, tmp_path)
    await asyncio.to_thread(opened, spool)
    queue = make_queue(spool, wake=asyncio.get_running_loop().call_soon_threadsafe)
    fill_the_disk(spool)
    queue.put(make_event("a", text=LARGE), lambda _error: None)
    settled = asyncio.create_task(queue.settled_up_to(queue.mark()))
    await asyncio.sleep(0)
    assert not settled.done()
    assert await asyncio.to_thread(spool.commit) is not None
    await asyncio.wait_for(settled, 10.0)
    await asyncio.to_thread(spool.close)


async def test_a_flush_ends_when_what_waited_in_memory_is_handed_over() -> None:
    queue = MemoryQueue(QueueConfig(), "block", asyncio.get_running_loop().call_soon_threadsafe)
    event = make_event()
    queue.put(event)
    settled = asyncio.create_task(queue.settled_up_to(queue.mark()))
    await asyncio.sleep(0)
    assert not settled.done()
    assert queue.remove_unsaved() == [event]
    await asyncio.wait_for(settled, 10.0)


def test_a_flush_of_the_spool_wakes_the_committer(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, threaded=True)
    with spool.lock:
        spool.stage(spool.backlog("out"), make_event("a"))  # whoever stages nudges later
    assert spool.flush(20.0)
    assert not spool.has_staged
    spool.close()


# -- damage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", range(7))
def test_a_damaged_file_costs_none_of_what_can_be_read_of_it_wherever_reading_was(
    tmp_path: Path, read: int, caplog: pytest.LogCaptureFixture
) -> None:
    spool = make_spool(tmp_path, window=0)
    queue = make_queue(spool)
    for number in range(6):
        queue.put(make_event(str(number)))
    spool.commit()
    taken = lease(spool, count=read) if read else None
    if taken is not None:
        queue.settle(taken)
    file = spool._current.file
    assert file is not None
    spool._found_damaged(file, OSError("found by a test"))
    queue.put(make_event("after"))
    assert spool.commit() is None
    assert "events lost: 0" in caplog.text
    assert queue.statistics().depth == 6 - read + 1
    assert names(drain(spool)) == [*(str(number) for number in range(read, 6)), "after"]
    spool.close()
    assert not list((tmp_path / "queues").glob("*.db"))


def test_what_is_lost_with_a_damaged_file_is_counted_and_waits_no_longer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = make_spool(tmp_path, window=0)
    queue = make_queue(spool)
    for number in range(4):
        queue.put(make_event(str(number)))
    spool.commit()
    file = spool._current.file
    assert file is not None
    file._writer.execute("DELETE FROM bodies WHERE seq = (SELECT max(seq) FROM bodies)")
    spool._found_damaged(file, OSError("found by a test"))
    assert spool.commit() is None
    assert "events lost: 1" in caplog.text
    assert queue.statistics().depth == 3
    assert names(drain(spool)) == ["0", "1", "2"]
    assert queue.statistics().depth == 0
    spool.close()


# -- dead letters ----------------------------------------------------------------------------------------


def test_a_dead_letter_that_cannot_be_written_is_still_its_callers(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path)
    letters.add([DeadLetter.of_event("out", "no", make_event("first"))])
    (path,) = tmp_path.rglob("*.db")
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TRIGGER no_room BEFORE INSERT ON dead_letters WHEN new.reason = 'second' BEGIN"
            " SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    connection.close()
    with pytest.raises(OSError, match="full"):
        letters.add([DeadLetter.of_event("out", reason, make_event()) for reason in ("third", "second")])
    assert [letter.reason for letter in letters.read()] == ["no"]
    letters.add([DeadLetter.of_event("out", "third", make_event())])
    assert [letter.reason for letter in letters.read()] == ["no", "third"]


def test_the_counts_of_a_queue_whose_puts_wait_for_the_disk_are_those_of_its_events(spool: Spool) -> None:
    queue = make_queue(spool, max_events=100, max_bytes=1_000_000)
    sent = [make_event(str(number), text="x" * number) for number in range(5)]
    for event in sent:
        queue.put(event)
    expected = sum(event.size for event in sent)
    for _ in range(2):
        now: QueueStatistics = queue.statistics()
        assert (now.depth, now.size, now.accepted) == (5, expected, 5)
        spool.commit()
    drain(spool)
    assert queue.statistics().size == 0
