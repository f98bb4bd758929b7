"""What this machine has: programs, Debian packages, free ports, and the directory where recipes build.

Nothing here starts a server or touches a service of the system.
"""

import fcntl
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from servers.errors import Unavailable

RECIPES = Path(__file__).parent / "recipes"
PORTS = range(20_000, 32_000)  # below what the kernel hands out to clients: no client of ours sits on one
_MORE_PATHS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/go/bin")
_POLICY = Path("/usr/sbin/policy-rc.d")


def cache_directory(name: str) -> Path:
    """Where the recipe called ``name`` builds; outside of the repository, kept from run to run."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = base / "logweir" / "servers" / name
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Let one process at a time prepare ``name``."""
    with cache_directory(name).with_name(f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_root() -> bool:
    """Whether packages can be installed and chroots entered."""
    return os.geteuid() == 0


def program(name: str, *more_paths: str) -> str | None:
    """The path of an installed program."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS, *more_paths]))


def run(
    command: list[str], *, log: Path | None = None, text: str | None = None, user: str | None = None
) -> str:
    """Run a command to its end; returns what it said, or raises Unavailable with the last lines of it."""
    environment = {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS])}
    environment |= {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        input=text or "",
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd="/",
        check=False,
        errors="replace",
        start_new_session=True,
        **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
    )
    if log is not None:
        with log.open("a") as file:
            file.write(done.stdout)
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-5:])
        raise Unavailable(f"`{' '.join(command)}` failed with status {done.returncode}:\n{end}")
    return done.stdout


def need(programs: dict[str, str], *, files: dict[str, str] | None = None) -> None:
    """Install the Debian packages of the programs (name → package) and files (glob below /usr/lib) that are missing."""
    missing = {package for name, package in programs.items() if program(name) is None}
    for pattern, package in (files or {}).items():
        if not any(Path("/usr/lib").glob(pattern)):
            missing.add(package)
    if missing:
        install(*sorted(missing))


def install(*packages: str) -> None:
    """Install Debian packages, without starting any service that they bring."""
    wanted = " ".join(packages)
    if program("apt-get") is None:
        raise Unavailable(
            f"not on this machine, and without apt-get it cannot be installed (Debian: {wanted})"
        )
    if not is_root():
        raise Unavailable(f"needs root to install ({wanted})")
    with only_one("apt"):
        _update_package_lists()
        no_policy = not _POLICY.exists()
        if no_policy:
            _POLICY.write_text("#!/bin/sh\nexit 101\n")
            _POLICY.chmod(0o755)
        try:
            run(
                [
                    "apt-get",
                    "-q",
                    "-y",
                    "-o",
                    "DPkg::Lock::Timeout=120",
                    "--no-install-recommends",
                    "install",
                    *packages,
                ]
            )
        finally:
            if no_policy:
                _POLICY.unlink()


@cache
def _update_package_lists() -> None:
    run(["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "update"])


def recipe(name: str, script: str, *arguments: str) -> Path:
    """Run a recipe's script, which does nothing when it has run before; returns its directory."""
    directory = cache_directory(name)
    run([str(RECIPES / script), str(directory), *arguments], log=directory / "setup.log")
    return directory


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    # Not by the seed of a test's order: tests in two processes would be given the same port at the same time.
    for port in random.SystemRandom().sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Unavailable("200 ports tried, none is free")
