"""A process that has imported what is not ours once, and forks for each run of the tests.

Most of a short run of pytest is the import of its plugins, of SQLAlchemy, of pydantic. What is ours is imported
by each run anew, for one module of it is broken.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress

import pytest

_IMPORTED = (
    "asyncio",
    "blockbuster",
    "hypothesis",
    "pydantic",
    "sqlalchemy.ext.asyncio",
    "sqlite3",
    "structlog",
)
#: What a run is whose time was up; pytest has no such answer.
TIMED_OUT = 124


def main() -> None:
    """Answer each line on standard input, a run as JSON, with pytest's exit status."""
    for name in _IMPORTED:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    with suppress(BrokenPipeError, KeyboardInterrupt):  # the command was stopped in the middle
        for line in sys.stdin:
            print(_run(**json.loads(line)), file=answers, flush=True)


def _run(arguments: list[str], environment: dict[str, str], timeout: float) -> int:
    child = os.fork()
    if not child:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.environ.update(environment)
        os._exit(pytest.main(arguments))
    deadline = time.monotonic() + timeout
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return TIMED_OUT
        time.sleep(0.02)
    return os.waitstatus_to_exitcode(ended[1])


if __name__ == "__main__":
    main()
