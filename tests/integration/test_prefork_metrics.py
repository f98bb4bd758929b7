"""Four processes of real servers: one answer for all at one port, against what was asked and what is stored."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from logweir.cli import metrics_client
from logweir.errors import LogweirError
from support.waiting import eventually

pytestmark = pytest.mark.busy

ROUTING = """\
service: shop
data_dir: data
metrics: {{port: {port}}}
sinks:
  out: {{type: file, path: out.jsonl, batch: {{linger: 20ms}}}}
  audit: {{type: sqlite, url: "sqlite+aiosqlite:///audit.db", table: audit_log, provision: true, batch: {{linger: 20ms}}}}
routes:
  - {{name: audit, match: {{kind: audit}}, to: [audit]}}
  - {{name: all, to: [out]}}
"""

WEB = """\
import os
import logweir
from fastapi import FastAPI

logweir.configure_structlog()
log = logweir.get_logger("web")

def calls():
    for number in range(3):
        log.info("call", number=number)
    logweir.audit_sync("asked", acknowledge="durable")
    return str(os.getpid()).encode()

def application(environ, start_response):
    answer = calls()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]

app = FastAPI(lifespan=logweir.lifespan("routing.yaml"))

@app.get("/{rest:path}")
def asked() -> int:
    return int(calls())
"""

START = "import logweir\nlogweir.start('routing.yaml')\n"


class Service:
    """A server with four workers, its port and that of its metrics."""

    def __init__(self, process: subprocess.Popen[str], address: str, metrics: str, lines: list[str]) -> None:
        self.process = process
        self.metrics = metrics
        self.lines = lines
        self.answered = 0
        self._address = address
        self._lock = threading.Lock()

    def ask(self, times: int, at_once: int = 8) -> set[int]:
        """Ask so often, over connections of their own; who answered."""
        found: set[int] = set()

        def some() -> None:
            for _ in range(times // at_once):
                with suppress(httpx.HTTPError):  # of a worker that was killed meanwhile
                    answer = httpx.get(self._address, timeout=60, trust_env=False)
                    with self._lock:
                        self.answered += answer.status_code == 200
                        found.add(int(answer.text))

        threads = [threading.Thread(target=some) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def until_all_four_answer(self) -> set[int]:
        found: set[int] = set()

        def ask() -> bool:
            found.update(self.ask(16))
            return len(found) >= 4

        eventually(ask, 60)
        return found

    def look(self) -> metrics_client.Picture | None:
        with suppress(LogweirError):
            return metrics_client.look(self.metrics)
        return None

    def sees(self, holds: Callable[[metrics_client.Picture], bool]) -> None:
        eventually(lambda: (seen := self.look()) is not None and holds(seen), 60, found=self.look)


@contextmanager
def serving(directory: Path, *command: str, mark: str, web: str = WEB) -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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
            if address := re.search(rf"{mark}(http://127\.0\.0\.1:\d+)", line):
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


def lines_of(directory: Path) -> int:
    return (directory / "out.jsonl").read_text().count("\n")


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


def one_answer_for_all(service: Service, directory: Path, *, kills: bool = True) -> None:
    """Ask, kill in the middle, ask: nothing that was counted is forgotten, and the sums are the truth."""
    workers = service.until_all_four_answer()
    asked = service.answered
    service.sees(lambda seen: seen.value("events_accepted_total", "out") == 3 * asked)
    service.sees(lambda seen: seen.value("events_stored_total", "audit") == asked == rows(directory))
    if kills:
        first = service.look()
        assert first is not None
        os.kill(holder_of(service.metrics, workers), signal.SIGKILL)
        service.until_all_four_answer()
        asked = service.answered
        service.sees(lambda seen: seen.value("processes") >= 4)
        service.sees(lambda seen: seen.value("events_accepted_total", "out") == 3 * asked)
    service.sees(lambda seen: seen.value("events_stored_total", "out") == 3 * asked == lines_of(directory))
    service.sees(lambda seen: seen.value("queue_events", "out") == 0)


def test_a_gunicorns_workers_are_one_answer_and_the_port_outlives_who_held_it(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(
        "def post_worker_init(worker):\n    import logweir\n    logweir.start('routing.yaml')\n"
    )
    command = "gunicorn", "web:application", "--workers", "4", "--bind", "127.0.0.1:0"
    with serving(tmp_path, *command, mark="Listening at: ") as service:
        one_answer_for_all(service, tmp_path)
    assert "metrics are not" not in "".join(service.lines)
