"""The seam between the match and a contender: one way from a log call into one type of store.

A contender plays one turn in a process of its own: it is opened, gets every event by one log call, settles,
and the turn's clock stops when the store itself has counted all events. What it starts (threads, processes)
is its own, and its CPU counts.
"""

from __future__ import annotations

import json
import logging
import os
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from logweir.event import LEVELS, Event

__all__ = ["Ground", "JsonLines", "Rival", "log_record", "needs_package", "queued_logger"]


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a turn is played.

    Attributes:
        type: Of the backend.
        url: Of its server; empty for the embedded ones.
        settings: Of the sink that logweir would use for the store; they name the table, the index, …
        folder: For files of the turn's own.
        events: How many come.
    """

    type: str
    url: str
    settings: dict[str, Any]
    folder: Path
    events: int


class Rival(ABC):
    """One contender; all of its methods are called from the main thread.

    Attributes:
        name: In the tables.
        durability: Where an event waits, and what is true of it when it counts as arrived.
    """

    name: ClassVar[str]
    durability: ClassVar[str]

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot be run here, with what to install; None when it can."""
        return None

    @classmethod
    def durability_in(cls, kind: str) -> str:  # noqa: ARG003 - for those that go into several
        """What ``durability`` comes to in this type of backend."""
        return cls.durability

    @abstractmethod
    def open(self) -> None:
        """Make everything ready; not timed.

        Raises:
            Exception: Whatever its parts raise.
        """

    @abstractmethod
    def log(self, event: Event) -> None:
        """Log one event, as an application would."""

    @abstractmethod
    def settle(self) -> None:
        """Wait as long as the contender itself can wait for its events to be out."""

    @abstractmethod
    def arrived(self) -> int:
        """How many events the store has, by its own count."""

    def cpu(self) -> float:
        """CPU seconds to add to those of this process: those of its children, also of those that ended."""
        import psutil  # noqa: PLC0415 - an extra

        ended = os.times()
        spent = ended.children_user + ended.children_system
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended since it was listed
                times = child.cpu_times()
                spent += times.user + times.system
        return spent

    def close(self) -> None:  # noqa: B027 - not every contender has something to close
        """End what was opened; not timed."""


def needs_package(module: str, package: str) -> str | None:
    """Why a contender cannot be run whose package is not installed."""
    from importlib.util import find_spec  # noqa: PLC0415 - only here

    return None if find_spec(module) else f"it is not installed; pip install {package}"


def queued_logger(handler: logging.Handler) -> logging.Logger:
    """A logger of its own, with one handler and every level."""
    logger = logging.Logger("bench", logging.DEBUG)
    logger.addHandler(handler)
    return logger


def log_record(logger: logging.Logger, event: Event, **extra: Any) -> None:
    """Log an event by the standard library's logging, with its fields in ``extra``."""
    carried = {"event_id": event.id, "service": event.service, "trace_id": event.trace_id}
    logger.log(LEVELS[event.level], event.name, extra={"fields": event.fields, **carried, **extra})


class JsonLines(logging.Formatter):
    """A record of :func:`log_record` as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        content = {
            "id": vars(record)["event_id"],
            "time": record.created,
            "level": record.levelname.lower(),
            "event": record.msg,
            "service": vars(record)["service"],
            "trace_id": vars(record)["trace_id"],
            "fields": vars(record)["fields"],
        }
        return json.dumps(content, ensure_ascii=False)
