"""Programs that audit until they die, and what is stored after the next start."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Collection
from pathlib import Path

import logweir
from support.forked import fork
from support.programs import ended_with_the_test

TESTS = Path(__file__).parents[1]

CONFIG = """\
service: durable
data_dir: data
audit: {{timeout: 30s}}
sinks:
  audit_db:
    type: sqlite
    url: "sqlite+aiosqlite:///{database}"
    provision: true
    queue: {{type: disk}}
    batch: {{linger: 5ms}}
    retry: {{initial: 10ms, max: 200ms}}
  logs: {{type: file, path: tracing.jsonl}}
routes:
  - {{name: audit, match: {{kind: audit}}, to: [audit_db]}}
  - {{name: rest, to: [logs]}}
drain_timeout: 20s
"""

PREAMBLE = """\
import asyncio, os, random, signal, sys, threading, time
import logweir

acknowledgements = []

def acknowledged(event_id):
    acknowledgements.append(event_id)
    os.write(1, event_id.encode() + b"\\n")  # one write of less than a pipe's buffer is never torn

def audit_in_threads(count, more=lambda: True):
    def work(worker):
        number = 0
        while more():
            acknowledged(logweir.audit_sync("thread", worker=worker, number=number).event_id)
            number += 1
    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in range(count)]
    for thread in threads:
        thread.start()
    return threads

async def audit_in_tasks(count, more=lambda: True):
    async def work(worker):
        number = 0
        while more():
            acknowledged((await logweir.audit("task", worker=worker, number=number)).event_id)
            number += 1
    await asyncio.gather(*(work(worker) for worker in range(count)))
"""


def configure(directory: Path, database: str = "audit.db") -> None:
    """Write a routing.yaml whose audit waits on disk."""
    (directory / "routing.yaml").write_text(CONFIG.format(database=database))


def start(directory: Path, code: str, *, anew: bool = False) -> subprocess.Popen[str]:
    """Start a program; what it acknowledges comes out of its stdout, what it says is kept beside it.

    Args:
        directory: Where it runs.
        code: What it does.
        anew: Whether it begins as an interpreter does, and not as a process that has imported logweir.
    """
    code = PREAMBLE + textwrap.dedent(code)
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    with (directory / "stderr.txt").open("w") as errors:
        if not anew:
            made = fork({"code": code}, [], cwd=directory, env=env, stdout=True, stderr=errors)
            return ended_with_the_test(made)
        return ended_with_the_test(
            subprocess.Popen(
                [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
                cwd=directory,
                env=env,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        )


def end(process: subprocess.Popen[str], timeout: float = 100) -> str:
    """Wait for the end of a program; returns what is left of its output.

    It reads as its callers did before: ``communicate`` would leave out what their reading has buffered.
    """
    assert process.stdout is not None
    watchdog = threading.Timer(timeout, process.kill)
    watchdog.start()
    with process, process.stdout:
        out = process.stdout.read()
    watchdog.cancel()
    watchdog.join()
    return out


def run(directory: Path, code: str, timeout: float = 100, *, anew: bool = False) -> list[str]:
    """Run a program to its end; returns the lines that it wrote."""
    process = start(directory, code, anew=anew)
    out = end(process, timeout)
    assert process.returncode == 0, said(directory)
    return out.split()


def said(directory: Path) -> str:
    """The end of what the last program in this directory has said on its stderr."""
    return (directory / "stderr.txt").read_text()[-4000:]


def deliver_the_rest(directory: Path) -> None:
    """Start once more, as an operator would, and deliver what waits; in this process, which nobody ends."""
    with contextlib.chdir(directory):
        logweir.start("routing.yaml", handle_signals=False)
        assert logweir.flush(60)
        assert logweir.stop()


def stored(directory: Path, database: str = "audit.db") -> list[str]:
    """The ids in the audit table, one for each row."""
    with sqlite3.connect(directory / database) as connection:
        rows = connection.execute("SELECT id FROM audit_log").fetchall()
    connection.close()
    return [row[0] for row in rows]


def numbers(directory: Path, action: str, worker: int, database: str = "audit.db") -> list[int]:
    """The numbers that one worker gave its events, in the order of their ids."""
    with sqlite3.connect(directory / database) as connection:
        rows = connection.execute(
            "SELECT extra_info ->> 'number' FROM audit_log WHERE action = ? AND extra_info ->> 'worker' = ? "
            "ORDER BY id",
            (action, worker),
        ).fetchall()
    connection.close()
    return [row[0] for row in rows]


def check_once_each(
    directory: Path, ids: Collection[str], database: str = "audit.db", *, may_be_quarantined: bool = False
) -> None:
    """Every acknowledged event is stored, and none twice; nothing waits any more."""
    found = stored(directory, database)
    assert set(ids) <= set(found), f"{len(set(ids) - set(found))} of {len(ids)} are lost"
    assert len(found) == len(set(found))
    # A note of a former directory may outlive a stop: it is removed where that directory is found empty.
    left = [path.name for path in directory.glob("*/queues/*") if path.suffix != ".former"]
    assert [name for name in left if not (may_be_quarantined and ".corrupt-" in name)] == []
