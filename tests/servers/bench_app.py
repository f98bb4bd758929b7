"""``python -m servers.bench_app``: the benchmark of the application against real servers, started for it.

They are started on the last core, where the benchmark has its load; its service is on the first.
"""

import os
import subprocess
import sys

from servers import machine
from servers.errors import NotStarted, Unavailable
from servers.kinds import Options
from servers.pool import Pool

#: What the benchmark calls them, the variable with their URL, and what that has behind the server's.
STORES = {
    "mysql": ("LOGWEIR_BENCH_MYSQL_URL", ""),
    "victorialogs": ("LOGWEIR_BENCH_LOKI_URL", "/insert"),
    "redis": ("LOGWEIR_BENCH_REDIS_URL", ""),
    "kafka": ("LOGWEIR_BENCH_KAFKA", ""),
}


def main(arguments: list[str]) -> int:
    """Start them, measure, and end them; what cannot be had is said and left out."""
    pool, cores = Pool(), os.sched_getaffinity(0)
    # Where Kafka listens for the relay that makes it dead or slow, and where that will be.
    via = f"{machine.free_port()}:{machine.free_port()}"
    urls = {"LOGWEIR_BENCH_KAFKA_VIA": via}
    try:
        os.sched_setaffinity(0, {max(cores)})
        for name, (variable, path) in STORES.items():
            try:
                options = Options(args=(f"via={via}",) if name == "kafka" else ())
                urls[variable] = f"{pool.own(name, options).url}{path}"
            except (NotStarted, Unavailable) as error:
                sys.stdout.write(f"not run: {name}: {error}\n")
        os.sched_setaffinity(0, cores)
        command = [sys.executable, "-m", "logweir.benchmarks.app", *arguments]
        return subprocess.run(command, check=False, env={**os.environ, **urls}).returncode
    finally:
        pool.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
