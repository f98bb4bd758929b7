"""Whether a sink's class has the abilities that a task needs, and what it lacks in words."""

from __future__ import annotations

from typing import Any

from logweir.sinks.contract import Deletable, Prunable, Readable

__all__ = ["lacking_for_retention"]


def lacking_for_retention(sink_class: type[Any], *, archive: bool) -> str | None:
    """Return what the class lacks for archiving (or for deleting what is old); None if nothing."""
    if not archive:
        return None if issubclass(sink_class, Prunable) else "old events cannot be deleted (no prune method)"
    if not issubclass(sink_class, Readable):
        return "they cannot be read back (no search method)"
    return None if issubclass(sink_class, Deletable) else "they cannot delete by id (no delete method)"
