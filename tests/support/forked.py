"""Processes that need not import logweir: each is forked from one that has, as a worker of gunicorn that preloads is.

A start of Python with logweir costs most of a second of processor time. For tests that start many programs, and are
about what happens when these are ended; not for those that are about a start, or about what is imported.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Never

__all__ = ["Forked", "fork", "run"]

_LOADED = (
    "aiosqlite", "asyncio", "random", "redis.asyncio.cluster", "sqlalchemy.dialects.sqlite.aiosqlite", "sqlalchemy.ext.asyncio",
    "structlog", "textwrap", "yaml", "logweir.__main__", "logweir.auditing.record", "logweir.config.loading",
    "logweir.delivery.brokers.kafka", "logweir.delivery.brokers.making", "logweir.delivery.brokers.redis", "logweir.runtime.current",
    "logweir.runtime.from_broker", "logweir.runtime.pipeline", "logweir.runtime.worker_process", "logweir.sinks.file.sink",
    "logweir.sinks.sql.sink",
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
            self.returncode = os.waitstatus_to_exitcode(_origin().status(self.pid))
            os.close(self._end)
        return None if self.returncode is None else int(self.returncode)


def fork(
    begin: Mapping[str, str],
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdout: bool,
    stderr: IO[str],
) -> Forked:
    """Start a process.

    Args:
        begin: What it runs: its ``code``, the name of a ``module``, the path of a ``program``, or a ``command``.
        arguments: What is in ``sys.argv`` behind the name.
        cwd: Where it runs.
        env: Its environment.
        stdout: Whether what it writes there can be read.
        stderr: A file for what it says.
    """
    with Path(os.devnull).open("r+") as nothing:
        reading, writing = os.pipe() if stdout else (-1, os.dup(nothing.fileno()))
        try:
            pid = _origin().fork(begin, arguments, cwd, env, nothing.fileno(), writing, stderr.fileno())
        finally:
            os.close(writing)
    return Forked(pid, os.fdopen(reading) if stdout else None)


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    together: bool = False,
    timeout: float = 350,
) -> subprocess.CompletedProcess[str]:
    """Run ``logweir ...``, ``python program.py ...`` or ``python -m module ...`` to its end, as ``subprocess.run`` does.

    Args:
        command: Its words.
        cwd: Where it runs.
        env: Its environment.
        stdin: What it reads, out of a pipe.
        together: Its errors are among what it prints.
        timeout: After how many seconds it is killed.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        said = out if together else err
        begin, arguments = _begin(command)
        pid = _origin().fork(begin, arguments, cwd, env, reading, out.fileno(), said.fileno())
        os.close(reading)
        feeder = threading.Thread(target=_feed, args=(writing, stdin))
        feeder.start()
        process = Forked(pid, None)
        try:
            status = process.wait(timeout)
        except BaseException:  # that of a test that takes too long, too
            process.kill()
            process.wait()
            raise
        finally:
            feeder.join()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, status, out.read(), err.read())


def _begin(command: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    match command:
        case ["logweir", *arguments]:
            return {"command": "logweir"}, arguments
        case [_, "-m", module, *arguments]:
            return {"module": module}, arguments
        case [_, program, *arguments]:
            return {"program": program}, arguments
    raise ValueError(f"neither logweir nor Python: {command}")


def _feed(pipe: int, text: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(pipe, "wb") as end:
        end.write(text)


class _Origin:
    """The process from which they are forked, which ends with this one."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (self._socket, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore::DeprecationWarning", __file__, str(theirs.fileno())],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches pytest alone
            )
        atexit.register(self.close)

    def fork(
        self,
        begin: Mapping[str, str],
        arguments: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *files: int,
    ) -> int:
        """Start a process with these files for its input, its output and its errors; returns its id."""
        return self._ask({**begin, "argv": [*arguments], "cwd": str(cwd), "env": dict(env)}, *files)

    def status(self, pid: int) -> int:
        """How a process has ended, as ``os.waitpid`` gives it."""
        return self._ask({"ended": pid})

    def _ask(self, what: Mapping[str, Any], *files: int) -> int:
        message = json.dumps(what).encode()
        with self._lock:
            socket.send_fds(self._socket, [message], files)
            return int(self._socket.recv(100))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


@cache
def _origin() -> _Origin:
    return _Origin()


def _serve(asked: socket.socket) -> dict[str, Any]:
    """Fork whenever somebody asks; returns what is to be run, in the process that is to run it."""
    while True:
        message, files, _, _ = socket.recv_fds(asked, _LONGEST, 3)
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
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            return what


def _become(what: Mapping[str, Any]) -> None:
    """Run what was asked for, as an interpreter that has begun with it would."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(what["cwd"])
    os.environ.clear()
    os.environ.update(what["env"])
    sys.path[:0] = [path for path in what["env"].get("PYTHONPATH", "").split(":") if path]
    if "command" in what:
        _run_command(what["command"], what["argv"])
    elif "program" in what:
        _run_program(what["program"], what["argv"])
    else:
        sys.path.insert(0, "")
        sys.argv = ["", *what["argv"]]
        if "module" in what:
            sys.modules.pop(f"{what['module']}.__main__", None)  # it runs under another name
            runpy.run_module(what["module"], run_name="__main__", alter_sys=True)
        else:
            exec(compile(what["code"], "<string>", "exec"), _new_main().__dict__)


def _run_command(name: str, arguments: list[str]) -> None:
    folder = Path(sys.executable).parent
    sys.path.insert(0, str(folder))
    sys.argv = [str(folder / name), *arguments]
    from logweir.__main__ import main

    main()


def _run_program(path: str, arguments: list[str]) -> None:
    sys.path.insert(0, str(Path(path).parent.absolute()))
    sys.argv = [path, *arguments]
    _new_main().__file__ = path
    exec(compile(Path(path).read_bytes(), path, "exec"), sys.modules["__main__"].__dict__)


def _new_main() -> ModuleType:
    module = sys.modules["__main__"] = ModuleType("__main__")
    return module


def _load() -> None:
    """Import what nearly all of them import at some time."""
    import logweir.cli

    commands = [f"logweir.cli.{each.name}" for each in pkgutil.iter_modules(logweir.cli.__path__)]
    for name in (*commands, *_LOADED):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _load()
    _become(_serve(socket.socket(fileno=int(sys.argv[1]))))
