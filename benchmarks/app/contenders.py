"""The contenders: ways to log from a service, each as an application would set it up.

All but one write JSON: to a file where they choose, otherwise to the store that they are for.
"""

from __future__ import annotations

import importlib
import json
import logging
import logging.handlers
import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog

__all__ = ["NAMES", "Log", "make", "missing", "routing"]

Write = Callable[..., object]


def _nothing(*_: object, **__: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Log:
    """One way to log.

    Attributes:
        write: Logs a line, with its fields as keywords.
        settle: Waits for what is under way, in a thread.
        end: Lets go of what it holds, in a thread.
    """

    write: Write
    settle: Callable[[], object] = field(default=_nothing)
    end: Callable[[], object] = field(default=_nothing)


def _none(_folder: Path, _options: dict[str, Any]) -> Log:
    return Log(_nothing)


def _structlog(folder: Path, _options: dict[str, Any]) -> Log:
    file = (folder / "log.jsonl").open("w", encoding="utf-8")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=True,
    )
    return Log(structlog.get_logger().info)


class _AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname, "event": record.getMessage()}
        return json.dumps({**line, **vars(record)["fields"]})


def _logger(handler: logging.Handler, *, nested: bool = True) -> Write:
    logger = logging.Logger("orders", logging.INFO)
    logger.addHandler(handler)

    def write(event: str, **fields: Any) -> None:
        logger.info(event, extra={"fields": fields} if nested else fields)

    return write


def _to_file(folder: Path) -> logging.Handler:
    handler = logging.FileHandler(folder / "log.jsonl", encoding="utf-8")
    handler.setFormatter(_AsJson())
    return handler


def _stdlib(folder: Path, _options: dict[str, Any]) -> Log:
    return Log(_logger(_to_file(folder)))


def _stdlib_queue(folder: Path, _options: dict[str, Any]) -> Log:
    waiting: queue.Queue[Any] = queue.Queue(-1)
    logging.handlers.QueueListener(waiting, _to_file(folder)).start()
    return Log(_logger(logging.handlers.QueueHandler(waiting)), waiting.join)


def _loguru(folder: Path, _options: dict[str, Any]) -> Log:
    from loguru import logger  # noqa: PLC0415 - starts a process-wide logger

    logger.remove()
    logger.add(folder / "log.jsonl", format="{message}", serialize=True)
    return Log(lambda event, **fields: logger.bind(**fields).info(event), logger.complete)


def _opentelemetry(folder: Path, _options: dict[str, Any]) -> Log:
    # By name, for its module is not among our dependencies, and its classes have been renamed.
    logs: Any = importlib.import_module("opentelemetry.sdk._logs")
    export: Any = importlib.import_module("opentelemetry.sdk._logs.export")
    exporter = getattr(export, "ConsoleLogRecordExporter", None) or export.ConsoleLogExporter
    file = (folder / "log.jsonl").open("w", encoding="utf-8")
    provider = logs.LoggerProvider()
    provider.add_log_record_processor(export.BatchLogRecordProcessor(exporter(out=file)))
    handler = logs.LoggingHandler(logger_provider=provider)
    return Log(_logger(handler, nested=False), provider.force_flush)


def routing(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """What stands in logweir's routing.yaml."""
    return {
        "service": "orders",
        "data_dir": str(folder / "data"),
        "sinks": {"store": options},
        # Over memory, as the others are: what may be audit would be put on disk first.
        "routes": [{"name": "all", "match": {"kind": "tracing"}, "to": ["store"]}],
    }


def _logweir(folder: Path, options: dict[str, Any]) -> Log:
    # Here, so that the services of the others hold nothing of it.
    from logweir.integrations.structlog import configure_structlog, get_logger  # noqa: PLC0415
    from logweir.runtime import current as runtime  # noqa: PLC0415

    runtime.start(routing(folder, options), handle_signals=False)
    configure_structlog()
    return Log(get_logger("orders").info, lambda: runtime.flush(5.0), lambda: runtime.stop(1.0))


_MAKERS: dict[str, Callable[[Path, dict[str, Any]], Log]] = {
    "none": _none,
    "structlog": _structlog,
    "stdlib": _stdlib,
    "stdlib by queue": _stdlib_queue,
    "loguru": _loguru,
    "opentelemetry": _opentelemetry,
    "logweir": _logweir,
}
#: What an optional one needs: packages of which all must be found, and what to install.
_NEEDS = {
    "loguru": (("loguru",), "loguru"),
    "opentelemetry": (("opentelemetry", "opentelemetry.sdk"), "opentelemetry-sdk"),
}
#: Those that are not logweir, in the order of their turns.
NAMES = tuple(name for name in _MAKERS if name != "logweir")


def make(name: str, folder: Path, options: dict[str, Any]) -> Log:
    """Set a contender up, in the process of its service.

    Args:
        name: Which.
        folder: Where it may write.
        options: Of logweir's sink, as in routing.yaml.
    """
    return _MAKERS[name](folder, options)


def missing(name: str) -> str | None:
    """Why a contender cannot take part, or None."""
    packages, to_install = _NEEDS.get(name, ((), ""))
    # One after the other: the look for a part of a package that is missing is an error.
    if all(find_spec(package) for package in packages):
        return None
    return f"not measured: {name}, pip install {to_install}"
