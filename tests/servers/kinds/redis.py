"""Redis: the machine's own redis-server, else Debian's package."""

from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.server import Program


class Redis(ServerKind):
    """Every write is on disk before it is answered; with ``auth`` the password is ``p``.

    A later argument counts, so that a test may say ``args=["--maxmemory", "20mb"]``. Its socket is
    ``server.data / "redis.sock"``.
    """

    name: ClassVar[str] = "redis"
    abilities: ClassVar[frozenset[str]] = frozenset({"auth"})

    def prepare(self) -> str:
        """As in ServerKind."""
        machine.need({"redis-server": "redis-server"})
        return machine.run([self._program(), "--version"]).split(" sha=")[0]

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        argv = [
            self._program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(data),
            "--unixsocket", str(data / "redis.sock"), "--appendonly", "yes", "--appendfsync", "always",
            "--save", "", "--maxmemory-policy", "noeviction", *(["--requirepass", "p"] if options.auth else []),
            *options.args,
        ]  # fmt: skip
        return [Program(argv, lambda: readiness.redis(port))]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"redis://{':p@' if options.auth else ''}127.0.0.1:{port}/0"

    @staticmethod
    def _program() -> str:
        return machine.program("redis-server") or "redis-server"
