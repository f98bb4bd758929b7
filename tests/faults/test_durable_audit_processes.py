"""Processes that die, stop, reload, fork and are served by gunicorn in the middle of auditing.

What was acknowledged is kept outside of the process; after the next start all of it is stored, none twice.
"""

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.durable import (
    check_once_each,
    configure,
    deliver_the_rest,
    end,
    numbers,
    run,
    said,
    start,
    stored,
)
from support.programs import LOADED_BY_THE_MASTER

pytestmark = pytest.mark.busy

LONG = os.environ.get("LOGWEIR_SOAK") == "long"
ROUNDS = 100 if LONG else 6
#: Seconds that a child lives at most; it audits thousands of events in each.
LIFE = 1.5 if LONG else 0.75

NURSERY = """
from logweir.config.loading import load_config

# What these import need not be imported by each child.
load_config("routing.yaml")
logweir.start, logweir.audit, logweir.audit_sync
generator = random.Random(ROUNDS)

acknowledge, begun = acknowledged, []

def acknowledged(event_id):
    acknowledge(event_id)
    if not begun:
        begun.append(os.write(writing, b"."))

def live():
    logweir.start()
    audit_in_threads(8)
    asyncio.run(audit_in_tasks(64))

for _ in range(ROUNDS):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            live()
        finally:
            os._exit(1)
    os.close(writing)
    # A few are killed wherever their start is; on a machine with other work it may take all of that time.
    if generator.random() < 0.75:
        assert os.read(reading, 1)
    time.sleep(generator.uniform(0.05, LIFE))
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    os.close(reading)
"""


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.wound("vector #18820")
@pytest.mark.wound("vector #20118")
def test_killed_at_random_moments_every_acknowledged_event_is_stored_once(tmp_path: Path) -> None:
    configure(tmp_path)
    acknowledged = run(
        tmp_path, NURSERY.replace("ROUNDS", str(ROUNDS)).replace("LIFE", str(LIFE)), timeout=800
    )
    assert len(acknowledged) > 10 * ROUNDS  # thousands, but for a disk that others keep busy
    deliver_the_rest(tmp_path)
    check_once_each(tmp_path, acknowledged)


def test_sigterm_in_a_burst_of_audit_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    configure(tmp_path)
    process = start(
        tmp_path,
        """
        def until_refused(work):
            try:
                work()
            except logweir.LogweirError:
                pass  # not acknowledged: the process is on its way out

        logweir.start()
        threading.Thread(target=until_refused, args=(lambda: audit_in_threads(8)[0].join(),)).start()
        until_refused(lambda: asyncio.run(audit_in_tasks(64)))
        time.sleep(60)
        """,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(500)]
    process.send_signal(signal.SIGTERM)
    lines.append(end(process))
    assert process.returncode == -signal.SIGTERM, said(tmp_path)
    deliver_the_rest(tmp_path)
    check_once_each(tmp_path, "".join(lines).split())


RELOADS = """
stop = threading.Event()
logweir.configure_structlog()
log = logweir.get_logger()
logweir.start()
threads = audit_in_threads(8, lambda: not stop.is_set())
tasks = threading.Thread(target=lambda: asyncio.run(audit_in_tasks(16, lambda: not stop.is_set())))
tasks.start()
text = open("routing.yaml").read()
queues = ["{type: disk}", "{type: disk, max_events: 5000}", "{type: memory}", "{when_full: spill, max_events: 50}"]
for turn in range(16):
    changed = text.replace("{type: disk}", queues[turn % 4])
    changed = changed.replace("linger: 5ms", f"linger: {turn % 3 + 1}ms")
    if turn % 5 == 4:
        changed = changed.replace("data_dir: data", "data_dir: elsewhere")
    open("routing.yaml", "w").write(changed)
    log.info("in between", persist_db=True)
    logweir.reload()
    time.sleep(0.05)
    while len(acknowledgements) < 32 * (turn + 1):
        time.sleep(0.01)
stop.set()
for thread in [*threads, tasks]:
    thread.join()
open("routing.yaml", "w").write(text)
logweir.reload()
assert logweir.stop()
assert logweir.current() is None
"""


def test_reloads_in_a_burst_of_audit_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    configure(tmp_path)
    acknowledged = run(tmp_path, RELOADS)
    assert len(acknowledged) > 500
    deliver_the_rest(tmp_path)
    check_once_each(tmp_path, acknowledged)
    found = stored(tmp_path)
    assert len(found) == len(acknowledged) + 16, said(tmp_path)
    for worker in range(8):
        seen = numbers(tmp_path, "thread", worker)
        assert seen == list(range(len(seen)))


KILLED_IN_A_RELOAD = """
from logweir.delivery.spool.housekeeping import Housekeeping

Housekeeping.hurry = lambda self: os.kill(os.getpid(), signal.SIGKILL)  # the new pipeline has just been put in force
logweir.start()
for number in range(20):
    acknowledged(logweir.audit_sync("before", number=number).event_id)
text = open("routing.yaml").read().replace("data_dir: data", "data_dir: elsewhere")
open("routing.yaml", "w").write(text.replace("not a folder/", ""))
logweir.reload()
"""


