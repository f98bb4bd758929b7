"""Loki, built from its Go module."""

from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.server import Program


class Loki(ServerKind):
    """One process, chunks in its data directory, one tenant."""

    name: ClassVar[str] = "loki"

    def prepare(self) -> str:
        """As in ServerKind."""
        directory = machine.cache_directory(self.name)
        if not (directory / "bin" / "loki").exists():
            machine.need({"go": "golang-go"})
        machine.recipe(self.name, "loki/setup.sh")
        modules = (machine.RECIPES / "loki" / "go.mod").read_text()
        return "Loki " + next(line.split()[-1] for line in modules.splitlines() if "/loki/v3 " in line)

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        argv = [
            str(machine.cache_directory(self.name) / "bin" / "loki"),
            f"-config.file={machine.RECIPES}/loki/loki.yaml", "-config.expand-env=true", *options.args,
        ]  # fmt: skip
        places = {"HTTP_PORT": str(port), "GRPC_PORT": str(machine.free_port()), "DATA": str(data)}
        return [Program(argv, lambda: self._is_ready(port), environment=places)]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"http://127.0.0.1:{port}"

    @staticmethod
    def _is_ready(port: int) -> None:
        """It takes lines before it can be asked for them; tests do both."""
        readiness.http(port, "/ready")
        readiness.http(port, "/loki/api/v1/query_range?query=%7Bready%3D%22true%22%7D")
