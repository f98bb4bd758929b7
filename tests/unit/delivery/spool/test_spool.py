"""The spool: what is durable when, for whom, and what remains."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from logweir.delivery.commit_future import commit_future
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.elsewhere.source import Source
from logweir.delivery.queue import DropReason, PutResult
from logweir.delivery.set_aside import PutOff
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.spool_file import FORMAT, Record, Row, SpoolFile
from logweir.delivery.spool.unconfigured import dead_letter_unconfigured
from logweir.encoding.events import encode_event
from logweir.testing.contract import make_event
from support.disk import crash, drain, lease, lease_aside, make_queue, make_spool, names, put_durably, sized


def rows(directory: Path, table: str) -> int:
    (path,) = (directory / "queues").glob("*.db")
    with sqlite3.connect(path) as connection:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return count


def test_a_put_does_no_io_before_the_commit(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    make_queue(spool).put(make_event())
    assert not (tmp_path / "queues").exists()
    spool.close()


@pytest.mark.wound("kubernetes #53006")
def test_one_commit_serves_everybody_who_waits(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    outcomes: list[OSError | None] = []
    for _ in range(64):
        queue.put(make_event(), outcomes.append)
    assert not outcomes
    assert spool.commit() is None
    assert outcomes == [None] * 64
    spool.close()


def test_an_event_for_three_sinks_is_kept_once_until_the_last_has_it(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    event = make_event("shared")
    for sink in "abc":
        make_queue(spool, sink).put(event)
    spool.commit()
    assert (rows(tmp_path, "bodies"), rows(tmp_path, "pending")) == (1, 3)
    for sink in "ab":
        assert drain(spool, sink) == [event]
    assert (rows(tmp_path, "bodies"), rows(tmp_path, "pending")) == (1, 1)
    assert drain(spool, "c") == [event]
    assert (rows(tmp_path, "bodies"), rows(tmp_path, "pending")) == (0, 0)
    spool.close()


def test_fan_out_never_changes_the_order_of_a_sink(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    first, second = make_event("first"), make_event("second")
    a, b = make_queue(spool, "a"), make_queue(spool, "b")
    a.put(first)
    b.put(second)
    b.put(first)
    spool.commit()
    assert names(drain(spool, "b")) == ["second", "first"]
    spool.close()


@pytest.mark.parametrize("window", [0, 3, 1000])
def test_what_does_not_fit_into_memory_is_read_back_in_order(tmp_path: Path, window: int) -> None:
    spool = make_spool(tmp_path, window=window)
    queue = make_queue(spool)
    sent = [sized(str(number), size=100) for number in range(500)]
    for number, event in enumerate(sent):
        queue.put(event)
        if number % 7 == 0:
            spool.commit()
    spool.commit()
    assert len(spool.backlog("sink").ready) <= max(window, 1)
    assert drain(spool) == sent
    assert queue.statistics().depth == 0
    spool.close()


def test_what_was_not_settled_is_delivered_by_the_next_process(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    for number in range(10):
        queue.put(make_event(str(number)))
    spool.commit()
    taken = lease(spool, count=4)
    assert taken is not None
    queue.settle(taken, taken.events[2:])
    spool.commit()
    lease(spool, count=3)
    second = make_spool(crash(spool, tmp_path / "after"))
    assert second.adopt() == 8
    assert names(drain(second)) == [str(number) for number in range(2, 10)]
    second.close()
    assert not list((tmp_path / "after" / "queues").iterdir())


def test_what_is_given_back_waits_in_its_old_place(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    for number in range(6):
        queue.put(make_event(str(number)))
    spool.commit()
    first, second = lease(spool, count=2), lease(spool, count=2)
    assert first is not None
    assert second is not None
    queue.settle(second, second.events)
    queue.settle(first, first.events[1:])
    assert names(drain(spool)) == ["1", "2", "3", "4", "5"]
    spool.close()


def test_an_empty_file_is_removed_at_the_close_and_a_full_one_stays(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    queue.put(make_event("kept"))
    assert spool.close()
    assert len(list((tmp_path / "queues").glob("*.db"))) == 1
    assert queue.put(make_event()) is PutResult.CLOSED
    after = make_spool(tmp_path)
    assert after.adopt() == 1
    assert names(drain(after)) == ["kept"]
    after.close()
    assert not list((tmp_path / "queues").iterdir())


@pytest.mark.wound("vector #18336")
@pytest.mark.parametrize("body", [b"\xff\x00", b"{}", b"[" * 100])
def test_a_row_that_cannot_be_decoded_becomes_a_dead_letter_and_blocks_nothing(
    tmp_path: Path, body: bytes
) -> None:
    spool = make_spool(tmp_path, window=0)
    queue = make_queue(spool)
    for name in ("before", "bad", "after"):
        queue.put(make_event(name))
    spool.commit()
    assert spool._current.file is not None
    spool._current.file._writer.execute("UPDATE bodies SET body = ? WHERE seq = 1", (body,))
    assert names(drain(spool)) == ["before", "after"]
    (letter,) = spool.dead_letters.read()
    assert (letter.sink, letter.body) == ("sink", body)
    assert "cannot be decoded" in letter.reason
    assert rows(tmp_path, "bodies") == 0
    assert queue.statistics().depth == 0
    spool.close()


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A file of three events that a process has left, of which the second was changed on the disk."""
    spool = make_spool(tmp_path)
    spool.save("sink", [make_event(name) for name in ("first", "second", "third")])
    file = spool._current.file
    assert file is not None
    file._writer.execute("UPDATE bodies SET body = CAST(replace(body, 'second', 'SECOND') AS BLOB)")
    return crash(spool, tmp_path / "later") / "queues"


