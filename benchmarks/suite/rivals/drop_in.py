"""picologging and LogXide, which replace the standard library's logging, into a file.

The caller makes the line of JSON, for picologging's records have no ``extra``, and LogXide does not put
arguments into its messages.
"""

from __future__ import annotations

import json
import queue
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from logweir.benchmarks.suite.rivals.base import Ground, Rival, needs_package
from logweir.benchmarks.suite.rivals.counts import count
from logweir.event import LEVELS, Event

__all__ = ["LogxideFile", "PicologgingFile"]


class _DropIn(Rival):
    """A logger of theirs, and lines of JSON.

    Attributes:
        package: On the package index, and its module.
    """

    package: ClassVar[str]

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._logger: Any = None

    @classmethod
    def missing(cls) -> str | None:
        """See :meth:`Rival.missing`."""
        return needs_package(cls.package, cls.package)

    def log(self, event: Event) -> None:
        """See :meth:`Rival.log`."""
        carried = {"id": event.id, "event": event.name, "service": event.service, "trace_id": event.trace_id}
        line = json.dumps({**carried, "level": event.level, "fields": event.fields}, ensure_ascii=False)
        self._logger.log(LEVELS[event.level], line)

    def arrived(self) -> int:
        """See :meth:`Rival.arrived`."""
        return count(self.ground)


class PicologgingFile(_DropIn):
    """picologging, by its queue."""

    name = "picologging"
    package = "picologging"
    durability = "unbounded memory queue; each line is given to the operating system, no fsync"

    def open(self) -> None:
        """See :meth:`Rival.open`."""
        picologging, handlers = import_module("picologging"), import_module("picologging.handlers")
        self._file = picologging.FileHandler(str(Path(self.ground.settings["path"])))
        waiting: queue.Queue[Any] = queue.Queue(-1)
        self._listener = handlers.QueueListener(waiting, self._file)
        self._logger = picologging.Logger("bench", 1)
        self._logger.addHandler(handlers.QueueHandler(waiting))
        self._listener.start()

    def settle(self) -> None:
        """See :meth:`Rival.settle`: the listener ends when its queue is empty."""
        self._listener.stop()
        self._file.flush()

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        if self._logger is not None:
            self._file.close()


class LogxideFile(_DropIn):
    """LogXide, by its file handler."""

    name = "logxide"
    package = "logxide"
    durability = "no queue: each line is given to the operating system within the call, no fsync"

    def open(self) -> None:
        """See :meth:`Rival.open`. Its import puts it in the place of the standard library's logging."""
        logging = import_module("logxide").logging
        self._file = logging.FileHandler(str(Path(self.ground.settings["path"])))
        self._file.setFormatter(logging.Formatter("%(message)s"))
        self._flush = logging.flush
        self._logger = logging.getLogger("bench")
        self._logger.setLevel(1)
        self._logger.propagate = False  # its root logger writes to stderr as well
        self._logger.addHandler(self._file)

    def settle(self) -> None:
        """See :meth:`Rival.settle`."""
        self._flush()
        self._file.flush()

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        if self._logger is not None:
            self._file.close()
