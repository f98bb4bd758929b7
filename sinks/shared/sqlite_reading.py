"""How a SQLite file is opened by somebody who may only read it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlencode

__all__ = ["read_only_options", "read_only_uri"]


def read_only_options(path: Path) -> dict[str, str]:
    """Return the options of SQLite's URI that open a file without changing anything.

    To read a file in WAL mode, SQLite makes an index of its log beside it. Where we may not write to the
    folder and no log is left, nobody writes the file: it may be taken for unchangeable, and needs no index.
    Source: SQLite documentation, "Write-Ahead Logging", section "Read-Only Databases".
    """
    options = {"mode": "ro"}
    if not path.with_name(f"{path.name}-wal").exists() and not os.access(
        path.parent, os.W_OK, effective_ids=True
    ):
        options["immutable"] = "1"
    return options


def read_only_uri(path: Path) -> str:
    """Return SQLite's URI of a file that is opened without changing anything."""
    return f"file:{quote(str(path))}?{urlencode(read_only_options(path))}"