def test_a_damaged_row_is_passed_only_when_it_has_a_dead_letter(damaged: Path, tmp_path: Path) -> None:
    (path,) = damaged.glob("*.db")
    nowhere = tmp_path / "blocked"
    nowhere.write_text("a file where the directory should be")
    source = Source(path, "sink", DeadLetters(nowhere))
    found = source.read(100, 2**30)
    assert names([taken.event for taken in found]) == ["first"]
    for taken in found:
        source.settle(taken.place)
    with pytest.raises(OSError, match="waits until its dead letter can be written"):
        source.read(100, 2**30)
    assert source.report()
    assert path.exists()
    nowhere.unlink()
    assert names([taken.event for taken in source.read(100, 2**30)]) == ["third"]
    assert len(DeadLetters(nowhere).read()) == 1
    source.close()


def test_a_full_disk_discards_no_file_with_a_damaged_row_that_has_no_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "blocked"
    spool = Spool(tmp_path / "queues", DeadLetters(nowhere), window=0, threaded=False)
    queue = make_queue(spool)
    queue.put(make_event("changed"))
    spool.commit()
    file = spool._current.file
    assert file is not None
    file._writer.execute("UPDATE bodies SET body = x'00'")
    nowhere.write_text("a file where the directory should be")
    assert lease(spool) is None
    queue.put(make_event("refused"), lambda _error: None)
    with monkeypatch.context() as patch:
        patch.setattr(SpoolFile, "write", _full)
        assert spool.commit() is not None
    assert file.path.exists()
    nowhere.unlink()
    assert drain(spool) == []
    assert [letter.body for letter in spool.dead_letters.read()] == [b"\0"]
    spool.close()


