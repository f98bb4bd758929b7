"""Where the simulation gets between the parts of the product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from logweir.delivery.fallback import returning
from logweir.delivery.fallback.ledger import Ledger
from logweir.delivery.spool.ownership import FileLock
from logweir.delivery.spool.spool_file import SpoolFile
from logweir.event import Event
from logweir.routing.router import Router
from logweir.runtime import fallbacks as fallback_maker
from logweir.runtime import pipeline as pipelines
from logweir.sinks import registry
from simulation.process import SimulatedSpool
from simulation.world import SimulatedSink

if TYPE_CHECKING:
    from simulation.history import History

__all__ = ["seams"]


@contextmanager
def seams(history: History) -> Iterator[None]:
    """Put the simulation's disk, spool, sinks and time in place, for the length of a block."""
    world, write, route = history.world, SpoolFile.write, Router.route

    def routing(router: Any, event: Event) -> Any:
        found = route(router, event)
        history.after_route()
        return found

    def writing(file: SpoolFile, *arguments: Any) -> Any:
        return world.write_to_disk(write, file, *arguments)

    def noting(data_dir: Path, sink: str, fallback: str) -> Ledger:
        return Ledger(data_dir, sink, fallback, lambda: 1e9 + history.loop.time())

    def taking(path: Path) -> FileLock | None:
        lock = FileLock.take(path)
        if lock is not None and world.process is not None:
            world.process.turns[path] = lock
        return lock

    resolve = registry.resolve

    def resolving(name: str) -> Any:
        return SimulatedSink if name == "simulated" else resolve(name)

    with (
        patch.object(pipelines, "Spool", SimulatedSpool),
        patch.object(SpoolFile, "write", writing),
        patch.object(Router, "route", routing),
        patch.object(registry, "resolve", resolving),
        patch.object(fallback_maker, "Ledger", noting),
        patch.object(returning, "FileLock", SimpleNamespace(take=taking)),
    ):
        yield
