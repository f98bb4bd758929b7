"""loguru with ``enqueue=True`` and its own JSON, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from logweir.benchmarks.suite.rivals.base import Ground, Rival, needs_package
from logweir.benchmarks.suite.rivals.counts import count
from logweir.event import Event

__all__ = ["LoguruFile"]


class LoguruFile(Rival):
    """loguru."""

    name = "loguru"
    durability = (
        "enqueue=True, serialize=True: waits in a pipe; each line is given to the operating system, no fsync"
    )

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._logger: Any = None

    @classmethod
    def missing(cls) -> str | None:
        """See :meth:`Rival.missing`."""
        return needs_package("loguru", "loguru")

    def open(self) -> None:
        """See :meth:`Rival.open`."""
        from loguru import logger  # noqa: PLC0415 - no dependency

        logger.remove()
        path = Path(self.ground.settings["path"])
        logger.add(path, level=0, format="{message}", enqueue=True, serialize=True)
        self._logger = logger

    def log(self, event: Event) -> None:
        """See :meth:`Rival.log`."""
        carried = {"event_id": event.id, "service": event.service, "trace_id": event.trace_id}
        self._logger.bind(**event.fields, **carried).log(event.level.upper(), event.name)

    def settle(self) -> None:
        """See :meth:`Rival.settle`."""
        self._logger.complete()

    def arrived(self) -> int:
        """See :meth:`Rival.arrived`."""
        return count(self.ground)

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        if self._logger is not None:
            self._logger.remove()
