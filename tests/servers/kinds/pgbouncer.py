"""PgBouncer in front of a PostgreSQL of its own: each transaction gets whichever connection is free."""

from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.guard import Guard
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.kinds.postgresql import PostgreSQL
from servers.server import Program

_INI = """\
[databases]
* = host={data} port={port} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
server_round_robin = 1
log_connections = 0
log_disconnections = 0
"""


class PgBouncer(ServerKind):
    """User ``postgres``, database ``t``, transaction mode, no startup parameter ignored.

    Its connections to PostgreSQL take turns, so that what a client left on one of them is soon missed. It is
    two programs, which are killed, paused and stopped together; arguments are PostgreSQL's. Past the pooler
    PostgreSQL is asked on the socket in ``server.data``, under the same port.
    """

    name: ClassVar[str] = "pgbouncer"

    def __init__(self) -> None:
        """Neither of the two runs as root."""
        self._postgresql = PostgreSQL()
        self.owner = self._postgresql.owner

    def prepare(self) -> str:
        """As in ServerKind."""
        behind = self._postgresql.prepare()
        machine.need({"pgbouncer": "pgbouncer"})
        return machine.run([self._program(), "--version"]).splitlines()[0] + f" before {behind}"

    def initialise(self, data: Path, guard: Guard) -> None:
        """As in ServerKind."""
        self._postgresql.initialise(data, guard)

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        settings = data / "pgbouncer.ini"
        settings.write_text(_INI.format(data=data, port=port))
        settings.chmod(0o644)
        (postgresql,) = self._postgresql.programs(data, port, options)
        # On a socket alone: the port is the pooler's.
        argv = [*postgresql.argv, "-c", "listen_addresses=", "-c", f"unix_socket_directories={data}"]
        socket = data / f".s.PGSQL.{port}"
        behind = Program(
            argv, lambda: readiness.postgresql(socket, "t"), user=self.owner, end_signal=postgresql.end_signal
        )
        pooler = Program(
            [self._program(), "-q", str(settings)], lambda: readiness.postgresql(port, "t"), user=self.owner
        )
        return [behind, pooler]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return self._postgresql.url(port, options)

    @staticmethod
    def _program() -> str:
        return machine.program("pgbouncer") or "pgbouncer"
