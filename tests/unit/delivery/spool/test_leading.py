"""Callers that wait in their threads commit for each other; what cannot be, the committer's thread does."""

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

import logweir
from logweir.delivery.commit_future import thread_future
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool.leading import kept, lead, leading
from logweir.delivery.spool.spool import Spool
from logweir.errors import AuditError
from logweir.testing.contract import make_event
from support.disk import drain, make_queue, make_spool, names, put_durably
from support.leading import COMMITTER, Disk, Hold, in_thread, started, stored, wait_for
from support.waiting import eventually

# -- who commits -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("running")
def test_a_caller_that_waits_in_a_thread_commits_there_for_all_its_sinks(disk: Disk) -> None:
    @logweir.audit_log("decorated", intent=True)
    def decorated() -> None:
        """Audited twice."""

    for _ in range(3):
        in_thread(lambda: logweir.audit_sync("a"))
    in_thread(decorated)
    assert disk.writers == ["caller"] * 5
    assert not kept


@pytest.mark.usefixtures("running")
def test_the_main_thread_and_loops_leave_their_commits_to_the_committer(disk: Disk) -> None:
    logweir.audit_sync("a")
    in_thread(lambda: asyncio.run(logweir.audit("a")))  # type: ignore[arg-type]
    in_thread(lambda: logweir.audit_sync("a", acknowledge="accepted"))
    eventually(lambda: disk.writers == [COMMITTER] * 3)


def test_a_caller_commits_what_others_have_staged(queue: DiskQueue, disk: Disk) -> None:
    def work() -> None:
        with leading():
            durable = [put_durably(queue, make_event(name))[1] for name in ("one", "other")]
            assert not any(done.done() for done in durable)
            lead(10.0)
            assert all(done.done() for done in durable)

    in_thread(work)
    assert disk.writers == ["caller"]


