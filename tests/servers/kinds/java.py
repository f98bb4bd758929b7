"""What the servers that are written in Java have in common: how they are soon ready for a test."""

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from servers import machine
from servers.guard import Guard
from servers.kinds.contract import Options, ServerKind
from servers.server import OwnServer

__all__ = ["java", "learn_classes", "quick_start"]

_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # half the processor time until it is ready


def java() -> str:
    """The program."""
    return machine.program("java") or "java"


def quick_start(name: str) -> list[str]:
    """Options for a server of this name that serves tests and no benchmark."""
    archive = _archive(name)
    return [*_QUICK_START, *([f"-XX:SharedArchiveFile={archive}"] if archive.exists() else [])]


def learn_classes(kind: ServerKind, data: Path, guard: Guard) -> None:
    """Start a server once, on a copy of its data, so that Java keeps its classes as they are in memory.

    Every later start has half of what was left to do. Java looks whether the archive fits, and does without it if not.
    """
    archive = _archive(kind.name)
    with machine.only_one(kind.name):
        if archive.exists():
            return
        for old in archive.parent.glob("classes-*.jsa"):
            old.unlink()
        with tempfile.TemporaryDirectory(dir=data.parent) as folder:
            own, made = Path(folder) / "data", archive.with_suffix(".new")
            shutil.copytree(data, own)
            port = machine.free_port()
            [program] = kind.programs(own, port, Options(brief=True))
            first, *others = program.argv
            learning = replace(program, argv=[first, f"-XX:ArchiveClassesAtExit={made}", *others])
            server = OwnServer(
                kind.name,
                kind.url(port, Options()),
                [learning],
                directory=Path(folder),
                data=own,
                guard=guard,
            )
            server.start()
            server.stop()
            # Where a stop took too long there is none, and the next session tries again.
            if made.exists():
                made.rename(archive)


def _archive(name: str) -> Path:
    """Where it is, for this Java and these packages."""
    home = machine.cache_directory(name)
    made_of = [Path(java()).resolve(), home / "lib", *home.glob("*.jar")]
    states = [(str(path), path.stat().st_mtime_ns) for path in made_of]
    return home / f"classes-{hashlib.sha256(repr(states).encode()).hexdigest()[:12]}.jsa"
