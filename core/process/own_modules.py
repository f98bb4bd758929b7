"""Modules of ours that are run by processes of their own, such as those of ``--jobs``.

``python -m`` takes a module from the current directory first, and that may be anybody's: a ``json.py`` in a
folder of logs would be run by whoever reads these. What starts such a process leaves that directory out; the
modules that routing.yaml names are found there and beside the file nevertheless.
"""

from __future__ import annotations

import sys

__all__ = ["command_of"]


def command_of(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours by the Python that runs this process."""
    return [sys.executable, "-P", "-m", module, *arguments]
