"""Callers that lead, on disks that fail, at a fork, a reload and a stop."""

import json
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool import writing
from logweir.delivery.spool.leading import kept, leading
from logweir.delivery.spool.spool import Spool
from logweir.errors import AuditError
from logweir.process.fork_gate import gate
from logweir.testing.contract import make_event
from support.disk import drain, names, put_durably
from support.leading import COMMITTER, Disk, Hold, config, in_thread, started, stored, wait_for
from support.waiting import eventually

# -- disks -----------------------------------------------------------------------------------------------


def test_callers_in_a_loop_do_not_turn_a_full_disk_into_a_busy_one(
    queue: DiskQueue, spool: Spool, disk: Disk
) -> None:
    def full() -> None:
        raise OSError("disk full")

    disk.before = full
    answers: Any = in_thread(lambda: [wait_for(queue) for _ in range(4)])
    assert all(isinstance(answer, OSError) for answer in answers)
    # The committer pauses before each of its attempts.
    assert disk.writers == ["caller", COMMITTER, COMMITTER, COMMITTER]
    eventually(lambda: not spool._committer._failing)
    began = time.monotonic()
    assert isinstance(in_thread(lambda: wait_for(queue)), OSError)
    eventually(lambda: not spool._committer._failing, pause=0.001)
    assert time.monotonic() - began >= 0.05  # before the next one may lead
    disk.before = lambda: None

    def leads() -> bool:
        disk.writers.clear()
        return in_thread(lambda: wait_for(queue)) is None and disk.writers == ["caller"]

    eventually(leads)


@pytest.mark.usefixtures("running")
def test_a_disk_that_hangs_from_one_commit_to_the_next_holds_one_caller_and_no_other(disk: Disk) -> None:
    disk.before = hold = Hold()
    held = started(lambda: logweir.audit_sync("held"), "held")
    assert hold.inside.wait(10.0)
    with pytest.raises(AuditError, match=r"was not durable within 0.05 s"):
        in_thread(lambda: logweir.audit_sync("other", timeout=0.05))
    assert not held.done()
    hold.go_on.set()
    held.result(10.0)
    assert logweir.flush(10.0)
    assert stored() == ["first", "held", "other"]


def test_who_has_little_time_leaves_a_slow_disk_to_the_committer(
    queue: DiskQueue, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of it: a commit that took two seconds is for those who have more than twenty."""

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(writing, "time", clock)

    def slow() -> None:
        clock.now += 2.0

    disk.after = slow
    assert in_thread(lambda: wait_for(queue, seconds=20.0)) is None  # before, it was quick
    disk.after = lambda: None
    assert in_thread(lambda: wait_for(queue, seconds=20.0)) is None
    assert in_thread(lambda: wait_for(queue, seconds=20.0)) is None  # and is again
    assert disk.writers == ["caller", COMMITTER, "caller"]


@pytest.mark.parametrize("found_by", ["a reader", "the caller"])
def test_a_damaged_file_is_replaced_by_the_committer(
    found_by: str, queue: DiskQueue, spool: Spool, disk: Disk
) -> None:
    replacers = []
    replace = spool._writer._replace

    def noted(error: Exception) -> OSError | None:
        replacers.append(threading.current_thread().name)
        return replace(error)

    spool._writer._replace = noted  # type: ignore[method-assign]

    damage = sqlite3.DatabaseError("database disk image is malformed")

    def damaged() -> None:
        disk.before = lambda: None
        raise damage

    if found_by == "the caller":
        disk.before = damaged
    else:
        assert spool._current.file is not None
        spool._writer.damage = spool._current.file, damage
    assert in_thread(lambda: wait_for(queue)) is None
    assert replacers == [COMMITTER]
    assert ("caller" in disk.writers) is (found_by == "the caller")
    assert names(drain(spool)) == ["first", "waits"]


# -- the ends of a process, of a spool ---------------------------------------------------------------------


def test_a_fork_waits_for_a_leader_and_its_child_has_nothing_of_it(
    queue: DiskQueue, spool: Spool, disk: Disk
) -> None:
    left = threading.Event()

    def work() -> BaseException | None:
        with leading():
            error = wait_for(queue)
            put_durably(queue, make_event("kept over the fork"))
            assert left.wait(20.0)
            return error

    def until_the_fork_waits() -> None:
        disk.before = lambda: None
        eventually(lambda: gate._forking, pause=0.001)

    disk.before = until_the_fork_waits
    caller = started(work)
    eventually(lambda: disk.writers)
    began = time.monotonic()
    child = os.fork()
    if not child:  # pragma: no cover - another process
        os._exit(0 if spool.closed and not kept and not spool.has_staged else 1)
    left.set()
    assert time.monotonic() - began < 4.0  # and not until its patience ended
    assert os.waitpid(child, 0)[1] == 0
    assert caller.result(20.0) is None
    eventually(lambda: spool.backlog("sink").available == 3)


def test_a_reload_and_a_stop_while_threads_lead_lose_nothing(disk: Disk, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"

    def settings(data: str) -> dict[str, Any]:
        given = config(tmp_path / data, timeout="20s")
        given["sinks"]["out"] = given["sinks"]["out"] | {"type": "file", "path": str(file)}
        return given

    runtime = logweir.start(settings("one"))
    logweir.audit_sync("first")
    disk.before = hold = Hold()
    first = started(lambda: logweir.audit_sync("before the reload"), "first")
    assert hold.inside.wait(10.0)
    logweir.reload(settings("other"))
    hold.go_on.set()
    first.result(20.0)
    logweir.audit_sync("after it")
    former, spool = runtime._reload.spools
    eventually(lambda: former.closed)
    disk.before = last = Hold()
    second = started(lambda: logweir.audit_sync("before the stop"), "second")
    assert last.inside.wait(10.0)
    stop = started(lambda: logweir.stop(0.1))
    eventually(lambda: spool.closed)
    last.go_on.set()
    assert second.result(20.0)
    assert stop.result(20.0)
    assert {"first", "second"} < set(disk.writers)
    logweir.start(settings("other"))
    assert logweir.flush(10.0)
    found = sorted(json.loads(line)["event"] for line in file.read_text().splitlines())
    assert found == ["after it", "before the reload", "before the stop", "first"]
    assert not kept
    logweir.stop()
