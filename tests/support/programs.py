"""Running small programs in processes of their own, and reading what they stored."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from logweir.encoding.events import decode_event
from logweir.event import Event

CONFIG = """\
service: program
data_dir: data
sinks:
  out: {type: file, path: out.jsonl, batch: {linger: 20ms}}
routes:
  - {name: all, to: [out]}
drain_timeout: 20s
"""

PREAMBLE = """\
import os, sys, threading, time
import logweir
logweir.configure_structlog()
log = logweir.get_logger("program")
"""

#: Begins a gunicorn.conf.py: its master has loaded what logweir needs of others, so that each worker loads logweir alone.
LOADED_BY_THE_MASTER = """\
import aiosqlite, msgspec, sqlalchemy.ext.asyncio, structlog, yaml
from pydantic import BaseModel, TypeAdapter
"""


#: pytest as a program, without the plug-ins that tests started by tests have no use for.
PYTEST = (
    sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:faker",
)  # fmt: skip

_started: list[subprocess.Popen[str]] = []


def ended_with_the_test(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Let a process be killed at the end of the test, should it still run."""
    _started.append(process)
    return process


def end_programs() -> None:
    """Kill what a test that failed has left running, and close its pipes."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def start_program(
    directory: Path, code: str, *, config: str = CONFIG, **options: Any
) -> subprocess.Popen[str]:
    """Start a program whose working directory holds a routing.yaml."""
    (directory / "routing.yaml").write_text(config)
    path = directory / "program.py"
    path.write_text(PREAMBLE + textwrap.dedent(code))
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(path)],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    return ended_with_the_test(process)


def run_program(
    directory: Path, code: str, *, config: str = CONFIG, timeout: float = 60
) -> tuple[int, str, str]:
    """Run a program to its end; returns exit status, stdout and stderr."""
    process = start_program(directory, code, config=config)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"the program hung; it said:\n{out}\n{err}") from None
    return process.returncode, out, err


def stored(directory: Path, name: str = "out.jsonl") -> list[Event]:
    """What the file sink of a program holds."""
    return [decode_event(line) for line in (directory / name).read_bytes().splitlines()]


def names(directory: Path, name: str = "out.jsonl") -> list[str]:
    """The names of the stored events."""
    return [event.name for event in stored(directory, name)]
