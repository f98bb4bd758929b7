"""A program that audits into a server behind a faulty network, with a SQLite file as its fallback."""

import asyncio
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from support.durable import end, start
from support.sql import run
from support.waiting import eventually

CONFIG = """\
service: fallback
data_dir: data
audit: {{timeout: 60s}}
sinks:
  store:
    type: mysql
    url: "{url}"
    table: {table}
    provision: true
    queue: {{type: disk}}
    batch: {{linger: 5ms, max_events: 50}}
    retry: {{initial: 10ms, max: 100ms, timeout: 5s}}
    fallback: {{to: local, after: 300ms, return: {returns}}}
  local: {{type: sqlite, url: "sqlite+aiosqlite:///local.db", table: audit_log, provision: true}}
routes:
  - {{name: audit, to: [store]}}
drain_timeout: 20s
"""

#: Says all the time, in a file, how the sink fares.
SAYING = """
import pathlib
def say():
    while True:
        sink = logweir.metrics().sinks["store"]
        line = f"{sink.circuit} {sink.failures} {sink.diverted} {sink.returned} {sink.in_fallback}"
        pathlib.Path("says.new").write_text(line)
        os.replace("says.new", "says")
        time.sleep(0.005)
logweir.start()
threading.Thread(target=say, daemon=True).start()
def audit():
    while True:
        acknowledged(logweir.audit_sync("fund.transfer", padding="x" * 200).event_id)
        time.sleep(0.001)
for _ in range(2):
    threading.Thread(target=audit, daemon=True).start()
time.sleep(300)
"""
FINISHING = """
import contextlib, sqlite3
logweir.start()
assert logweir.flush(60)
deadline = time.monotonic() + 60
def unfinished():
    with contextlib.closing(sqlite3.connect("local.db")) as connection:
        left = connection.execute("SELECT count(*) FROM audit_log").fetchone()[0]
    return logweir.metrics().sinks["store"].circuit != "closed" or (left and RETURNS)
while unfinished():
    assert time.monotonic() < deadline, logweir.metrics()
    time.sleep(0.02)
assert logweir.stop()
"""


class Said:
    """What the program says of its sink; nothing before it says anything."""

    def __init__(self, directory: Path) -> None:
        words = (
            (directory / "says").read_text().split() if (directory / "says").exists() else ["none", *"0000"]
        )
        self.circuit = words[0]
        self.failures, self.diverted, self.returned, self.in_fallback = map(int, words[1:])


def program(directory: Path) -> subprocess.Popen[str]:
    """Start the program, which audits until it is killed."""
    (directory / "says").unlink(missing_ok=True)
    return start(directory, SAYING)


def kill_when(directory: Path, process: subprocess.Popen[str], condition: Any) -> list[str]:
    """Kill the program when something is true of what it says; returns what was acknowledged."""
    try:
        eventually(lambda: condition(Said(directory)), 60, pause=0.002, found=lambda: vars(Said(directory)))
    finally:
        process.kill()
    return [line for line in end(process).split("\n") if len(line) == 36]


def in_store(url: str, table: str) -> list[str]:
    """The ids in the server's table."""
    return [one for (one,) in asyncio.run(run(url, f"SELECT id FROM {table}"))]


def in_local(directory: Path) -> list[str]:
    """The ids in the fallback."""
    connection = sqlite3.connect(directory / "local.db")
    try:
        return [one for (one,) in connection.execute("SELECT id FROM audit_log")]
    finally:
        connection.close()
