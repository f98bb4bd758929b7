"""Four processes of real servers: one answer for all at one port, against what was asked and what is stored."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from logweir.cli import metrics_client
from logweir.errors import LogweirError
from servers.machine import free_port
from support.programs import LOADED_BY_THE_MASTER
from support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.busy, pytest.mark.timeout(600)]
IN_THE_LONG_FORM = [
    pytest.mark.soak,
    pytest.mark.skipif(os.environ.get("LOGWEIR_SOAK") != "long", reason="others show the same in less time"),
]

ROUTING = """\
service: shop
data_dir: data
metrics: {{port: {port}}}
sinks:
  out: {{type: file, path: out.jsonl, batch: {{linger: 20ms}}}}
  lines: {{type: file, path: lines.jsonl, batch: {{linger: 20ms}}}}
  audit: {{type: sqlite, url: "sqlite+aiosqlite:///audit.db", table: audit_log, provision: true, batch: {{linger: 20ms}}}}
routes:
  - {{name: audit, match: {{kind: audit}}, to: [audit]}}
  - {{name: calls, match: {{event: ["call", "of the master"]}}, to: [out]}}
  - {{name: lines, to: [lines]}}
"""

WSGI = """\
import logging
import os
import logweir
from logweir.integrations.stdlib import install_stdlib

logging.basicConfig(format="ROOT %(message)s", level="INFO")
install_stdlib()
logweir.configure_structlog()
log = logweir.get_logger("web")

def calls():
    for number in range(3):
        log.info("call", number=number)
    logging.getLogger("shop").info("a line of the application")
    logweir.audit_sync("asked", acknowledge="durable")
    return str(os.getpid()).encode()

def application(environ, start_response):
    answer = calls()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
"""
PRELOADED = f"{WSGI}\nlogweir.start('routing.yaml')\nlog.info('of the master')\n"
ASGI = f"""{WSGI}
from fastapi import FastAPI

app = FastAPI(lifespan=logweir.lifespan("routing.yaml"))

@app.get("/{{rest:path}}")
def asked() -> int:
    return int(calls())
"""
IN_EACH_WORKER = """\
def post_worker_init(worker):
    import logweir
    logweir.start("routing.yaml")
