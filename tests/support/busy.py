"""``make busy``: tests again and again on a machine that has other work, as a shared runner of CI has.

What is given after ``--`` goes to pytest; by default the tests that depend on time are run, in two processes.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

__all__ = ["load"]

_DEFAULT = ["-m", "busy", "--numprocesses", "2", "--dist", "loadfile"]
#: Works without an end, and ends when its parent does, however that came about.
_SPIN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep so many processes at work for a while."""
    started = [
        subprocess.Popen([sys.executable, "-c", _SPIN, str(os.getpid())], stdin=subprocess.DEVNULL)
        for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def main(
    arguments: Annotated[list[str] | None, typer.Argument(help="For pytest.")] = None,
    processes: Annotated[int, typer.Option(help="How many processes are at work beside the tests.")] = 8,
    times: Annotated[int, typer.Option(help="How often the tests have to pass in a row.")] = 3,
) -> None:
    """Run tests beside a load; end with pytest's exit code the first time that one fails."""
    with load(processes):
        for number in range(1, times + 1):
            typer.echo(f"-- {number} of {times}, beside {processes} processes", err=True)
            command = [sys.executable, "-m", "pytest", *(arguments or _DEFAULT)]
            code = subprocess.run(command, check=False).returncode
            if code:
                raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(main)
