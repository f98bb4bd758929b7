"""What ``${file:…}`` of a routing.yaml names in the options of sinks, so that a renewed secret is read again.

A mounted secret is renewed under its name, while the process runs. Only the options of sinks are read
again so: another ``audit.chain_key``, or key of pseudonyms, would break what it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Origin", "SecretFiles", "State", "state_of"]

#: Of each file what changes with it; None where there is none.
State = tuple[tuple[int, int, int, int] | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """A routing.yaml as it was read; its text stays what it was, whatever becomes of the file.

    Attributes:
        path: Its name, as it was given.
        text: Its content.
        folder: Where ``${file:…}`` is looked for, absolute.
        environment: The variables as they were.
    """

    path: Path
    text: str = field(repr=False)
    folder: Path
    environment: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """The files, and the sinks that were made of what stood in them; no part of a configuration's equality.

    Attributes:
        origin: What to read again; None where no sink has such a file.
        files: All of them, absolute.
        sinks: The options of these sinks as they were loaded, by name.
    """

    origin: Origin | None = field(default=None, compare=False)
    files: tuple[Path, ...] = field(default=(), compare=False)
    sinks: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def state_of(files: Iterable[Path]) -> State:
    """What the system says of files now; blocks."""
    return tuple(_seen(path) for path in files)


def _seen(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
