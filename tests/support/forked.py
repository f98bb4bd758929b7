"""Processes that need not import logweir: each is forked from one that has, as a worker of gunicorn that preloads is.

A start of Python with logweir costs most of a second of processor time. For tests that start many programs, and are
about what happens when these are ended; not for those that are about a start, or about what is imported.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Never

__all__ = ["Forked", "fork"]

TESTS = Path(__file__).parents[1]
_LOADED = (
    "aiosqlite", "aiosqlite.context", "asyncio", "random", "redis.asyncio.cluster", "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.ext.asyncio", "structlog", "textwrap", "yaml", "logweir.auditing.record", "logweir.cli.app",
    "logweir.cli.worker", "logweir.config.loading", "logweir.delivery.brokers.making", "logweir.runtime.from_broker",
    "logweir.runtime.worker_process", "support.consumers",
)  # fmt: skip
_LONGEST = 1 << 18


class Forked(subprocess.Popen[str]):
    """One of them. It is a child of the process from which it was forked, which is asked how it ended."""

    _child_created = False  # there is nothing to wait for where the interpreter ends

    def __init__(self, pid: int, stdout: IO[str] | None) -> None:
        self.pid = pid
        self.args = ()
        self.returncode: Any = None
        self.stdin = self.stderr = None
        self.stdout = stdout
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """As in Popen."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """As in Popen."""
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return int(self.returncode)

    def communicate(self, *_: object, **__: object) -> Never:
        """Not possible: read stdout, and wait."""
        raise NotImplementedError

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._end], [], [], timeout)[0]:
            self.returncode = os.waitstatus_to_exitcode(_origin().ask({"ended": self.pid}))
            os.close(self._end)
        return None if self.returncode is None else int(self.returncode)


def fork(
    run: Mapping[str, str],
    arguments: list[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdout: bool,
    stderr: IO[str],
) -> Forked:
    """Start a process.

    Args:
        run: Its ``code``, or the name of its ``module``.
        arguments: What is in ``sys.argv`` behind the name.
        cwd: Where it runs.
        env: Its environment.
        stdout: Whether what it writes there can be read.
        stderr: A file for what it says.
    """
    reading, writing = os.pipe() if stdout else (-1, os.open(os.devnull, os.O_WRONLY))
    what = {**run, "argv": arguments, "cwd": str(cwd), "env": dict(env)}
    try:
        pid = _origin().ask(what, writing, stderr.fileno())
    finally:
        os.close(writing)
    return Forked(pid, os.fdopen(reading) if stdout else None)


class _Origin:
    """The process from which they are forked, which ends with this one."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (self._socket, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-W",
                    "ignore::DeprecationWarning",
                    "-m",
                    "support.forked",
                    str(theirs.fileno()),
                ],
                env={**os.environ, "PYTHONPATH": str(TESTS)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches pytest alone
            )
        atexit.register(self.close)

    def ask(self, what: Mapping[str, Any], *files: int) -> int:
        """Ask it something, with open files for a new process; returns its answer."""
        message = json.dumps(what).encode()
        with self._lock:
            socket.send_fds(self._socket, [message], files)
            return int(self._socket.recv(100))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


_origins: list[_Origin] = []


def _origin() -> _Origin:
    if not _origins:
        _origins.append(_Origin())
    return _origins[0]


def _serve(asked: socket.socket) -> dict[str, Any]:
    """Fork whenever somebody asks; returns what is to be run, in the process that is to run it."""
    while True:
        message, files, _, _ = socket.recv_fds(asked, _LONGEST, 2)
        if not message:
            sys.exit()
        what: dict[str, Any] = json.loads(message)
        if "ended" in what:
            asked.send(str(os.waitpid(what["ended"], 0)[1]).encode())
        elif pid := os.fork():
            asked.send(str(pid).encode())
            for file in files:
                os.close(file)
        else:
            asked.close()
            for number, file in enumerate(files, start=1):
                os.dup2(file, number)
                os.close(file)
            return what


def _main(asked: int) -> None:
    for name in _LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    what = _serve(socket.socket(fileno=asked))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(what["cwd"])
    os.environ.clear()
    os.environ.update(what["env"])
    sys.path[0] = ""
    sys.argv = ["", *what["argv"]]
    if "module" in what:
        runpy.run_module(what["module"], run_name="__main__", alter_sys=True)
    else:
        exec(compile(what["code"], "<string>", "exec"), sys.modules["__main__"].__dict__)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
