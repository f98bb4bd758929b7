"""MariaDB: the machine's own mariadbd, else Debian's package."""

from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.guard import Guard
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.kinds.mysql import FIRST_SQL
from servers.server import Program


class MariaDB(ServerKind):
    """Logs in as ``u`` with password ``p``; database ``t``."""

    name: ClassVar[str] = "mariadb"

    def prepare(self) -> str:
        """As in ServerKind."""
        machine.need(
            {"mariadbd": "mariadb-server-core", "mariadb-install-db": "mariadb-server-core",
             "my_print_defaults": "mariadb-client-core"}
        )  # fmt: skip
        return machine.run([self._mariadbd(), "--no-defaults", "--version"]).strip()

    def initialise(self, data: Path, guard: Guard) -> None:
        """As in ServerKind."""
        installer = machine.program("mariadb-install-db") or "mariadb-install-db"
        options = ["--no-defaults", *self._as_root(), f"--datadir={data}/db"]
        machine.run([installer, *options, "--auth-root-authentication-method=normal", "--skip-test-db"])
        first = "flush privileges;\n" + FIRST_SQL  # loads the grants, which bootstrapping leaves out
        machine.run([self._mariadbd(), *options, "--bootstrap"], text=first)

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        argv = [
            self._mariadbd(), "--no-defaults", *self._as_root(), f"--datadir={data}/db", f"--port={port}",
            f"--socket={data}/mysql.sock", f"--pid-file={data}/mysql.pid", "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=256M", *options.args,
        ]  # fmt: skip
        return [Program(argv, lambda: readiness.mysql(port))]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"mysql+aiomysql://u:p@127.0.0.1:{port}/t"

    @staticmethod
    def _mariadbd() -> str:
        return machine.program("mariadbd") or "mariadbd"

    @staticmethod
    def _as_root() -> list[str]:
        return ["--user=root"] if machine.is_root() else []
