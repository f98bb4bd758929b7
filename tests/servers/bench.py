"""``make bench-servers``: ``logweir bench run`` against every server that can be had here, started for it."""

import subprocess
import sys
from pathlib import Path

from servers.errors import NotStarted, Unavailable
from servers.kinds import KINDS
from servers.pool import Pool

#: Servers that a sink of another name writes to.
TYPES = {"mariadb": "mysql"}


def main(arguments: list[str]) -> int:
    """Start them, measure, and end them; what cannot be had is said and left out."""
    pool = Pool()
    try:
        command = [str(Path(sys.executable).parent / "logweir"), "bench", "run"]
        for name in KINDS:
            try:
                url = pool.shared(name).url
            except (NotStarted, Unavailable) as error:
                sys.stdout.write(f"not run: {name}: {error}\n")
            else:
                command += ["--backend", f"{name}:{TYPES.get(name, name)}={url}"]
        return subprocess.run([*command, *arguments], check=False).returncode
    finally:
        pool.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
