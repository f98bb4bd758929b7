"""``make bench-engine``: every benchmark of logweir itself, with the servers that it needs started for it alone.

Each leaves its results as NAME.json in a folder, from which ``python -m logweir.benchmarks.page`` makes one page.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from servers.errors import NotStarted, Unavailable
from servers.kinds import Options
from servers.pool import Pool

#: What takes no server, in the order of the page.
ALONE = (
    "producer", "router", "run", "jobs", "durable", "elsewhere",
    "audit-chain", "starting", "hostile-calls", "dead-sink",
)  # fmt: skip
#: Of each benchmark that needs some: the servers, the variable of each one's URL, what that has behind the server's.
SERVERS = {
    "mysql": [("mysql", "MYSQL_URL", "")],
    "elasticsearch": [("elasticsearch", "ELASTICSEARCH_URL", "")],
    "mongodb": [("mongodb", "MONGODB_URL", "")],
    "loki": [("victorialogs", "LOKI_URL", "/insert")],
    "broker": [("redis", "REDIS_URL", "")],
    "kafka": [("kafka", "KAFKA", "")],
    "sinks-cpu": [
        ("postgresql", "POSTGRESQL_URL", ""),
        ("mysql", "MYSQL_URL", ""),
        ("victorialogs", "LOKI_URL", "/insert"),
        ("victorialogs", "VICTORIALOGS_URL", ""),
        ("elasticsearch", "ELASTICSEARCH_URL", ""),
        ("mongodb", "MONGODB_URL", ""),
    ],
}


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which; by default all.")] = None,
    folder: Annotated[Path, typer.Option(help="Where the results are kept.")] = Path("bench-engine"),
    quick: Annotated[bool, typer.Option(help="Tiny sizes, to see that they run.")] = False,
) -> None:
    """Measure one after another; a benchmark that fails is said, and the rest goes on."""
    failed = [name for name in names or [*ALONE, *SERVERS] if not _measure(name, folder, quick=quick)]
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def _measure(name: str, folder: Path, *, quick: bool) -> bool:
    pool = Pool()
    try:
        command = [sys.executable, "-m", "logweir.benchmarks", name, "--json", str(folder)]
        command += ["--quick"] if quick else []
        return not subprocess.run(command, check=False, env={**os.environ, **_urls(name, pool)}).returncode
    finally:
        pool.close()


def _urls(name: str, pool: Pool) -> dict[str, str]:
    """Start what the benchmark needs; what cannot be had is said and left out."""
    urls: dict[str, str] = {}
    started: dict[str, str] = {}
    for server, variable, path in SERVERS.get(name, ()):
        try:
            if server not in started:
                started[server] = pool.own(server, Options()).url
        except (NotStarted, Unavailable) as error:
            sys.stdout.write(f"{name}: not run: {server}: {error}\n")
        else:
            urls[f"LOGWEIR_BENCH_{variable}"] = f"{started[server]}{path}"
    return urls


if __name__ == "__main__":
    typer.run(main)
