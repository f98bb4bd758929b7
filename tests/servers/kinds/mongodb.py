"""A server of MongoDB's protocol: FerretDB over PostgreSQL with the DocumentDB extension."""

from pathlib import Path
from signal import SIGINT
from typing import ClassVar

from servers import machine
from servers.errors import Unavailable
from servers.guard import Guard
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.server import OwnServer, Program

_BIN = "/usr/lib/postgresql/18/bin"
_CONFIG = """\
listen_addresses = ''
unix_socket_directories = '/sock'
unix_socket_permissions = 0700
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
cron.host = '/sock'
cron.log_run = off
cron.log_statement = off
documentdb.localhost_connection_string = 'host=/sock'   # without it collections cannot be created
documentdb.maxWriteBatchSize = 100000                   # what hello announces; the default is less
documentdb_core.enableCollation = on
max_connections = 120
shared_buffers = 256MB
max_wal_size = 2GB
jit = off
"""
_FIRST_SQL = """\
create extension if not exists documentdb cascade;
select documentdb_api.create_user('{"createUser": "u", "pwd": "p", "roles": [
  {"role": "readWriteAnyDatabase", "db": "admin"}, {"role": "clusterAdmin", "db": "admin"}]}');
"""


class MongoDB(ServerKind):
    """No login by default; with ``auth`` as ``u`` with password ``p``.

    It is two programs, FerretDB and its PostgreSQL, which are killed, paused and stopped together, as the
    one mongod would be.
    """

    name: ClassVar[str] = "mongodb"
    abilities: ClassVar[frozenset[str]] = frozenset({"auth"})

    def prepare(self) -> str:
        """As in ServerKind."""
        if not machine.is_root():
            raise Unavailable("the recipe needs root to enter a chroot")
        machine.need({"go": "golang-go", "awk": "mawk", "wget": "wget", "unshare": "util-linux"})
        directory = machine.recipe("ferretdb", "ferretdb.sh")
        return "FerretDB " + machine.run([str(directory / "bin" / "ferretdb"), "--version"]).splitlines()[0]

    def initialise(self, data: Path, guard: Guard) -> None:
        """As in ServerKind."""
        owner = self._postgres_user()
        for name in ("pg", "sock"):
            (data / name).mkdir(mode=0o700)
            machine.run(["chown", owner, str(data / name)])
        (data / "ferretdb").mkdir()
        machine.run([*self._enter(data), f"{_BIN}/initdb", "-D", "/data", "-U", "postgres", "--auth=trust",
                     "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])  # fmt: skip
        with (data / "pg" / "postgresql.conf").open("a") as config:
            config.write(_CONFIG)
        postgres = OwnServer(
            self.name, self.url(1, Options()), [self.postgres(data)], directory=data, data=data, guard=guard
        )
        postgres.start()
        machine.run([*self._enter(data), "/usr/bin/psql", "-h", "/sock", "-U", "postgres", "-Xq",
                     "-v", "ON_ERROR_STOP=1"], text=_FIRST_SQL)  # fmt: skip
        postgres.stop()

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        ferretdb = machine.cache_directory("ferretdb") / "bin" / "ferretdb"
        argv = [
            str(ferretdb), f"--postgresql-url=postgres://postgres@localhost/postgres?host={data}/sock",
            f"--listen-addr=127.0.0.1:{port}", "--debug-addr=-", f"--state-dir={data}/ferretdb",
            "--telemetry=disable", "--log-level=WARN", *([] if options.auth else ["--no-auth"]), *options.args,
        ]  # fmt: skip
        return [
            self.postgres(data),
            Program(argv, lambda: readiness.mongodb(port), environment={"DO_NOT_TRACK": "1"}),
        ]

    def postgres(self, data: Path) -> Program:
        """PostgreSQL alone, on a socket in the data directory."""
        socket = data / "sock" / ".s.PGSQL.5432"
        return Program(
            [*self._enter(data), f"{_BIN}/postgres", "-D", "/data"],
            lambda: readiness.postgresql(socket, "postgres"),
            end_signal=SIGINT,
        )

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"mongodb://{'u:p@' if options.auth else ''}127.0.0.1:{port}/"

    def _enter(self, data: Path) -> list[str]:
        root = machine.cache_directory("ferretdb") / "root"
        binds = [f"{data}/pg:data", f"{data}/sock:sock"]
        return [str(machine.RECIPES / "enter.sh"), str(root), "-u", "postgres", *binds, "--"]

    @staticmethod
    def _postgres_user() -> str:
        """The chroot's postgres, by number."""
        users = (machine.cache_directory("ferretdb") / "root" / "etc" / "passwd").read_text()
        entry = next(line for line in users.splitlines() if line.startswith("postgres:")).split(":")
        return f"{entry[2]}:{entry[3]}"
