"""Quarantine: a damaged SQLite file is kept for a human, under a name that says so."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["SUFFIXES", "quarantine"]

#: What SQLite keeps beside a database, and the database itself.
SUFFIXES = ("", "-wal", "-shm")


def quarantine(database: Path) -> Path:
    """Rename a damaged database, with all that SQLite keeps beside it, and return its new name."""
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    name = Path(f"{database}.corrupt-{time}")
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            Path(f"{database}{suffix}").rename(f"{name}{suffix}")
    return name
