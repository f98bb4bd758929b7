"""The configuration that a spawned child of this process starts from.

A child of ``multiprocessing`` that is spawned shares nothing with its parent but the environment, so a start
leaves the path of its file there, under a name of our own. Only such a child reads it: any other program that
inherits the environment starts what it says itself. ``LOGWEIR_CONFIG`` is the operator's: it is never set
here, and every process that it is given to starts from it.
"""

from __future__ import annotations

import os
from pathlib import Path

from logweir.config.loading import ConfigSource
from logweir.process import hooks

__all__ = ["ENVIRONMENT_VARIABLE", "SPAWNED_VARIABLE", "export", "given_config", "withdraw"]

#: Names the configuration file for processes that start by themselves.
ENVIRONMENT_VARIABLE = "LOGWEIR_CONFIG"
#: Names that of a parent, for its spawned children.
SPAWNED_VARIABLE = "LOGWEIR_SPAWNED_CONFIG"


def given_config() -> str | None:
    """The configuration file that this process was given, if it was: its parent's, or its operator's."""
    spawned = os.environ.get(SPAWNED_VARIABLE) if hooks.is_multiprocessing_child() else None
    return spawned or os.environ.get(ENVIRONMENT_VARIABLE)


def export(config: ConfigSource) -> None:
    """Let spawned children find the file."""
    if isinstance(config, str | Path):
        os.environ[SPAWNED_VARIABLE] = str(Path(config).resolve())
    else:
        withdraw()


def withdraw() -> None:
    """Let children that are spawned from now on find nothing."""
    os.environ.pop(SPAWNED_VARIABLE, None)


# In another program it is what is left of its parent's, and must not get to children of its own.
if not (hooks.is_multiprocessing_child() or hooks.is_preparing_children()):
    withdraw()
