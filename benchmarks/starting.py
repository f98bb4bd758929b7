"""What it costs to start: ``import logweir`` and ``logweir --help`` beside ``import structlog``.

Each turn is a process of its own; its processor time counts, the interpreter's start with it. Bytecode is
compiled beforehand, as an installer does. Measured from the installed package: from a checkout that is
installed as editable, a finder of the build tool's is added to each start.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

import logweir
from logweir.benchmarks.measure import Bar, Report, take_turns

__all__ = ["measure"]

_FIRST_EVENT = """
import logweir
logweir.start({"sinks": {"nowhere": {"type": "null"}}, "routes": [{"name": "all", "to": ["nowhere"]}]})
logweir.get_logger().info("started")
logweir.stop()
"""
_HELP = "import sys; sys.argv = ['logweir', '--help']; from logweir.cli.app import main; main()"


def measure(*, runs: int = 21) -> Report:
    """Measure how much processor time programs take to start.

    Args:
        runs: How many turns count.
    """
    for package in (logweir, structlog):
        compileall.compile_dir(Path(str(package.__file__)).parent, quiet=2)
    nothing, bare, own, help_, first = take_turns(
        [
            ("python -c pass", _time_of("pass")),
            ("import structlog", _time_of("import structlog")),
            ("import logweir", _time_of("import logweir")),
            ("logweir --help", _time_of(_HELP)),
            ("start, and the first event", _time_of(_FIRST_EVENT)),
        ],
        runs,
        "ms",
    )
    return Report(
        "Starting",
        [nothing, bare, own, help_, first],
        [Bar(own.ratio(bare), 1.6), Bar(help_.ratio(bare), 2.5)],
    )


def _time_of(program: str) -> Callable[[], float]:
    return lambda: _processor_ms([sys.executable, "-c", program])


def _processor_ms(command: Sequence[str]) -> float:
    """Run a program; return the processor time that it took, of user and system, in milliseconds."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - our own programs
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return (used.ru_utime + used.ru_stime) * 1000
