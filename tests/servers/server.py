"""A server that a test can talk to, and (if the session started it) kill, pause, fill and start again."""

import errno
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from servers.errors import NotStarted
from servers.guard import Guard, end, freeze, wake

_START_DEADLINE = 90.0
_STOP_DEADLINE = 20.0


@dataclass(frozen=True)
class Program:
    """One process of a server, and how to know that it is ready."""

    argv: list[str]
    ready: Callable[[], object]  # raises OSError as long as the program does not answer
    user: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    end_signal: signal.Signals = signal.SIGTERM  # ends it cleanly, also while clients are connected


class Server:
    """A server somewhere, known by its URL; one that this session did not start can only be talked to."""

    def __init__(self, name: str, url: str) -> None:
        """``name`` is the fixture's; ``url`` is what a sink would be configured with."""
        self.name = name
        self.url = url
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"the URL of a test server names host and port: {name} has neither or only one")
        self.host: str = parts.hostname
        self.port: int = parts.port

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} on {self.host}:{self.port}>"

    def connect(self) -> socket.socket:
        """A bare TCP connection to it."""
        return socket.create_connection((self.host, self.port), 10)

    def kill(self) -> None:
        """Kill all processes of the server at once, as SIGKILL or a power cut would; its data stay."""
        raise self._not_ours()

    def start(self) -> None:
        """Start it (again), on the same port and data; returns when it answers. Does nothing while it runs."""
        raise self._not_ours()

    def pause(self) -> None:
        """Stop all its processes (SIGSTOP): it still accepts connections, and never answers."""
        raise self._not_ours()

    def resume(self) -> None:
        """Let a paused server go on."""
        raise self._not_ours()

    def stop(self) -> None:
        """Shut it down cleanly; its data stay."""
        raise self._not_ours()

    def _not_ours(self) -> RuntimeError:
        return RuntimeError(
            f"{self.name} was started by someone else; take own_server({self.name!r}) to do this"
        )


class OwnServer(Server):
    """A server whose processes belong to this session."""

    def __init__(
        self, name: str, url: str, programs: list[Program], *, directory: Path, data: Path, guard: Guard
    ) -> None:
        """Programs are started in order and stopped in the opposite one; ``directory`` takes their logs."""
        super().__init__(name, url)
        self.data = data
        self.log = directory / "log"
        self.started_in = 0.0
        self._programs = programs
        self._guard = guard
        self._running: list[subprocess.Popen[bytes]] = []
        self._paused = False

    @property
    def pids(self) -> list[int]:
        """The ids of its main processes, in order of their start."""
        return [process.pid for process in self._running]

    @property
    def alive(self) -> bool:
        """Whether all its main processes run; a paused one counts."""
        return bool(self._running) and all(process.poll() is None for process in self._running)

    @property
    def paused(self) -> bool:
        """Whether it was paused and not resumed since."""
        return self._paused

    def start(self) -> None:
        """As in Server."""
        if self.alive:
            return
        self.kill()  # what is left of it
        begin = time.perf_counter()
        try:
            for program in self._programs:
                self._launch(program, begin + _START_DEADLINE)
        except BaseException:
            self.kill()
            raise
        self.started_in = time.perf_counter() - begin

    def _launch(self, program: Program, deadline: float) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                program.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, **program.environment},
                start_new_session=True,
                **(
                    {}
                    if program.user is None
                    else {"user": program.user, "group": program.user, "extra_groups": []}
                ),
            )
        self._running.append(process)
        self._guard.watch(process.pid)
        while True:
            try:
                program.ready()
            except OSError as error:
                if process.poll() is not None or time.perf_counter() > deadline:
                    raise NotStarted(f"{self.name} did not start ({error}); {self._last_words()}") from None
                time.sleep(0.02)  # another process's readiness is no event that we could await
            else:
                return

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return "its log ends with:\n" + "\n".join(lines)

    def kill(self) -> None:
        """As in Server."""
        end(self._processes())
        self._reap()

    def stop(self) -> None:
        """As in Server."""
        self.resume()
        for process, program in reversed(list(zip(self._running, self._programs, strict=False))):
            if process.poll() is None:
                process.send_signal(program.end_signal)
                try:
                    process.wait(_STOP_DEADLINE)
                except subprocess.TimeoutExpired:
                    break
        self.kill()

    def pause(self) -> None:
        """As in Server."""
        freeze(self._processes())
        self._paused = True

    def resume(self) -> None:
        """As in Server."""
        for process in self._processes():
            wake(process)
        self._paused = False

    def fill_disk(self, *, leave: int = 0) -> None:
        """Take all free space of its data directory but ``leave`` bytes (own_server with ``size`` only)."""
        if not self.data.is_mount():
            raise RuntimeError(f"the disk of {self.name} is the machine's: give own_server a size")
        zeros = bytes(1 << 20)
        with self._ballast.open("ab", buffering=0) as file:
            while (free := self._free_space() - leave) > 0:  # the server writes as well, so look again
                try:
                    file.write(zeros[:free])
                except OSError as error:
                    if error.errno == errno.ENOSPC:
                        return
                    raise

    def free_disk(self) -> None:
        """Give the space back that fill_disk took."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.data / "ballast"

    def _free_space(self) -> int:
        disk = os.statvfs(self.data)
        return disk.f_bavail * disk.f_frsize

    def _processes(self) -> list[psutil.Process]:
        return [psutil.Process(process.pid) for process in self._running if process.poll() is None]

    def _reap(self) -> None:
        for process in self._running:
            process.wait(_STOP_DEADLINE)
        self._running.clear()
        self._paused = False
