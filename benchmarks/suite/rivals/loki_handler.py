"""python-logging-loki: its queue handler, which pushes each record by a request of its own."""

from __future__ import annotations

import queue
from typing import Any

from logweir.benchmarks.suite.rivals.base import (
    Ground,
    JsonLines,
    Rival,
    log_record,
    needs_package,
    queued_logger,
)
from logweir.benchmarks.suite.rivals.counts import count
from logweir.event import Event

__all__ = ["LokiHandler"]


class LokiHandler(Rival):
    """LokiQueueHandler."""

    name = "python-logging-loki"
    durability = "LokiQueueHandler, unbounded memory queue; a request for each event, never sent again"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._handler: Any = None

    @classmethod
    def missing(cls) -> str | None:
        """See :meth:`Rival.missing`."""
        return needs_package("logging_loki", "python-logging-loki")

    def open(self) -> None:
        """See :meth:`Rival.open`."""
        from logging_loki import LokiQueueHandler  # type: ignore[import-untyped]  # noqa: PLC0415 - no dependency

        url = f"{self.ground.url}/loki/api/v1/push"
        tags = {"job": self.ground.settings["static_labels"]["job"]}
        self._handler = LokiQueueHandler(queue.Queue(-1), url=url, tags=tags, version="1")
        self._handler.setFormatter(JsonLines())
        self._logger = queued_logger(self._handler)

    def log(self, event: Event) -> None:
        """See :meth:`Rival.log`."""
        log_record(self._logger, event, tags={"service": event.service})

    def settle(self) -> None:
        """See :meth:`Rival.settle`."""
        self._handler.listener.stop()

    def arrived(self) -> int:
        """See :meth:`Rival.arrived`."""
        return count(self.ground)

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        if self._handler is not None:
            self._handler.handler.emitter.close()
