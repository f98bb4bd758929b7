"""The servers of one session: prepared once, shared or private, all gone when the pool is closed."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from servers import machine
from servers.errors import NotStarted, Unavailable
from servers.guard import Guard, remove
from servers.kinds import KINDS, Options, ServerKind
from servers.server import OwnServer, Server


def variable(name: str) -> str:
    """The environment variable with the URL of a server that runs already, or "none" to do without it."""
    return f"LOGWEIR_TEST_{name.upper()}_URL"


def prepare(kind: ServerKind) -> str:
    """Install a kind of server, once for all processes that want it; returns what will answer."""
    with machine.only_one(kind.name):
        return kind.prepare()


class Pool:
    """Gives out servers; methods raise Unavailable or NotStarted, the same for each test that asks."""

    def __init__(
        self, *, before_preparation: Callable[[], object] = lambda: None, brief: bool = False
    ) -> None:
        """``before_preparation`` is called when something may take minutes; ``brief`` is that of Options."""
        self._brief = brief
        self._before_preparation = before_preparation
        self._directory: Path | None = None
        self._guard: Guard | None = None
        self._prepared: set[str] = set()
        self._failed: dict[str, Unavailable | NotStarted] = {}
        self._shared: dict[str, Server] = {}
        self._count = 0

    def shared(self, name: str) -> Server:
        """The session's server of this name, started at its first use."""
        if name not in self._shared:
            self._shared[name] = self._outside(name) or self.own(name, Options(brief=self._brief))
        return self._shared[name]

    def revive(self, names: list[str]) -> None:
        """Bring shared servers back that a test left killed or paused."""
        for name in names:
            server = self._shared.get(name)
            if isinstance(server, OwnServer):
                if server.paused:
                    server.resume()
                server.start()

    def own(self, name: str, options: Options) -> OwnServer:
        """A new, started server."""
        kind = KINDS[name]
        for ability in ("auth", "tls"):
            if getattr(options, ability) and ability not in kind.abilities:
                raise ValueError(f"own_server({name!r}) has no option {ability}")
        if os.environ.get(variable(name)) == "none":
            raise Unavailable(f"{variable(name)}=none")
        self._prepare(kind)
        guard = self._start_guard()
        directory = self._new_directory(name)
        data = self._new_data(kind, directory, options)
        port = machine.free_port()
        server = OwnServer(
            name, kind.url(port, options), kind.programs(data, port, options),
            directory=directory, data=data, guard=guard,
        )  # fmt: skip
        try:
            server.start()
        except BaseException:
            self.discard(server)
            raise
        return server

    def discard(self, server: OwnServer) -> None:
        """Kill a server and delete its data."""
        server.kill()
        remove(server.data.parent)

    def close(self) -> None:
        """End and delete everything that was started."""
        for server in self._shared.values():
            if isinstance(server, OwnServer):
                server.kill()
        if self._guard is not None:
            self._guard.close()

    def _outside(self, name: str) -> Server | None:
        url = os.environ.get(variable(name))
        if not url or url == "none":
            return None
        server = Server(name, url)
        try:
            server.connect().close()
        except OSError as error:
            raise Unavailable(f"the server of {variable(name)} does not answer: {error}") from None
        return server

    def _prepare(self, kind: ServerKind) -> None:
        if kind.name in self._failed:
            raise self._failed[kind.name]
        if kind.name in self._prepared:
            return
        self._before_preparation()
        try:
            prepare(kind)
            self._make_template(kind)
        except (Unavailable, NotStarted) as error:
            self._failed[kind.name] = error
            raise
        self._prepared.add(kind.name)

    def _make_template(self, kind: ServerKind) -> None:
        self._start_guard()
        data = self._template(kind)
        data.mkdir(mode=0o755)
        self._give_away(kind, data)
        kind.initialise(data, self._start_guard())

    def _new_data(self, kind: ServerKind, directory: Path, options: Options) -> Path:
        data = directory / "data"
        data.mkdir(mode=0o755)
        if options.size is not None:
            if not machine.is_root():
                raise Unavailable("needs root to mount a disk of limited size")
            machine.run(
                ["mount", "-t", "tmpfs", "-o", f"size={options.size},mode=0755", "logweir", str(data)]
            )
        self._give_away(kind, data)
        # A small disk holds what the server has reserved for itself, as a real one does.
        holes = "--sparse=always" if options.size is None else "--sparse=never"
        machine.run(["cp", "-a", "--reflink=auto", holes, f"{self._template(kind)}/.", str(data)])
        return data

    @staticmethod
    def _give_away(kind: ServerKind, data: Path) -> None:
        if kind.owner is not None:
            machine.run(["chown", f"{kind.owner}:", str(data)])

    def _template(self, kind: ServerKind) -> Path:
        return self._base() / f"{kind.name}-template"

    def _new_directory(self, name: str) -> Path:
        self._count += 1
        directory = self._base() / f"{name}-{self._count}"
        directory.mkdir(mode=0o711)
        return directory

    def _base(self) -> Path:
        """Short, for the sockets in it; others may pass, for the server that is not root."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="logweir-"))
            self._directory.chmod(0o711)
        return self._directory

    def _start_guard(self) -> Guard:
        if self._guard is None:
            self._guard = Guard(self._base())
        return self._guard