"""
CALLS = 3


class Service:
    """A server with four workers, its port and that of its metrics."""

    def __init__(self, process: subprocess.Popen[str], address: str, metrics: str, lines: list[str]) -> None:
        self.process = process
        self.metrics = metrics
        self.lines = lines
        self.answered = 0
        self._address = address

    def ask(self, times: int, at_once: int = 8) -> set[int]:
        """Ask so often, over connections of their own; who answered."""
        with ThreadPoolExecutor(at_once) as threads:
            answers = [answer for answer in threads.map(self._ask, range(times)) if answer is not None]
        self.answered += len(answers)
        return set(answers)

    def _ask(self, _number: int) -> int | None:
        connection = HTTPConnection(self._address, timeout=60)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            return int(connection.getresponse().read())
        except (OSError, HTTPException):  # of a worker that was killed meanwhile
            return None
        finally:
            connection.close()

    def until_all_four_answer(self, processes: int = 4) -> set[int]:
        """Ask until each worker has answered: a few times at first, and again when all processes are counted.

        A worker that starts needs the processor that the others would take for answers that nobody needs.
        """
        found = self.ask(16)
        self.sees(lambda seen: seen.value("processes") == processes)

        def ask() -> bool:
            found.update(self.ask(16))
            return len(found) >= 4

        eventually(ask, 120)
        return found

    def look(self) -> metrics_client.Picture | None:
        with suppress(LogweirError):
            return metrics_client.look(self.metrics)
        return None

    def sees(self, holds: Callable[[metrics_client.Picture], bool]) -> None:
        eventually(lambda: (seen := self.look()) is not None and holds(seen), 120, pause=0.1, found=self.look)


@contextmanager
def serving(directory: Path, *command: str, mark: str, web: str) -> Iterator[Service]:
    port = free_port()
    (directory / "routing.yaml").write_text(ROUTING.format(port=port))
    (directory / "web.py").write_text(web)
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
    )
    lines: list[str] = []
    listening = threading.Event()
    found: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if address := re.search(rf"{mark}http://(127\.0\.0\.1:\d+)", line):
                found.append(address[1])
                listening.set()
        listening.set()

    reading = threading.Thread(target=read)
    reading.start()
    try:
        assert listening.wait(60)
        assert found, "".join(lines)
        yield Service(process, found[0], f"http://127.0.0.1:{port}/metrics", lines)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
            reading.join()
            assert process.stdout is not None
            process.stdout.close()


def rows(directory: Path) -> int:
    with closing(sqlite3.connect(directory / "audit.db")) as database:
        return int(database.execute("SELECT count(*) FROM audit_log").fetchone()[0])


def lines_of(path: Path, of: str = "") -> int:
    return sum(of in line for line in path.read_text().splitlines())


def holder_of(url: str, among: set[int]) -> int:
    """The process that listens at the port of the metrics."""
    port = int(re.findall(r":(\d+)/", url)[0])
    listening = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    }
    for process in among:
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink())[8:-1] in listening:
                    return process
    raise AssertionError(f"none of {among} listens at {port}")


def sums_are_the_truth(service: Service, directory: Path, besides: int = 0) -> None:
    asked = service.answered
    service.sees(lambda seen: seen.value("events_accepted_total", "out") == CALLS * asked + besides)
    service.sees(lambda seen: seen.value("events_stored_total", "out") == CALLS * asked + besides)
    service.sees(lambda seen: seen.value("events_accepted_total", "audit") == asked)
    service.sees(lambda seen: seen.value("events_stored_total", "audit") == asked)
    service.sees(lambda seen: seen.value("queue_events", "out") + seen.value("queue_events", "audit") == 0)
    assert (lines_of(directory / "out.jsonl"), rows(directory)) == (CALLS * asked + besides, asked)
    line = "a line of the application"
    eventually(lambda: lines_of(directory / "lines.jsonl", line) == asked)
    eventually(lambda: sum(line in printed for printed in service.lines) == asked)


def gunicorn(directory: Path, *options: str, web: str = WSGI) -> AbstractContextManager[Service]:
    if web == WSGI:
        before = "" if "gevent" in options else LOADED_BY_THE_MASTER  # gevent patches what these have loaded
        (directory / "gunicorn.conf.py").write_text(before + IN_EACH_WORKER)
    command = (
        "gunicorn",
        "web:application",
        "--workers",
        "4",
        "--bind",
        "127.0.0.1:0",
        "--graceful-timeout",
        "5",
        *options,
    )
    return serving(directory, *command, mark="Listening at: ", web=web)


@pytest.mark.parametrize(
    "worker",
    [
        pytest.param("sync", marks=IN_THE_LONG_FORM),
        pytest.param("gthread", marks=IN_THE_LONG_FORM),
        "gevent",
    ],
)
def test_gunicorns_workers_are_one_answer_and_the_port_outlives_who_held_it(
    tmp_path: Path, worker: str
) -> None:
    if worker == "gevent":
        pytest.importorskip("gevent")
    with gunicorn(tmp_path, "--worker-class", worker) as service:
        workers = service.until_all_four_answer()
        sums_are_the_truth(service, tmp_path)
        os.kill(holder_of(service.metrics, workers), signal.SIGKILL)
        service.until_all_four_answer()
        service.sees(lambda seen: seen.value("processes") == 4)
        sums_are_the_truth(service, tmp_path)
    assert "logweir: " not in "".join(service.lines)


def test_the_master_that_loaded_the_application_answers_for_its_workers(tmp_path: Path) -> None:
    with gunicorn(tmp_path, "--preload", web=PRELOADED) as service:
        workers = service.until_all_four_answer(processes=5)
        sums_are_the_truth(service, tmp_path, besides=1)
        os.kill(workers.pop(), signal.SIGKILL)
        service.until_all_four_answer(processes=5)
        service.sees(lambda seen: seen.value("processes") == 5)
        sums_are_the_truth(service, tmp_path, besides=1)
        assert holder_of(service.metrics, {service.process.pid, *workers}) == service.process.pid
    assert "logweir: " not in "".join(service.lines)


def test_counts_never_go_backwards_while_workers_are_recycled_under_load(tmp_path: Path) -> None:
    seen: list[float] = []
    over = threading.Event()

    def watch(service: Service) -> None:
        while not over.wait(0.02):
            picture = service.look()
            if picture is not None:
                seen.append(picture.value("events_accepted_total", "out"))

    with gunicorn(tmp_path, "--max-requests", "16") as service, ThreadPoolExecutor(1) as watcher:
        service.until_all_four_answer()
        watching = watcher.submit(watch, service)
        try:
            answered_by = service.ask(64)  # of which the first four answer 48 at most
        finally:
            over.set()
        watching.result()
        assert len(answered_by) > 4
        sums_are_the_truth(service, tmp_path)
    assert seen == sorted(seen)
    assert "logweir: " not in "".join(service.lines)


def test_uvicorns_workers_are_one_answer_and_the_port_outlives_who_held_it(tmp_path: Path) -> None:
    command = "uvicorn", "web:app", "--workers", "4", "--port", "0"
    with serving(tmp_path, *command, mark="running on ", web=ASGI) as service:
        workers = service.until_all_four_answer()
        sums_are_the_truth(service, tmp_path)
        os.kill(holder_of(service.metrics, workers), signal.SIGKILL)
        service.until_all_four_answer()
        service.sees(lambda seen: seen.value("processes") == 4)
        sums_are_the_truth(service, tmp_path)
    assert "logweir: " not in "".join(service.lines)
