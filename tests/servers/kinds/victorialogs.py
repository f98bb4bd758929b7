"""VictoriaLogs, built from its Go module: a real server that speaks Loki's push API, under ``/insert``."""

from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.server import Program

_MODULE = "github.com/VictoriaMetrics/VictoriaLogs"


class VictoriaLogs(ServerKind):
    """One process; keeps events of any time and length, since it drops others without a word; may delete."""

    name: ClassVar[str] = "victorialogs"

    def prepare(self) -> str:
        """As in ServerKind."""
        if not self._program().exists():
            machine.need({"go": "golang-go"})
        machine.recipe(self.name, "victorialogs/setup.sh")
        modules = (machine.RECIPES / "victorialogs" / "go.mod").read_text()
        return "VictoriaLogs " + next(line.split()[1] for line in modules.splitlines() if _MODULE in line)

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        argv = [
            str(self._program()), f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=100y", "-futureRetention=100y", "-delete.enable", "-insert.maxLineSizeBytes=2MB",
            *options.args,
        ]  # fmt: skip
        return [Program(argv, lambda: readiness.http(port, "/health"))]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind; a sink of type ``loki`` takes this URL with ``/insert`` behind it."""
        return f"http://127.0.0.1:{port}"

    def _program(self) -> Path:
        return machine.cache_directory(self.name) / "bin" / "victoria-logs"
