"""``kill -9`` at random moments: the acknowledgements are kept outside the process that is killed."""

import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from support.disk import drain, make_spool

pytestmark = pytest.mark.busy

TESTS = Path(__file__).parents[1]

NURSERY = """
import os, random, signal, sys, threading, time
from pathlib import Path
from support.disk import make_queue, make_spool
from logweir.testing.contract import make_event

directory, rounds, adopts = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "adopts"
generator = random.Random(1)

def write_until_killed():
    spool = make_spool(directory, threaded=True)
    queues = [make_queue(spool, sink, "block", max_events=10**6) for sink in "ab"]

    def write():
        while True:
            event = make_event()
            done = [threading.Event() for _ in queues]
            for queue, durable in zip(queues, done):
                queue.put(event, lambda error, durable=durable: error is None and durable.set())
            for durable in done:
                durable.wait()
            os.write(1, event.id.encode() + b"\\n")

    for _ in range(8):
        threading.Thread(target=write, daemon=True).start()
    while adopts:
        spool.adopt()
    time.sleep(60)

def pass_on(source, lines):
    # To a number of lines or to the child's end; what has come beyond that is passed on too.
    while lines > 0 and (said := os.read(source, 65536)):
        os.write(1, said)
        lines -= said.count(b"\\n")

for _ in range(rounds):
    source, target = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(target, 1)
        write_until_killed()
        os._exit(1)
    os.close(target)
    # Not after a time: on a busy machine a child would not have got far.
    pass_on(source, generator.randrange(40))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pass_on(source, 10**9)
    os.close(source)
"""


def acknowledged_by_the_dead(directory: Path, rounds: int, adopts: str) -> set[str]:
    """Kill one writing process after the other; returns what they acknowledged."""
    nursery = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NURSERY), str(directory), str(rounds), adopts],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=280,
    )
    return set(nursery.stdout.decode().split())


def stored_after(directory: Path) -> dict[str, Counter[str]]:
    spool = make_spool(directory)
    spool.adopt()
    stored = {sink: Counter(event.id for event in drain(spool, sink)) for sink in "ab"}
    spool.close()
    assert not list((directory / "queues").iterdir())
    return stored


@pytest.mark.timeout(300)
@pytest.mark.wound("vector #18820")
@pytest.mark.wound("vector #20118")
def test_a_hundred_killed_processes_leave_every_acknowledged_event_once(tmp_path: Path) -> None:
    acknowledged = acknowledged_by_the_dead(tmp_path, 100, "leaves")
    assert len(acknowledged) > 1000
    for stored in stored_after(tmp_path).values():
        assert acknowledged <= set(stored)
        assert set(stored.values()) == {1}


@pytest.mark.timeout(300)
@pytest.mark.wound("serilog-sinks-periodicbatching #22")
def test_processes_killed_while_they_adopt_lose_nothing(tmp_path: Path) -> None:
    acknowledged = acknowledged_by_the_dead(tmp_path, 25, "adopts")
    assert acknowledged
    for stored in stored_after(tmp_path).values():
        assert acknowledged <= set(stored)
