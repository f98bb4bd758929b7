"""A Redis Cluster of three nodes without replicas, each with a third of the slots."""

import subprocess
from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.kinds import readiness
from servers.kinds.contract import Options
from servers.kinds.redis import Redis
from servers.server import Program

_NODES = 3


class RedisCluster(Redis):
    """The url is that of the first node; a node that is away leaves the slots of the others served.

    A later argument counts, as with ``redis``.
    """

    name: ClassVar[str] = "redis_cluster"

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        ports = [port, *(machine.free_port() for _ in range(_NODES - 1))]
        made = []
        for number, own in enumerate(ports):
            folder = data / f"node{number}"
            folder.mkdir(exist_ok=True)
            arguments = (
                "--cluster-enabled", "yes", "--cluster-port", str(machine.free_port()),
                "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no", *options.args,
            )  # fmt: skip
            (program,) = super().programs(folder, own, Options(arguments, options.auth))
            made.append(program)
        last = made.pop()
        return [*made, Program(last.argv, lambda: self._join(ports, options))]

    def _join(self, ports: list[int], options: Options) -> None:
        """Make the nodes one cluster, unless they are."""
        for port in ports:
            readiness.redis(port)
        for port in ports:
            said = self._command(options, "-p", str(port), "cluster", "info")
            if "cluster_known_nodes:1\n" in said.replace("\r", ""):
                nodes = [f"127.0.0.1:{each}" for each in ports]
                self._command(options, "--cluster", "create", *nodes, "--cluster-yes")
            if "cluster_state:ok" not in said or f"cluster_known_nodes:{_NODES}" not in said:
                raise ConnectionError("the nodes do not know each other yet")

    @staticmethod
    def _command(options: Options, *arguments: str) -> str:
        login = ["-a", "p", "--no-auth-warning"] if options.auth else []
        program = machine.program("redis-cli") or "redis-cli"
        command = [program, *login, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
