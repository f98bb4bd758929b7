"""OpenTelemetry's handler for the standard library's logging, with its batch processor, into a file."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from logweir.benchmarks.suite.rivals.base import Ground, Rival, log_record, queued_logger
from logweir.benchmarks.suite.rivals.counts import count
from logweir.event import Event

__all__ = ["OpentelemetryFile", "OpentelemetryRoomy"]


class OpentelemetryFile(Rival):
    """The SDK as it comes: its queue holds 2,048 records.

    Attributes:
        roomy: Whether its queue holds a whole turn instead.
    """

    name = "opentelemetry-sdk"
    durability = "memory queue of 2,048 records, forgets what it has no room for; lines of JSON, no fsync"
    roomy: ClassVar[bool] = False

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._provider: Any = None

    @classmethod
    def missing(cls) -> str | None:
        """See :meth:`Rival.missing`."""
        found = find_spec("opentelemetry") and find_spec("opentelemetry.sdk")
        return None if found else "it is not installed; pip install opentelemetry-sdk"

    def open(self) -> None:
        """See :meth:`Rival.open`. By name, for the classes have been renamed."""
        logs: Any = import_module("opentelemetry.sdk._logs")
        export: Any = import_module("opentelemetry.sdk._logs.export")
        exporter = getattr(export, "ConsoleLogRecordExporter", None) or export.ConsoleLogExporter
        self._file = Path(self.ground.settings["path"]).open("w", encoding="utf-8")  # noqa: SIM115 - until close()
        lines = exporter(out=self._file, formatter=lambda record: record.to_json(indent=None) + "\n")
        room = {"max_queue_size": max(self.ground.events, 2048)} if self.roomy else {}
        self._provider = logs.LoggerProvider()
        self._provider.add_log_record_processor(export.BatchLogRecordProcessor(lines, **room))
        self._logger: logging.Logger = queued_logger(logs.LoggingHandler(logger_provider=self._provider))

    def log(self, event: Event) -> None:
        """See :meth:`Rival.log`."""
        log_record(self._logger, event)

    def settle(self) -> None:
        """See :meth:`Rival.settle`."""
        self._provider.force_flush()

    def arrived(self) -> int:
        """See :meth:`Rival.arrived`."""
        return count(self.ground)

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        if self._provider is not None:
            self._provider.shutdown()
            self._file.close()


class OpentelemetryRoomy(OpentelemetryFile):
    """The same, with a queue as large as the turn."""

    name = "opentelemetry-sdk, queue of a turn"
    durability = "memory queue as large as the turn; lines of JSON, no fsync"
    roomy = True
