"""An application that appends and a worker that delivers, either of which is killed at any moment."""

import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

import logweir
from support.durable import end, run, start, stored
from support.elsewhere import configure, kill, said, spools, start_worker, terminate, worker
from support.waiting import eventually

pytestmark = pytest.mark.busy

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
ROUNDS = 50 if LONG else 2

AUDIT_FOR_EVER = "logweir.start()\naudit_in_threads(8)\ntime.sleep(300)"


def delivered(directory: Path) -> set[str]:
    return set(stored(directory)) if has_table(directory) else set()


def has_table(directory: Path) -> bool:
    if not (directory / "audit.db").exists():
        return False
    connection = sqlite3.connect(directory / "audit.db")
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'audit_log'").fetchone()
    connection.close()
    return found is not None


def check_once_each(directory: Path, acknowledged: list[str]) -> None:
    """What was acknowledged is stored once, and no spool is left."""
    eventually(lambda: not spools(directory), 60, found=lambda: (spools(directory), said(directory)))
    found = stored(directory)
    assert set(acknowledged) <= set(found), f"{len(set(acknowledged) - set(found))} are lost"
    assert len(found) == len(set(found))


def acknowledge_some(process: subprocess.Popen[str], count: int = 200) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def audited() -> list[str]:
    """Audit once, in this process: an application that lives on, and that no test here is about."""
    logweir.start()
    event_id = logweir.audit_sync("one").event_id
    assert logweir.stop()
    return [event_id]


def test_a_worker_delivers_what_an_application_puts_while_both_live(tmp_path: Path) -> None:
    configure(tmp_path)
    with worker(tmp_path) as process:
        acknowledged = run(
            tmp_path,
            """
            logweir.start()
            assert "aiosqlite" not in sys.modules
            for number in range(300):
                acknowledged(logweir.audit_sync("one", number=number).event_id)
            assert logweir.flush(10)
            while logweir.metrics().sinks["audit_db"].queue_depth:
                time.sleep(0.01)
            started = time.monotonic()
            assert logweir.stop()
            assert time.monotonic() - started < 5
            """,
            anew=True,  # what it has imported is looked at
        )
        check_once_each(tmp_path, acknowledged)
        assert terminate(process) == 0, said(tmp_path)


def test_what_a_dead_application_left_is_delivered_and_its_file_removed(tmp_path: Path) -> None:
    configure(tmp_path)
    application = start(tmp_path, AUDIT_FOR_EVER)
    acknowledged = acknowledge_some(application)
    application.kill()
    acknowledged += end(application).split()
    assert spools(tmp_path)
    with worker(tmp_path):
        check_once_each(tmp_path, acknowledged)


def test_a_worker_that_is_killed_is_followed_by_the_next(tmp_path: Path) -> None:
    configure(tmp_path)
    application = start(tmp_path, AUDIT_FOR_EVER)
    acknowledged: list[str] = []
    for _ in range(2):
        first = start_worker(tmp_path)
        before = len(delivered(tmp_path))
        acknowledged += acknowledge_some(application)
        eventually(
            lambda before=before: len(delivered(tmp_path)) > before + 100, found=lambda: said(tmp_path)
        )
        kill(first)
    application.terminate()
    acknowledged += end(application).split()
    with worker(tmp_path):
        check_once_each(tmp_path, acknowledged)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_killed_at_random_moments_every_acknowledged_event_is_stored_once(tmp_path: Path) -> None:
    configure(tmp_path)
    generator = random.Random(ROUNDS)
    acknowledged: list[str] = []
    delivering = start_worker(tmp_path)
    for _ in range(ROUNDS):
        application = start(tmp_path, AUDIT_FOR_EVER)
        acknowledged += acknowledge_some(application)
        time.sleep(generator.uniform(0.0, 0.5))
        kill(delivering)
        if generator.random() < 0.5:
            delivering = start_worker(tmp_path)
            application.kill()
        else:
            application.kill()
            delivering = start_worker(tmp_path)
        acknowledged += end(application).split()
    check_once_each(tmp_path, acknowledged)
    kill(delivering)


def test_the_file_of_a_killed_parent_is_cleared_though_its_child_lives(tmp_path: Path) -> None:
    configure(tmp_path)
    application = start(
        tmp_path,
        """
        logweir.start()
        acknowledged(logweir.audit_sync("parent").event_id)
        if not os.fork():
            acknowledged(logweir.audit_sync("child").event_id)
        time.sleep(300)
        """,
    )
    acknowledged = acknowledge_some(application, 2)
    with worker(tmp_path):
        eventually(lambda: set(acknowledged) <= delivered(tmp_path), 90, found=lambda: said(tmp_path))
        application.kill()
        eventually(lambda: len(spools(tmp_path)) == 1, 90, found=lambda: spools(tmp_path))
        (child,) = (int(name.partition("-")[0]) for name in spools(tmp_path))
        assert child != application.pid
        os.kill(child, signal.SIGKILL)
        end(application)
        check_once_each(tmp_path, acknowledged)


def test_a_second_worker_stands_by_and_goes_on_when_the_first_is_gone(tmp_path: Path) -> None:
    configure(tmp_path)
    with worker(tmp_path) as first, worker(tmp_path) as second:
        eventually(lambda: "stands by" in said(tmp_path), 90, found=lambda: said(tmp_path))
        kill(first)
        check_once_each(tmp_path, audited())
        assert terminate(second) == 0


def test_sighup_reads_the_file_again_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    configure(tmp_path)
    with worker(tmp_path) as process:
        right = (tmp_path / "routing.yaml").read_text()
        (tmp_path / "routing.yaml").write_text("sinks: {}\n")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "the configuration in force stays" in said(tmp_path), found=lambda: said(tmp_path))
        (tmp_path / "routing.yaml").write_text(right)
        check_once_each(tmp_path, audited())
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "routing.yaml was read again" in said(tmp_path), found=lambda: said(tmp_path))
        check_once_each(tmp_path, audited())
        assert terminate(process) == 0


def test_a_second_sigterm_ends_a_worker_that_drains(tmp_path: Path) -> None:
    configure(tmp_path)
    lock = sqlite3.connect(tmp_path / "audit.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")  # the sink takes nothing
    audited()
    with worker(tmp_path) as process:
        eventually(lambda: "audit_db" in said(tmp_path).partition("\n")[2], 90, found=lambda: said(tmp_path))
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == -signal.SIGTERM
    lock.close()
    assert spools(tmp_path)
