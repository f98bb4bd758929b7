"""MySQL: the machine's own mysqld, else MySQL of Debian sid in a chroot."""

from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.errors import Unavailable
from servers.guard import Guard
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.server import Program

FIRST_SQL = """\
create database t;
create user 'u'@'%' identified by 'p';
grant all on *.* to 'u'@'%' with grant option;
"""


class MySQL(ServerKind):
    """Logs in as ``u`` with password ``p``; database ``t``. TLS certificates are in its data directory."""

    name: ClassVar[str] = "mysql"
    abilities: ClassVar[frozenset[str]] = frozenset({"tls"})

    def prepare(self) -> str:
        """As in ServerKind."""
        if self._installed() is None:
            if not machine.is_root():
                raise Unavailable("no mysqld on this machine, and the recipe needs root to enter a chroot")
            machine.need({"awk": "mawk", "wget": "wget", "unshare": "util-linux"})
            machine.recipe(self.name, "chroot.sh", "sid", "mysql-server-core")
        return machine.run([*self._command(None), "--version"]).strip()

    def initialise(self, data: Path, guard: Guard) -> None:
        """As in ServerKind."""
        sql = data / "first.sql"
        sql.write_text(FIRST_SQL)
        inside = self._inside(data)
        machine.run([*self._command(data), "--no-defaults", *self._as_root(), "--initialize-insecure",
                     f"--datadir={inside}/db", f"--init-file={inside}/first.sql"])  # fmt: skip
        sql.unlink()
        (data / "ca.pem").write_bytes((data / "db" / "ca.pem").read_bytes())

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        inside = self._inside(data)
        argv = [
            *self._command(data), "--no-defaults", *self._as_root(), f"--datadir={inside}/db", f"--port={port}",
            f"--socket={inside}/mysql.sock", f"--pid-file={inside}/mysql.pid", "--bind-address=127.0.0.1",
            "--mysqlx=OFF", "--secure-file-priv=", "--innodb-buffer-pool-size=256M",
            *(["--require-secure-transport=ON"] if options.tls else []), *options.args,
        ]  # fmt: skip
        return [Program(argv, lambda: readiness.mysql(port))]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"mysql+aiomysql://u:p@127.0.0.1:{port}/t"

    def _command(self, data: Path | None) -> list[str]:
        installed = self._installed()
        if installed is not None:
            return [installed]
        binds = [] if data is None else [f"{data}:data"]
        root = machine.cache_directory(self.name) / "root"
        return [str(machine.RECIPES / "enter.sh"), str(root), *binds, "--", "mysqld"]

    def _inside(self, data: Path) -> Path:
        """The data directory as the server sees it."""
        return data if self._installed() else Path("/data")

    @staticmethod
    def _installed() -> str | None:
        """A mysqld of MySQL; MariaDB installs itself under this name as well."""
        found = machine.program("mysqld")
        return (
            found if found and "MariaDB" not in machine.run([found, "--no-defaults", "--version"]) else None
        )

    @staticmethod
    def _as_root() -> list[str]:
        return ["--user=root"] if machine.is_root() else []
