"""PostgreSQL: the machine's own, else Debian's package; never as root, which it refuses."""

import shutil
from pathlib import Path
from signal import SIGINT
from typing import ClassVar

from servers import machine
from servers.guard import Guard
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.server import Program


class PostgreSQL(ServerKind):
    """Trusts loopback; user ``postgres``, database ``t``."""

    name: ClassVar[str] = "postgresql"

    def __init__(self) -> None:
        """Debian's package brings the user."""
        self.owner = "postgres" if machine.is_root() else None

    def prepare(self) -> str:
        """As in ServerKind."""
        if self._find("postgres") is None or self._find("initdb") is None:
            machine.install("postgresql")
        return machine.run([self._program("postgres"), "--version"]).strip()

    def initialise(self, data: Path, guard: Guard) -> None:
        """As in ServerKind."""
        where = ["-D", str(data / "db")]
        machine.run([self._program("initdb"), *where, "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                     "--locale=C.UTF-8", "--no-sync"], user=self.owner)  # fmt: skip
        machine.run([self._program("postgres"), "--single", *where, "postgres"], text="create database t\n",
                    user=self.owner)  # fmt: skip

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        argv = [
            self._program("postgres"), "-D", str(data / "db"), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
            "-c", "unix_socket_directories=", "-c", "max_connections=200", *options.args,
        ]  # fmt: skip
        ready = lambda: readiness.postgresql(port, "t")  # noqa: E731 - as short as the others
        return [Program(argv, ready, user=self.owner, end_signal=SIGINT)]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{port}/t"

    def _program(self, name: str) -> str:
        return self._find(name) or name

    @staticmethod
    def _find(name: str) -> str | None:
        """The newest version's: Debian keeps them out of PATH."""
        versions = [path for path in Path("/usr/lib/postgresql").glob("*") if path.name.isdigit()]
        newest = sorted(versions, key=lambda path: int(path.name), reverse=True)
        found = (shutil.which(path / "bin" / name) for path in newest)
        return next((path for path in found if path), None) or machine.program(name)