def test_a_caller_that_leads_does_not_wake_the_committer_before_it_waits(
    queue: DiskQueue, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    monkeypatch.setattr(spool._committer, "_wake", lambda: woken.append(1))

    def work() -> None:
        with leading():
            put_durably(queue, make_event())
            queue.ensure_awake()
            assert not woken
            lead(10.0)

    in_thread(work)


def test_where_many_wait_at_once_the_committer_commits_for_them(queue: DiskQueue, disk: Disk) -> None:
    """Otherwise the first who is answered, and comes again, would go ahead alone, and all others wait for it."""

    def many() -> list[BaseException | None]:
        with leading():
            durable = [put_durably(queue, make_event())[1] for _ in range(9)]
            lead(10.0)
            return [done.exception(10.0) for done in durable]

    assert in_thread(many) == [None] * 9
    assert [in_thread(lambda: wait_for(queue)) for _ in range(2)] == [None, None]
    assert disk.writers == [COMMITTER, COMMITTER, "caller"]


def test_the_first_file_is_made_by_the_committer(tmp_path: Path, disk: Disk) -> None:
    spool = make_spool(tmp_path, threaded=True)
    assert in_thread(lambda: wait_for(make_queue(spool))) is None
    assert disk.writers == [COMMITTER]
    spool.close()


def test_what_nobody_waits_for_is_the_committers_at_once(queue: DiskQueue, disk: Disk) -> None:
    def work() -> None:
        with leading():
            queue.put(make_event("a log line, by code that an audit call asks"))
            eventually(lambda: disk.writers == [COMMITTER])

    in_thread(work)


# -- nobody waits for a commit that nobody makes ---------------------------------------------------------


def test_who_comes_while_another_commits_is_committed_by_the_committer(queue: DiskQueue, disk: Disk) -> None:
    disk.before = hold = Hold()
    first = started(lambda: wait_for(queue, "first"), "first")
    assert hold.inside.wait(10.0)
    others = [started(lambda: wait_for(queue, "other"), "other") for _ in range(8)]
    eventually(lambda: queue.mark() == 10)
    hold.go_on.set()
    assert [done.result(10.0) for done in [first, *others]] == [None] * 9
    assert disk.writers[0] == "first"
    assert COMMITTER in disk.writers
    assert len(disk.writers) < 9


@pytest.mark.parametrize("leads", [True, False])
def test_what_is_queued_when_a_leader_has_looked_and_not_yet_left_is_committed(
    queue: DiskQueue, spool: Spool, monkeypatch: pytest.MonkeyPatch, *, leads: bool
) -> None:
    """It has its answer and still the lock; who comes now must not count on it."""
    hold, io = Hold(), spool._io

    class Held:
        acquire = io.acquire

        def release(self) -> None:
            if threading.current_thread().name == "first":
                hold()
            io.release()

        def __enter__(self) -> None:
            io.acquire()

        def __exit__(self, *_: object) -> None:
            io.release()

    monkeypatch.setattr(spool, "_io", Held())
    first = started(lambda: wait_for(queue, "first"), "first")
    assert hold.inside.wait(10.0)
    durable: list[Future[None]] = []

    def come() -> None:
        with leading(waits=leads):
            durable.append(put_durably(queue, make_event("late"))[1])
            lead(10.0)

    in_thread(come)
    hold.go_on.set()
    assert first.result(10.0) is None
    assert durable[0].exception(10.0) is None


def test_a_leader_that_had_no_room_for_its_own_event_wakes_the_committer(
    queue: DiskQueue, spool: Spool, disk: Disk
) -> None:
    spool._writer.most = 1

    def work() -> list[BaseException | None]:
        with leading():
            durable = [put_durably(queue, make_event(name))[1] for name in "abcd"]
            lead(10.0)
            return [done.exception(10.0) for done in durable]

    assert in_thread(work) == [None] * 4
    assert disk.writers[:2] == ["caller", COMMITTER]


def test_an_event_whose_caller_raises_before_it_waits_is_committed_all_the_same(queue: DiskQueue) -> None:
    durable = []

    def work() -> None:
        with leading():
            durable.append(put_durably(queue, make_event())[1])
            raise KeyError

    with pytest.raises(KeyError):
        in_thread(work)
    assert durable[0].exception(10.0) is None
    assert not kept


def test_who_waits_for_anything_else_before_is_committed_meanwhile(spool: Spool, queue: DiskQueue) -> None:
    """For room in another queue, or on an event loop of its own."""
    full = make_queue(spool, "full", "block", max_events=1)
    put_durably(full, make_event("fills it"))[1].result(10.0)

    def work() -> None:
        with leading():
            _, done = put_durably(queue, make_event("one"))
            waits = started(lambda: done.result(10.0))
            full_again = full.put(make_event("other"))  # waits for its time
            assert waits.result(10.0) is None, full_again

    full._block_timeout = 60.0
    put = started(work)
    eventually(lambda: queue.statistics().depth == 2 and not spool.has_staged)
    full.close()
    put.result(10.0)


@pytest.mark.usefixtures("running")
def test_a_loop_within_an_audit_call_is_not_left_waiting() -> None:
    runtime = logweir.current()
    assert runtime is not None

    def work() -> None:
        with leading():
            assert logweir.flush(10.0)
            eventually(lambda: not any(spool.has_removals for spool in runtime._reload.spools))
            asyncio.run(logweir.audit("inner", timeout=5))  # type: ignore[arg-type]

    in_thread(work)


# -- interruptions ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("running")
def test_a_finaliser_that_audits_in_the_middle_of_a_commit_does_not_wait_for_itself(disk: Disk) -> None:
    refused = []

    def finalise() -> None:
        disk.before = lambda: None
        with pytest.raises(AuditError, match="cannot be waited for where it was") as error:
            logweir.audit_sync("inner")
        refused.append(error)
        logweir.audit_sync("accepted", acknowledge="accepted")

    disk.before = finalise
    in_thread(lambda: logweir.audit_sync("outer"))
    assert len(refused) == 1
    assert logweir.flush(10.0)
    assert stored() == ["accepted", "first", "inner", "outer"]
    assert not kept


def test_who_comes_in_the_middle_of_its_own_threads_commit_leaves_it_to_the_committer(
    queue: DiskQueue, disk: Disk
) -> None:
    durable = []

    def finalise() -> None:
        disk.before = lambda: None
        with leading():
            durable.append(put_durably(queue, make_event("inner"))[1])
            lead(10.0)
        assert len(disk.writers) == 1

    disk.before = finalise
    assert in_thread(lambda: wait_for(queue)) is None
    assert durable[0].exception(10.0) is None


@pytest.mark.parametrize("where", ["before", "after", "note", "answer"])
def test_a_commit_that_is_cut_off_loses_nothing_and_everybody_is_answered(
    queue: DiskQueue, spool: Spool, disk: Disk, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """As by a time limit that raises into the thread."""

    def cut_off(_error: object = None) -> list[int]:
        disk.before = disk.after = lambda: None
        if not cuts:
            cuts.append(1)
            raise KeyboardInterrupt
        return []

    def nothing(_error: OSError | None) -> None:
        """Nobody waits."""

    cuts: list[int] = []
    done, on_durable = thread_future()

    def work() -> None:
        with leading():
            queue.put(make_event("own"), cut_off if where == "answer" else nothing)  # type: ignore[arg-type]
            queue.put(make_event("other's"), on_durable)
            if where in {"before", "after"}:
                setattr(disk, where, cut_off)
            elif where == "note":
                monkeypatch.setattr(spool.backlog("sink"), "pay", cut_off)
            lead(10.0)

    with pytest.raises(KeyboardInterrupt):
        in_thread(work)
    assert done.exception(10.0) is None
    assert queue.statistics().depth == 3
    eventually(lambda: spool.backlog("sink").available == 3)
    assert names(drain(spool)) == ["first", "own", "other's"]
    assert spool.flush()


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_keyboard_interrupt_inside_the_last_commit_loses_nothing(
    tmp_path: Path, disk: Disk, where: str
) -> None:
    spool = make_spool(tmp_path)
    queue = make_queue(spool)
    queue.put(make_event("one"))

    def interrupt() -> None:
        disk.before = disk.after = lambda: None
        raise KeyboardInterrupt

    setattr(disk, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        spool.close()
    assert spool.close()
    heir = make_spool(tmp_path)
    assert heir.adopt() == 1
    heir.close()
