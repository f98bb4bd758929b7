"""Several processes on one directory: a file each, adoption of the dead, and forks at any moment."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from logweir.delivery.queue import PutResult
from logweir.testing.contract import make_event
from support.disk import drain, make_queue, make_spool, names, put_durably

pytestmark = pytest.mark.busy

TESTS = Path(__file__).parents[1]

WRITER = """
import sys, time
from pathlib import Path
from support.disk import make_queue, make_spool, put_durably
from logweir.testing.contract import make_event

spool = make_spool(Path(sys.argv[1]))
queue = make_queue(spool)
for number in range(100):
    queue.put(make_event(f"{sys.argv[2]} {number}"))
    assert spool.commit() is None
print("written", flush=True)
time.sleep(60)
"""


def writer(directory: Path, name: str) -> subprocess.Popen[str]:
    """A process that has committed a hundred events and lives on."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(directory), name],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.wound("vector #19155")
@pytest.mark.wound("serilog-sinks-periodicbatching #22")
def test_a_live_process_adopts_the_dead_and_leaves_the_living(tmp_path: Path) -> None:
    dead, living = writer(tmp_path, "dead"), writer(tmp_path, "living")
    spool = make_spool(tmp_path)
    assert spool.adopt() == 0
    assert len(list((tmp_path / "queues").glob("*.db"))) == 2
    kill(dead)
    assert spool.adopt() == 100
    assert names(drain(spool)) == [f"dead {number}" for number in range(100)]
    kill(living)
    assert spool.adopt() == 100
    assert names(drain(spool)) == [f"living {number}" for number in range(100)]
    spool.close()
    assert not list((tmp_path / "queues").iterdir())


def test_many_adopters_at_once_take_every_event_exactly_once(tmp_path: Path) -> None:
    for name in "abc":
        kill(writer(tmp_path, name))
    spools = [make_spool(tmp_path) for _ in range(3)]
    threads = [threading.Thread(target=spool.adopt) for spool in spools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for spool in spools:
        spool.adopt()
    found = [name for spool in spools for name in names(drain(spool))]
    assert sorted(found) == sorted(f"{name} {number}" for name in "abc" for number in range(100))
    for spool in spools:
        spool.close()


FORKS = """
import os, sys, threading, time
from pathlib import Path
from support.disk import make_queue, make_spool, put_durably
from logweir.delivery.queue import PutResult
from logweir.testing.contract import make_event

spool = make_spool(Path(sys.argv[1]), threaded=True)
queue = make_queue(spool, max_events=10**6)
stop = threading.Event()
count = 0

def write():
    global count
    while not stop.is_set():
        put_durably(queue, make_event("parent"))[1].result(20)
        count += 1

writers = [threading.Thread(target=write) for _ in range(2)]
for thread in writers:
    thread.start()
children = []
for number in range(30):
    child = os.fork()
    if not child:
        assert queue.put(make_event()) is PutResult.CLOSED
        own = make_spool(Path(sys.argv[1]), threaded=True)
        own.adopt()
        put_durably(make_queue(own), make_event("child"))[1].result(20)
        own.close()
        os._exit(0)
    children.append(child)
    time.sleep(0.003)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
stop.set()
for thread in writers:
    thread.join()
spool.close()
assert codes == [0] * 30, codes
print(count)
"""


@pytest.mark.wound("loguru #1065")
def test_forks_in_the_middle_of_commits_leave_parent_and_children_working(tmp_path: Path) -> None:
    program = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKS), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    spool = make_spool(tmp_path)
    spool.adopt()
    found = names(drain(spool))
    spool.close()
    assert found.count("child") == 30
    assert found.count("parent") == int(program.stdout)


def test_a_stopped_process_keeps_its_file_until_it_is_dead(tmp_path: Path) -> None:
    process = writer(tmp_path, "stopped")
    process.send_signal(signal.SIGSTOP)
    spool = make_spool(tmp_path)
    assert spool.adopt() == 0
    kill(process)
    assert spool.adopt() == 100
    spool.close()


def test_a_queue_serves_while_it_adopts(tmp_path: Path) -> None:
    kill(writer(tmp_path, "dead"))
    spool = make_spool(tmp_path, threaded=True)
    queue = make_queue(spool)
    adopting = threading.Thread(target=spool.adopt)
    adopting.start()
    started = time.monotonic()
    result, done = put_durably(queue, make_event("own"))
    done.result(5.0)
    assert result is PutResult.ACCEPTED
    assert time.monotonic() - started < 5.0
    adopting.join()
    assert queue.statistics().depth == 101
    spool.close()
