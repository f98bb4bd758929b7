"""An application that only appends, and the worker process that delivers for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.forked import fork
from support.programs import ended_with_the_test
from support.waiting import eventually

TESTS = Path(__file__).parents[1]

CONFIG = """\
service: elsewhere
data_dir: data
audit: {{timeout: 30s}}
sinks:
  audit_db:
    type: sqlite
    url: "sqlite+aiosqlite:///audit.db"
    provision: true
    queue: {{type: disk, deliver: elsewhere{queue}}}
    batch: {{linger: {linger}}}
    retry: {{initial: 10ms, max: 200ms}}
routes:
  - {{name: all, to: [audit_db]}}
drain_timeout: 20s
"""


def configure(directory: Path, queue: str = "", linger: str = "5ms") -> None:
    """Write a routing.yaml whose one sink is delivered elsewhere."""
    (directory / "routing.yaml").write_text(CONFIG.format(queue=queue, linger=linger))


def start_worker(
    directory: Path, *arguments: str, begins: str = "delivers to", anew: bool = False
) -> subprocess.Popen[str]:
    """Start ``logweir worker`` and wait until it delivers, or begins as it is expected to.

    Args:
        directory: Where it runs.
        *arguments: Its options.
        begins: What it says as it begins.
        anew: Whether it begins as an interpreter does, and not as a process that has imported logweir.
    """
    env = {**os.environ, "PYTHONPATH": str(TESTS), "COLUMNS": "200"}
    command = ["worker", *arguments]
    with (directory / "worker.txt").open("a") as errors:
        begin = errors.tell()
        process = (
            subprocess.Popen(
                [sys.executable, "-m", "logweir", *command], cwd=directory, env=env, stderr=errors, text=True
            )
            if anew
            else fork({"module": "logweir"}, command, cwd=directory, env=env, stdout=False, stderr=errors)
        )
        ended_with_the_test(process)
    eventually(lambda: begins in said(directory)[begin:], 90, found=lambda: said(directory))
    return process


def said(directory: Path) -> str:
    """What the workers in this directory have said."""
    return (directory / "worker.txt").read_text()


def kill(process: subprocess.Popen[str]) -> None:
    """End a process as the kernel would."""
    process.kill()
    process.wait(10)


def terminate(process: subprocess.Popen[str]) -> int:
    """Ask a worker to end, and wait for it; returns its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


@contextmanager
def worker(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A worker for the length of a block, killed at its end if it still runs."""
    process = start_worker(directory, *arguments)
    try:
        yield process
    finally:
        if process.poll() is None:
            kill(process)


def spools(directory: Path) -> list[str]:
    """The files in which something may wait."""
    return [path.name for path in (directory / "data" / "queues").glob("*.db")]
