"""``make bench-growth``: stores grow to a million events (``huge``: ten), on servers started for it alone.

Their data are kept below the folder of the run, so that a run which was stopped anywhere, by whatever, goes on
when the same command is given again. Each server is one of its own, started again before cold questions.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from servers import machine
from servers.errors import NotStarted, Unavailable
from servers.guard import Guard
from servers.kinds import KINDS, Options
from servers.pool import prepare
from servers.restart import serve
from servers.server import OwnServer

#: What each server is started with beside what the tests' are; a buffer pool that a restart does not fill again.
ARGUMENTS = {
    "mysql": (
        "--innodb-buffer-pool-size=128M",
        "--innodb-buffer-pool-load-at-startup=OFF",
        "--innodb-buffer-pool-dump-at-shutdown=OFF",
    ),
    "mariadb": ("--innodb-buffer-pool-size=128M", "--innodb-buffer-pool-load-at-startup=OFF"),
    "postgresql": ("-c", "shared_buffers=128MB"),
}
#: Those whose sink has another type.
TYPES = {"mariadb": "mysql"}
SERVERS = ("mysql", "victorialogs", "elasticsearch")


def main() -> int:
    """Start the servers, measure, and end them."""
    parser = argparse.ArgumentParser(prog="python -m servers.bench_growth", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("bench-growth"))
    parser.add_argument("--servers", default=",".join(SERVERS), help="names, or none")
    parser.add_argument("--profile", default="large")
    options, further = parser.parse_known_args()
    folder = options.folder.absolute()
    (folder / "servers").mkdir(parents=True, exist_ok=True)
    watch = Path(tempfile.mkdtemp(prefix="logweir-"))
    guard = Guard(watch)
    running: dict[str, OwnServer] = {}
    try:
        for name in filter(None, options.servers.replace("none", "").split(",")):
            try:
                running[name] = _start(name, folder / "servers" / name, guard)
            except (NotStarted, Unavailable) as error:
                sys.stdout.write(f"not run: {name}: {error}\n")
        return _measure(options.profile, folder, running, further)
    finally:
        for server in running.values():
            server.stop()
        guard.close()


def _start(name: str, place: Path, guard: Guard) -> OwnServer:
    kind = KINDS[name]
    prepare(kind)
    data = place / "data"
    if not (place / "initialised").exists():
        shutil.rmtree(place, ignore_errors=True)
        data.mkdir(parents=True)
        if kind.owner is not None:
            machine.run(["chown", f"{kind.owner}:", str(data)])
        kind.initialise(data, guard)
        (place / "initialised").touch()
    port = machine.free_port()
    started_with = Options(args=ARGUMENTS.get(name, ()))
    server = OwnServer(
        name, kind.url(port, started_with), kind.programs(data, port, started_with),
        directory=place, data=data, guard=guard,
    )  # fmt: skip
    server.start()
    return server


def _measure(profile: str, folder: Path, running: dict[str, OwnServer], further: list[str]) -> int:
    control = folder / "servers" / "control"
    serve(control, {name: lambda server=server: _restart(server) for name, server in running.items()})
    command = [
        "logweir", "bench", "run", "--profile", profile, "--folder", str(folder), *_resumed(folder), *further
    ]  # fmt: skip
    for name, server in running.items():
        command += ["--backend", f"{name}:{TYPES.get(name, name)}={server.url}"]
        command += ["--data", f"{name}={server.data}"]
        command += ["--restart", f"{name}=python -m servers.restart {control} {name}"]
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
    return subprocess.run(command, env=environment, check=False).returncode


def _resumed(folder: Path) -> list[str]:
    return ["--resume"] if (folder / "results.json").exists() else []


def _restart(server: OwnServer) -> None:
    server.stop()
    server.start()


if __name__ == "__main__":
    sys.exit(main())
