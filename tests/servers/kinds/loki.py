"""Loki: a double of it, by its documentation (see ``servers.loki_double``); no Loki is installed."""

import sys
from pathlib import Path
from typing import ClassVar

from servers.kinds import readiness
from servers.kinds.contract import Options, ServerKind
from servers.server import Program

_TESTS = Path(__file__).parents[2]
#: Tests write events of years ago and read them back in one query; a large event of the contract suite
#: comes back whole; and no rate is in the way.
_LIMITS = (
    "-auth.enabled=false",
    "-validation.reject-old-samples=false",
    "-distributor.max-line-size=1MB",
    "-store.max-query-length=0s",
    "-validation.allow-structured-metadata=true",
    "-distributor.ingestion-rate-limit-mb=64",
    "-distributor.ingestion-burst-size-mb=128",
    "-ingester.per-stream-rate-limit=64MB",
    "-ingester.per-stream-rate-limit-burst=128MB",
)


class Loki(ServerKind):
    """One process, one file in its data directory, one tenant."""

    name: ClassVar[str] = "loki"
    double: ClassVar[bool] = True

    def prepare(self) -> str:
        """As in ServerKind: nothing is to be installed."""
        return "a double of Loki 3.7; a real one is used where LOGWEIR_TEST_LOKI_URL names it"

    def programs(self, data: Path, port: int, options: Options) -> list[Program]:
        """As in ServerKind; of an argument that comes twice the test's counts."""
        argv = [
            sys.executable, "-m", "servers.loki_double", f"-port={port}", f"-data={data}",
            *_LIMITS, *options.args,
        ]  # fmt: skip
        return [
            Program(argv, lambda: readiness.http(port, "/ready"), environment={"PYTHONPATH": str(_TESTS)})
        ]

    def url(self, port: int, options: Options) -> str:
        """As in ServerKind."""
        return f"http://127.0.0.1:{port}"
