"""``make bench-servers``: ``logweir bench run`` against every server that can be had here, started for it."""

import os
import subprocess
import sys
from pathlib import Path

from servers.errors import NotStarted, Unavailable
from servers.kinds import KINDS
from servers.pool import Pool, variable

#: Servers that a sink of another type writes to, and what its URL has behind the server's.
TYPES = {"mariadb": ("mysql", ""), "victorialogs": ("loki", "/insert")}


def main(arguments: list[str]) -> int:
    """Start them, measure, and end them; what cannot be had is said and left out."""
    pool = Pool()
    try:
        command = [str(Path(sys.executable).parent / "logweir"), "bench", "run"]
        for name in KINDS:
            try:
                if KINDS[name].double and not os.environ.get(variable(name)):
                    raise Unavailable(f"a double is not worth measuring, and {variable(name)} names none")
                url = pool.shared(name).url
            except (NotStarted, Unavailable) as error:
                sys.stdout.write(f"not run: {name}: {error}\n")
            else:
                sink_type, path = TYPES.get(name, (name, ""))
                command += ["--backend", f"{name}:{sink_type}={url}{path}"]
        return subprocess.run([*command, *arguments], check=False).returncode
    finally:
        pool.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
