"""Programs out of a process that has imported what they need: a sixth of the processor time of those that begin from nothing.

Each is a process of its own all the same, forked for it, with its own arguments, folder, environment, output and end of the interpreter.
That commands and programs begin from nothing is for the tests to show that start them so, such as ``tests/integration/test_command_line.py``.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path


def run(
    directory: Path,
    *command: str,
    environment: Mapping[str, str] | None = None,
    together: bool = False,
    timeout: float = 350,
) -> subprocess.CompletedProcess[str]:
    """Run ``logweir ...`` or ``python program.py ...`` to its end.

    Args:
        directory: Where it works.
        command: Begins with ``logweir``, or with ``python`` or its path and the name of a file.
        environment: In place of that of the tests.
        together: Its errors are among what it prints.
        timeout: After how many seconds it is killed, as by ``subprocess.run``.
    """
    what = {"command": command, "directory": str(directory), "environment": dict(environment or os.environ)}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        server = _server()
        socket.send_fds(
            server, [json.dumps(what).encode()], [out.fileno(), (out if together else err).fileno()]
        )
        pid = int(server.recv(100))
        server.settimeout(timeout)
        try:
            status = int(server.recv(100))
        except TimeoutError:
            os.kill(pid, 9)
            server.settimeout(None)
            server.recv(100)
            raise subprocess.TimeoutExpired(command, timeout) from None
        finally:
            server.settimeout(None)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), out.read(), err.read())


@cache
def _server() -> socket.socket:
    """The way to the process that has imported; it ends with this one."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(its.fileno())],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait(30)

    atexit.register(end)
    return ours


def _serve(way: socket.socket) -> None:
    """Fork for each that is asked for; returns in the child, which becomes it."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(way, 2**20, 2)
        if not message:
            os._exit(0)
        child = os.fork()
        if child == 0:
            break
        for each in descriptors:
            os.close(each)
        way.send(str(child).encode())
        way.send(str(os.waitpid(child, 0)[1]).encode())
    way.close()
    for number, each in enumerate(descriptors, start=1):
        os.dup2(each, number)
        os.close(each)
    asked = json.loads(message)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["directory"])
    name, *arguments = asked["command"]
    if name == "logweir":
        sys.path.insert(0, str(Path(sys.executable).parent))
        sys.argv[:] = [str(Path(sys.executable).parent / "logweir"), *arguments]
        _command()
    else:
        sys.path.insert(0, str(Path(arguments[0]).parent.absolute()))
        sys.argv[:] = arguments
        _program(arguments[0])


def _command() -> None:
    from logweir.__main__ import main

    sys.exit(main())  # type: ignore[func-returns-value]  # as the installed script does


def _program(path: str) -> None:
    module = types.ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    exec(compile(Path(path).read_bytes(), path, "exec"), module.__dict__)


def _load() -> None:
    """Import what nearly all programs import at some time, and what no page is about."""
    import gc
    import importlib
    import pkgutil

    import logweir
    import logweir.cli

    logweir.start  # noqa: B018 - its first use imports what runs on loops
    commands = [f"logweir.cli.{each.name}" for each in pkgutil.iter_modules(logweir.cli.__path__)]
    for name in (
        *commands,
        "logweir.__main__",
        "logweir.sinks.file.sink",
        "logweir.sinks.sql.sink",
        "sqlalchemy.dialects.sqlite.aiosqlite",
        "sqlalchemy.ext.asyncio",
    ):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _way:
        _load()
        _serve(_way)