def test_a_process_killed_in_a_reload_to_another_data_directory_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    configure(tmp_path, database="not a folder/audit.db")
    (tmp_path / "not a folder").touch()
    process = start(tmp_path, KILLED_IN_A_RELOAD)
    acknowledged = end(process).split()
    assert (process.returncode, len(acknowledged)) == (-signal.SIGKILL, 20), said(tmp_path)
    deliver_the_rest(tmp_path)
    check_once_each(tmp_path, acknowledged)


FORKS = """
logweir.start()
first = [logweir.audit_sync("parent", number=number).event_id for number in range(300)]  # the queue is full
try:
    logweir.audit_sync("too many", timeout=0.1)
except logweir.AuditError as error:
    assert "answered dropped" in str(error), error
else:
    raise AssertionError("the queue was not full")
children = []
for child in range(8):
    pid = os.fork()
    if not pid:
        try:
            for number in range(20):
                acknowledged(logweir.audit_sync("child", worker=child, number=number).event_id)
            code = 0 if logweir.stop() else 2
        finally:
            os._exit(code)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
assert codes == [0] * 8, codes
for event_id in first:
    acknowledged(event_id)
assert logweir.stop(timeout=0.5)
"""


@pytest.mark.wound("loguru #1065")
@pytest.mark.wound("serilog-sinks-periodicbatching #22")
def test_forks_with_a_full_queue_on_disk_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    configure(tmp_path, database="not a folder/audit.db")
    (tmp_path / "not a folder").touch()
    routing = tmp_path / "routing.yaml"
    text = routing.read_text()
    routing.write_text(
        text.replace("{type: disk}", "{type: disk, max_events: 300, block_timeout: 100ms}").replace(
            "drain_timeout: 20s", "drain_timeout: 500ms"
        )
    )
    acknowledged = run(tmp_path, FORKS)
    assert len(acknowledged) == 8 * 20 + 300
    configure(tmp_path)
    deliver_the_rest(tmp_path)
    check_once_each(tmp_path, acknowledged)
    assert len(stored(tmp_path)) == len(acknowledged)


WEB = """
import os
import logweir

logweir.start()

def application(environ, start_response):
    ack = logweir.audit_sync("request", path=environ["PATH_INFO"], pid=os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{ack.event_id} {os.getpid()}".encode()]
"""


@contextmanager
def gunicorn(directory: Path, *, preload: bool) -> Iterator[str]:
    """Serve with four workers; yields the address."""
    (directory / "web.py").write_text(WEB)
    (directory / "gunicorn.conf.py").write_text(LOADED_BY_THE_MASTER)
    process = start(
        directory,
        f"""
        import subprocess
        command = [sys.executable, "-m", "gunicorn", "--workers", "4", "--bind", "127.0.0.1:0"]
        command += ["--graceful-timeout", "20", {'"--preload",' if preload else ""} "web:application"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            print(line, end="", flush=True)
        sys.exit(process.wait())
        """,
        anew=True,
    )
    assert process.stdout is not None
    try:
        while "Listening at: " not in (line := process.stdout.readline()):
            assert line, said(directory)
        master = int(line.split("(")[1].split(")")[0])
        reading = threading.Thread(target=end, args=(process,))
        reading.start()
        yield line.split("Listening at: ")[1].split(" ")[0]
        os.kill(master, signal.SIGTERM)
        reading.join()
    finally:
        process.kill()


@pytest.mark.wound("loguru #284")
@pytest.mark.wound("watchtower #89")
@pytest.mark.wound("vector #19155")
@pytest.mark.parametrize("preload", [False, True])
def test_gunicorns_workers_are_killed_and_every_acknowledged_request_is_stored_once(
    tmp_path: Path, preload: bool
) -> None:
    configure(tmp_path)
    generator = random.Random(3)
    acknowledged = []
    with gunicorn(tmp_path, preload=preload) as address, httpx.Client(base_url=address) as client:
        for number in range(200):
            try:
                answer = client.get(f"/{number}", headers={"connection": "close"}, timeout=30)
            except httpx.TransportError:
                continue  # the worker was killed before it answered: nothing was acknowledged
            event_id, pid = answer.text.split()
            acknowledged.append(event_id)
            if number in {50, 100, 150}:
                os.kill(int(pid), generator.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
    assert len(acknowledged) > 150
    deliver_the_rest(tmp_path)
    check_once_each(tmp_path, acknowledged)


@pytest.mark.wound("vector #19155")
def test_a_living_process_delivers_what_a_dead_sibling_left(tmp_path: Path) -> None:
    configure(tmp_path)
    code = """
    import logweir.delivery.spool.housekeeping
    logweir.delivery.spool.housekeeping.INTERVAL = 0.1
    logweir.start()
    sibling = os.fork()
    if not sibling:
        acknowledged(logweir.audit_sync("left").event_id)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(sibling, 0)
    while logweir.metrics().sinks["audit_db"].stored < STORED:
        time.sleep(0.01)
    logweir.stop()
    """
    # The child delivers by itself, unless it dies first: a long linger makes sure of that.
    routing = tmp_path / "routing.yaml"
    routing.write_text(routing.read_text().replace("linger: 5ms", "linger: 1s"))
    acknowledged = run(tmp_path, code.replace("STORED", "1"))
    check_once_each(tmp_path, acknowledged)
