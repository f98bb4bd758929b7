"""``logweir run`` as a whole process: from JSON lines to a null sink, beside a loop that only decodes.

The figure is events for each second of CPU (user and system, all threads): events/s a core. Starting
Python and importing is measured by an empty run and left out.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from logweir.benchmarks.measure import Bar, Report, take_turns

__all__ = ["measure", "write_lines"]

_CONFIG = """\
service: bench
data_dir: stored
classify:
  - {kind: audit, match: {event: ["fund.*", "permission.*"]}}
sinks:
  audit_db: {type: "null"}
  nowhere: {type: "null", batch: {max_events: 1000}}
routes:
  - {name: audit, match: {kind: audit}, to: [audit_db]}
  - {name: rest, match: {kind: tracing}, to: [nowhere]}
"""
_DECODE = """\
import msgspec, sys
decode = msgspec.json.Decoder().decode
for line in open(sys.argv[1], "rb"):
    decode(line)
"""
_RUN = "from logweir.cli.app import main\nimport sys\nsys.argv[0] = 'logweir'\nmain()\n"


def measure(*, events: int = 300_000, runs: int = 5) -> Report:
    """Measure both in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "routing.yaml").write_text(_CONFIG)
        write_lines(folder / "events.jsonl", events)
        (folder / "empty.jsonl").touch()
        series = take_turns(
            [
                ("logweir run, JSON lines to null", _rate([_RUN, "run"], folder, events)),
                ("a loop that decodes the lines", _rate([_DECODE], folder, events)),
            ],
            runs,
            "events/s a core",
        )
    return Report("logweir run", series, [Bar(series[0], 100_000, at_most=False)])


def write_lines(path: Path, events: int) -> None:
    """Write so many lines of JSON."""
    with path.open("w") as file:
        for number in range(events):
            line = {
                "timestamp": "2026-01-02T03:04:05.678901Z",
                "level": "info",
                "event": "order.placed",
                "order_id": number,
                "user_id": number % 1000,
                "amount": 12.5,
                "currency": "EUR",
            }
            file.write(json.dumps(line) + "\n")


def _rate(command: list[str], folder: Path, events: int) -> Callable[[], float]:
    def run() -> float:
        # What was read is remembered there, and a second run reads nothing.
        shutil.rmtree(folder / "stored", ignore_errors=True)
        empty = _cpu_seconds([*command, "empty.jsonl"], folder)
        return events / (_cpu_seconds([*command, "events.jsonl"], folder) - empty)

    return run


def _cpu_seconds(command: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", *command], cwd=folder, check=True, capture_output=True)  # noqa: S603 - ours
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
