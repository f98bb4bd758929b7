"""``logweir worker --processes N``: a parent and its workers, as real processes over a real Redis."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.cli.metrics_client import Picture, look, look_at_each, url_of
from logweir.errors import LogweirError
from servers import Server
from servers.machine import free_port
from support.elsewhere import said, start_worker
from support.waiting import eventually

WORKERS = re.compile(r"worker (\d+) delivers to")


class Site:
    """A routing.yaml, its parent of workers, and what is stored."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.config: dict[str, Any] = {
            "service": f"shop-{time.time_ns()}",
            "data_dir": str(folder / "data"),
            "sinks": {
                "store": {
                    "type": "sqlite",
                    "url": f"sqlite+aiosqlite:///{folder}/store.db",
                    "provision": True,
                    "queue": {"type": "redis", "url": url, "partitions": 4, "claim_after": "1s"},
                    "batch": {"linger": 0},
                    "retry": {"max": "100ms", "timeout": "5s"},
                }
            },
            "routes": [{"name": "all", "to": ["store"]}],
        }
        self.write()

    def write(self) -> None:
        (self.folder / "routing.yaml").write_text(json.dumps(self.config))

    def log(self, first: int, last: int) -> None:
        with logweir.running(self.config):
            for number in range(first, last):
                logweir.audit_sync(f"action.{number:03}", user_id=7)
            assert logweir.flush(30)

    def stored(self) -> list[str]:
        database = sqlite3.connect(self.folder / "store.db", timeout=10)
        with contextlib.closing(database), contextlib.suppress(sqlite3.OperationalError):
            return sorted(name for (name,) in database.execute("SELECT action FROM audit_log"))
        return []

    def until_stored(self, number: int) -> None:
        expected = [f"action.{each:03}" for each in range(number)]
        eventually(lambda: self.stored() == expected, 60, found=lambda: (self.stored(), said(self.folder)))

    def metrics(self) -> Picture:
        """What the workers serve at their port."""
        with contextlib.suppress(LogweirError):
            return look(url_of("127.0.0.1", self.port))
        return Picture(0.0, {}, {}, ())

    def workers(self) -> list[int]:
        """The workers that have begun, in order."""
        return [int(pid) for pid in WORKERS.findall(said(self.folder))]


def lives(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


@pytest.fixture
def site(tmp_path: Path, redis: Server) -> Site:
    return Site(tmp_path, redis.url)


@pytest.fixture
def parent(site: Site) -> Iterator[subprocess.Popen[str]]:
    process = start_worker(site.folder, "--processes", "2", "--metrics-port", str(site.port))
    try:
        eventually(lambda: len(site.workers()) == 2, 60, found=lambda: said(site.folder))
        yield process
    finally:
        process.kill()
        process.wait(10)
        eventually(lambda: not any(map(lives, site.workers())), 60, found=lambda: said(site.folder))


def test_a_worker_that_is_killed_is_started_again_and_signals_are_passed_on(
    site: Site, parent: subprocess.Popen[str]
) -> None:
    site.log(0, 50)
    site.until_stored(50)
    eventually(lambda: site.metrics().value("events_stored_total", "store") == 50, 60)
    assert site.metrics().value("processes") == 2
    assert site.metrics().most("broker_consumers", "store") == 2
    each = look_at_each(url_of("127.0.0.1", site.port))
    assert sorted(each) == sorted(map(str, site.workers()))
    assert sum(one.value("events_stored_total", "store") for one in each.values()) == 50
    os.kill(killed := site.workers()[0], signal.SIGKILL)
    eventually(lambda: len(site.workers()) == 3, 60, found=lambda: said(site.folder))
    assert f"worker {killed} " in said(site.folder)
    assert "by SIGKILL; another is started in 1 s" in said(site.folder)
    parent.send_signal(signal.SIGHUP)
    eventually(lambda: said(site.folder).count("was read again") == 2, 60, found=lambda: said(site.folder))
    site.log(50, 100)
    site.until_stored(100)
    eventually(lambda: site.metrics().value("processes") == 2, 60)
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(60) == 0, said(site.folder)
    assert not any(map(lives, site.workers()))


def test_workers_end_when_their_parent_is_killed(site: Site, parent: subprocess.Popen[str]) -> None:
    assert len([pid for pid in site.workers() if lives(pid)]) == 2
    parent.kill()
    eventually(lambda: not any(map(lives, site.workers())), 60, found=lambda: said(site.folder))


def test_a_second_signal_ends_all_at_once(site: Site, parent: subprocess.Popen[str]) -> None:
    writing = sqlite3.connect(site.folder / "store.db", isolation_level=None, timeout=10)
    with contextlib.closing(writing):
        writing.execute("BEGIN EXCLUSIVE")  # nobody can store anything
        site.log(0, 10)
        parent.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            parent.wait(1)
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(30) == -signal.SIGTERM
        eventually(lambda: not any(map(lives, site.workers())), found=lambda: said(site.folder))


def test_more_processes_than_sinks_on_the_disk_are_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, "redis://127.0.0.1:9")
    site.config["sinks"]["store"]["queue"] = {"type": "disk", "deliver": "elsewhere"}
    site.write()
    done = subprocess.run(
        [sys.executable, "-m", "logweir", "worker", "--processes", "2"],
        cwd=site.folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "COLUMNS": "400"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "--processes 2 is more than there are sinks (store)" in done.stderr