def test_events_of_a_sink_that_is_gone_become_dead_letters(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    for sink in ("kept", "gone"):
        make_queue(spool, sink).put(make_event(sink))
    spool.close()
    after = make_spool(tmp_path)
    after.adopt()
    assert dead_letter_unconfigured(after, ["kept"]) == 1
    (letter,) = after.dead_letters.read()
    assert (letter.sink, letter.reason) == ("gone", "sink 'gone' is not configured any more")
    assert names(drain(after, "kept")) == ["kept"]
    assert dead_letter_unconfigured(after, ["kept"]) == 0
    after.close()


def test_what_a_queue_is_open_for_is_given_up_by_nobody_whose_list_of_sinks_is_older(tmp_path: Path) -> None:
    """A reload brings a sink while what a dead process left is taken over, which takes a while."""
    spool = make_spool(tmp_path, window=1)
    queue = make_queue(spool, "new")
    for number in range(3):
        queue.put(make_event(str(number)))
    spool.commit()
    taken = lease(spool, "new", 1)
    assert taken is not None
    queue.settle(taken, put_off=[PutOff([(taken.events[0], 1)], 3600.0, "later")])
    assert dead_letter_unconfigured(spool, ["old"]) == 0
    assert (queue.statistics().depth, queue.statistics().set_aside) == (3, 1)
    queue.close()
    assert dead_letter_unconfigured(spool, ["old"]) == 3
    spool.close()


def test_what_waited_in_memory_can_be_saved_for_the_next_start(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.save("memory", [make_event(str(number)) for number in range(10_000)])
    spool.close()
    after = make_spool(tmp_path)
    after.adopt()
    assert names(drain(after, "memory")) == [str(number) for number in range(10_000)]
    after.commit()
    assert rows(tmp_path, "bodies") == 0
    after.close()


def test_a_closed_spool_says_what_it_could_not_commit(tmp_path: Path) -> None:
    (tmp_path / "queues").touch()
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    queue.put(make_event("lost"))
    assert not spool.close()
    assert names(spool.give_up("sink")) == ["lost"]
    assert queue.statistics().depth == 0
    with pytest.raises(OSError, match="closed"):
        spool.save("sink", [make_event()])


def test_a_queue_of_another_directory_is_moved_over(tmp_path: Path) -> None:
    before, after = make_spool(tmp_path / "before"), make_spool(tmp_path / "after")
    make_queue(before).put(make_event("moved"))
    before.close()
    assert after.adopt(before.directory) == 1
    assert names(drain(after)) == ["moved"]
    after.close()


def test_dropping_the_oldest_also_drops_it_on_disk(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, window=2)
    queue = make_queue(spool, when_full="drop_oldest", max_events=5)
    for number in range(20):
        queue.put(sized(str(number), size=10))
        spool.commit()
    spool.commit()
    spool.commit()
    assert queue.statistics().depth == 5
    assert queue.statistics().size == 50
    assert queue.statistics().dropped == {DropReason.QUEUE_FULL_OLDEST: 15}
    assert rows(tmp_path, "bodies") == 5
    assert names(drain(spool)) == [str(number) for number in range(15, 20)]
    spool.close()


@pytest.mark.wound("serilog-sinks-elasticsearch #179")
def test_the_bounds_count_what_is_on_disk(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, window=0)
    queue = make_queue(spool, max_events=10, max_bytes=1024)
    results = []
    for _ in range(12):
        results.append(queue.put(sized("event", size=200)))
        spool.commit()
    assert results.count(PutResult.ACCEPTED) == 6
    drain(spool)
    assert queue.put(make_event()) is PutResult.ACCEPTED
    spool.close()


def test_a_queue_that_waits_for_a_slow_disk_is_full_before_memory_is(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, staged_bytes=1000)
    queue = make_queue(spool, when_full="drop_oldest")
    results = [queue.put(sized("event", size=100)) for _ in range(15)]
    assert results.count(PutResult.ACCEPTED) == 10
    spool.commit()
    assert queue.put(make_event()) is PutResult.ACCEPTED
    spool.close()


def test_an_event_that_is_not_json_fails_alone(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    outcomes: list[OSError | None] = []
    queue.put(make_event("good"))
    queue.put(make_event("bad", {"value": object()}), outcomes.append)
    assert spool.commit() is None
    assert isinstance(outcomes[0], OSError)
    assert names(drain(spool)) == ["good"]
    spool.close()


def test_a_file_of_another_format_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "queues").mkdir()
    path = tmp_path / "queues" / "1-0000.db"
    SpoolFile(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={FORMAT + 1}")
    connection.close()
    spool = make_spool(tmp_path)
    assert spool.adopt() == 0
    assert path.exists()
    spool.close()


def test_a_file_of_the_format_before_is_brought_up_and_taken_over(tmp_path: Path) -> None:
    (tmp_path / "queues").mkdir()
    path = tmp_path / "queues" / "1-0000.db"
    event = make_event("older")
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE bodies (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, size INTEGER NOT NULL, "
            "body BLOB NOT NULL);"
            "CREATE TABLE pending (sink TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (sink, seq)) "
            "WITHOUT ROWID;"
            "PRAGMA user_version=1;"
        )
        connection.execute("INSERT INTO bodies VALUES (3, ?, 10, ?)", (event.time, encode_event(event)))
        connection.execute("INSERT INTO pending VALUES ('sink', 3)")
    connection.close()
    spool = make_spool(tmp_path)
    assert spool.adopt() == 1
    assert names(drain(spool)) == ["older"]
    spool.close()


def test_an_event_that_the_disk_has_changed_becomes_a_dead_letter_and_is_not_delivered(
    tmp_path: Path,
) -> None:
    spool = make_spool(tmp_path, window=0)
    queue = make_queue(spool)
    for name in ("before", "good name", "after"):
        queue.put(make_event(name))
    spool.commit()
    assert spool._current.file is not None
    spool._current.file._writer.execute(
        "UPDATE bodies SET body = CAST(replace(CAST(body AS TEXT), 'good', 'evil') AS BLOB)"
    )
    assert names(drain(spool)) == ["before", "after"]
    (letter,) = spool.dead_letters.read()
    assert "changed on the disk" in letter.reason
    assert b"evil name" in letter.body
    spool.close()


def test_statistics_give_the_age_of_the_oldest(tmp_path: Path) -> None:
    for window in (0, 10):
        spool = make_spool(tmp_path / str(window), window=window)
        queue = make_queue(spool)
        assert queue.statistics().oldest == 0.0
        queue.put(make_event(time_ns=0))
        assert queue.statistics().oldest > 1e9
        spool.commit()
        assert queue.statistics().oldest > 1e9
        spool.close()


def test_an_adopted_row_is_written_once_for_all_its_sinks(tmp_path: Path) -> None:
    (tmp_path / "queues").mkdir()
    file = SpoolFile(tmp_path / "queues" / "1-0000.db")
    file.write([Record(Row(9, 1, 10, b"{}"), ["a", "b"])])
    file.close()
    spool = make_spool(tmp_path)
    assert spool.adopt() == 1
    assert (rows(tmp_path, "bodies"), rows(tmp_path, "pending")) == (1, 2)
    spool.close()


async def test_a_commit_can_be_awaited_on_any_loop(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, threaded=True)
    queue = make_queue(spool)

    async def put_some() -> int:
        for _ in range(20):
            future, on_durable = commit_future()
            queue.put(make_event(), on_durable)
            await asyncio.wait_for(future, 5.0)
        return 20

    on_another_loop = asyncio.to_thread(lambda: asyncio.run(put_some()))
    assert sum(await asyncio.gather(on_another_loop, *(put_some() for _ in range(8)))) == 180
    result, done = put_durably(queue, make_event())
    assert result is PutResult.ACCEPTED
    await asyncio.wait_for(asyncio.wrap_future(done), 5.0)
    assert queue.statistics().depth == 181
    await asyncio.to_thread(spool.close)


async def test_many_threads_and_a_consumer_that_falls_behind_lose_nothing(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    spool = make_spool(tmp_path, threaded=True, window=50)
    queue = make_queue(spool, "sink", "block", wake=loop.call_soon_threadsafe)
    sent = [[make_event(f"{thread}.{number}") for number in range(500)] for thread in range(8)]

    def produce(events: list) -> None:
        for event in events:
            queue.put(event)

    async def consume() -> list:
        taken = []
        while found := await queue.take(37, 2**20, 0.001):
            taken += names(list(found.events))
            queue.settle(found)
        return taken

    consumers = [asyncio.create_task(consume()) for _ in range(3)]
    await asyncio.gather(*(asyncio.to_thread(produce, events) for events in sent))
    await asyncio.wait_for(queue.settled_up_to(queue.mark()), 20.0)
    assert queue.statistics().depth == 0
    queue.close()
    taken = [name for part in await asyncio.gather(*consumers) for name in part]
    assert sorted(taken) == sorted(event.name for events in sent for event in events)
    await asyncio.to_thread(spool.close)
    assert not list((tmp_path / "queues").iterdir())


async def test_a_replaced_queue_leaves_the_rest_to_its_successor(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    spool = make_spool(tmp_path, threaded=True)
    old = make_queue(spool, wake=loop.call_soon_threadsafe)
    for number in range(10):
        old.put(make_event(str(number)))
    first = await old.take(4, 2**20, 0.0)
    assert first is not None
    new = make_queue(spool, wake=loop.call_soon_threadsafe)
    old.close()
    assert await asyncio.wait_for(old.take(4, 2**20, 3600.0), 5.0) is None
    old.settle(first, first.events[2:])
    second = await new.take(100, 2**20, 0.05)
    assert second is not None
    assert names(list(second.events)) == [str(number) for number in range(2, 10)]
    new.settle(second)
    await asyncio.to_thread(spool.close)
    assert not list((tmp_path / "queues").iterdir())


def test_a_put_inside_a_put_of_the_same_thread_does_not_deadlock(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    with spool.lock:
        assert queue.put(make_event()) is PutResult.ACCEPTED
    spool.close()


@pytest.mark.busy
def test_deletions_alone_are_committed_after_a_moment(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, threaded=True)
    queue = make_queue(spool)
    queue.put(make_event())
    assert spool.flush(5.0)
    taken = lease(spool)
    assert taken is not None
    removed = threading.Event()
    spool.rest = removed.set  # type: ignore[method-assign]
    queue.settle(taken)
    assert removed.wait(5.0)
    assert rows(tmp_path, "bodies") == 0
    spool.close()


def test_a_full_disk_costs_nothing_of_what_is_set_aside(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    queue.put(make_event("waits"))
    spool.commit()
    taken = lease(spool)
    assert taken is not None
    queue.settle(taken, put_off=[PutOff([(taken.events[0], 1)], 0.0, "closed")])
    assert spool._current.file is not None
    spool._current.file._writer.execute("PRAGMA max_page_count = 1")  # no more than it has
    queue.put(make_event("large", text="x" * 100_000))
    assert spool.commit() is not None
    again = lease_aside(spool)
    assert again is not None
    assert names(list(again.events)) == ["waits"]
    spool.close()


def test_what_was_set_aside_and_is_lost_with_its_file_is_counted_as_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    for name in ("kept", "lost"):
        queue.put(make_event(name))
    spool.commit()
    taken = lease(spool)
    assert taken is not None
    queue.settle(taken, put_off=[PutOff([(event, 1) for event in taken.events], 0.0, "closed")])
    file = spool._current.file
    assert file is not None
    file._writer.execute("DELETE FROM bodies WHERE seq = (SELECT max(seq) FROM pending)")
    spool._found_damaged(file, OSError("found by a test"))
    queue.put(make_event("after"))
    assert spool.commit() is None
    assert "events lost: 1" in caplog.text
    assert queue.statistics().set_aside == 1
    again = lease_aside(spool)
    assert again is not None
    assert names(list(again.events)) == ["kept"]
    spool.close()


@pytest.mark.parametrize("position", [0, 3, 9])
def test_c1_an_event_that_no_file_takes_fails_alone(tmp_path: Path, position: int) -> None:
    """The rest of its commit is durable, and nobody is left waiting."""
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    outcomes: dict[str, OSError | None] = {}
    sent = [sized(str(number), size=-(2**70) if number == position else 100) for number in range(10)]
    for event in sent:
        queue.put(event, lambda error, event=event: outcomes.__setitem__(event.name, error))  # type: ignore[misc]
    while spool.has_staged:
        assert spool.commit() is None
    refused = outcomes.pop(str(position))
    assert refused is not None
    assert "cannot be written" in str(refused)
    assert list(outcomes.values()) == [None] * 9
    assert drain(spool) == [event for event in sent if event.name != str(position)]
    spool.close()


def test_a_thread_with_the_number_of_an_ended_committer_is_not_taken_for_it(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, threaded=True)
    make_queue(spool).put(make_event())
    spool.close()
    found: list[bool] = []
    for _ in range(20):  # the system gives the numbers of ended threads to new ones, mostly at once
        thread = threading.Thread(target=lambda: found.append(spool.is_interrupted()))
        thread.start()
        thread.join()
    assert found == [False] * 20


@pytest.mark.parametrize("disk", ["well", "full"])
def test_what_two_threads_commit_is_noted_in_the_order_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: str
) -> None:
    """An event whose commit was noted after that of a newer one was taken for read: it waited for the next start."""
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    queue.put(make_event("first"))
    method = "_finish" if disk == "well" else "_put_back"
    note = getattr(spool, method)

    def commit_newer() -> None:
        if spool._io.acquire(blocking=False):  # as the committer does, while another thread saves something
            spool._io.release()
            monkeypatch.undo()
            spool.commit()

    def interrupted(*arguments: Any) -> Any:
        monkeypatch.setattr(spool, method, note)
        queue.put(make_event("second"))
        thread = threading.Thread(target=commit_newer)
        thread.start()
        thread.join()
        return note(*arguments)

    monkeypatch.setattr(spool, method, interrupted)
    if disk == "full":
        monkeypatch.setattr(SpoolFile, "write", _full)
    spool.commit()
    monkeypatch.undo()
    spool.commit()
    assert names(drain(spool)) == ["first", "second"]
    spool.close()


def _full(*_: object) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


def test_rows_of_the_only_sink_are_removed_and_those_of_no_other(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "queue.db")
    file.write([Record(Row(seq, 1, 10, b"{}"), ["a"]) for seq in range(5)])
    file.write([], [("a", 3), ("a", 0), ("a", 1)])
    file.write([], [("b", 2), ("b", 4)])
    assert [record.row.seq for record in file.first(10, 1000)] == [2, 4]
    file.write([Record(Row(5, 1, 10, b"{}"), ["a", "b"])], [("a", 2)])
    file.write([], [("a", 5)])
    assert [(record.row.seq, record.sinks) for record in file.first(10, 1000)] == [(4, ["a"]), (5, ["b"])]
    file.close()


def test_rows_are_removed_where_they_were_settled_and_nowhere_else(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "queue.db")
    sinks = [["a"], ["a", "b"], ["a", "b"], ["b"], ["a"]]
    file.write([Record(Row(seq, 1, 10, b"{}"), names) for seq, names in enumerate(sinks)])
    file.write([], [("a", 4), ("a", 1), ("a", 0), ("b", 3), ("b", 2)])
    left = {record.row.seq: record.sinks for record in file.first(10, 1000)}
    assert left == {1: ["b"], 2: ["a"]}
    file.write([], [("b", 1), ("a", 2)])
    assert file.is_empty()
    assert not file.first(10, 1000)
    file.close()


@pytest.mark.parametrize("rows", [1, 500], ids=["some", "all"])
def test_what_a_consumer_reads_before_its_commit_is_noted_counts_once(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = make_spool(tmp_path, window=1)
    queue, backlog = make_queue(spool), spool.backlog("sink")
    events = [make_event(str(number)) for number in range(6)]
    for event in events[:3]:
        queue.put(event)
    spool.commit()  # one in memory, two on disk alone
    write = SpoolFile.write

    def writing(file: SpoolFile, *arguments: Any) -> None:
        write(file, *arguments)
        spool.read(backlog, rows, 2**30)

    monkeypatch.setattr(SpoolFile, "write", writing)
    for event in events[3:]:
        queue.put(event)
    spool.commit()
    monkeypatch.undo()
    assert (backlog.depth, backlog.available, backlog.size) == (6, 6, sum(event.size for event in events))
    assert drain(spool) == events
    assert (backlog.depth, backlog.available, backlog.size, backlog.is_needed) == (0, 0, 0, False)
    spool.close()


def test_what_a_consumer_reads_while_the_file_is_asked_for_the_oldest_is_not_dropped_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = make_spool(tmp_path, window=0)
    queue = make_queue(spool, when_full="drop_oldest", max_events=8)
    for number in range(9):
        queue.put(make_event(str(number), size=1000))
        spool.commit()
    queue.put(make_event("9", size=1000))  # another one is to be dropped, on the disk
    oldest, taken = SpoolFile.oldest, []

    def asked(file: SpoolFile, *arguments: Any) -> list[tuple[int, int]]:
        answer = oldest(file, *arguments)
        if not taken:
            spool.read(spool.backlog("sink"), 4, 4000)
            taken.append(spool.backlog("sink").lease(500, 2**30))
            for number in range(10, 15):
                queue.put(make_event(str(number), size=1000))
        return answer

    monkeypatch.setattr(SpoolFile, "oldest", asked)
    spool.commit()
    monkeypatch.undo()
    (first,) = taken
    later = drain(spool)
    assert not {event.id for event in first.events} & {event.id for event in later}
    queue.settle(first)
    dropped = queue.statistics().dropped[DropReason.QUEUE_FULL_OLDEST]
    assert len(first.events) + len(later) + dropped == 15
    assert queue.statistics().depth == 0
    spool.close()
