"""Loki: a strict double of its documented behaviour, since its server may not be built here."""

import sys
from pathlib import Path
from typing import ClassVar

from servers import machine
from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.server import Program

#: Tests write events of years ago and read them back in one query, and fast; a large event comes back whole.
_GENEROUS = (
    "-validation.reject-old-samples=false",
    "-distributor.max-line-size=1MB",
    "-distributor.ingestion-rate-limit-mb=64",
    "-distributor.ingestion-burst-size-mb=128",
    "-ingester.per-stream-rate-limit=64MB",
    "-ingester.per-stream-rate-limit-burst=128MB",
    "-store.max-query-length=0s",
)


class Loki(ServerKind):
    """One process that keeps its entries in its data directory."""

    name: ClassVar[str] = "loki"
    double: ClassVar[bool] = True

    def prepare(self) -> str:
        """As in ServerKind."""
        return "a double of Loki 3.7; a real one is used where LOGWEIR_TEST_LOKI_URL names it"

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind."""
        argv = [
            sys.executable, "-m", "servers.loki_double", f"-port={port}", f"-data={data}",
            *_GENEROUS, *options.args,
        ]  # fmt: skip
        environment = {"PYTHONPATH": str(machine.RECIPES.parents[1])}
        return [Program(argv, lambda: readiness.http(port, "/ready"), environment=environment)]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"http://127.0.0.1:{port}"
