"""logweir: a multi-backend storage router for structured logs.

Events are captured in microseconds, classified as *audit* or *tracing*, and routed by ``routing.yaml``
through bounded queues and batching workers to the stores that suit them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logweir.auditing.audit import audit, audit_sync
    from logweir.auditing.decorator import audit_log
    from logweir.auditing.log_service import LogService
    from logweir.auditing.record import AuditRecord
    from logweir.delivery.receipts import Ack
    from logweir.errors import (
        AuditError,
        ConfigError,
        LogweirError,
        MissingDependency,
        NotRunning,
        SinkError,
        SinkRejected,
        SinkUnavailable,
    )
    from logweir.event import Event, Kind
    from logweir.integrations.lifespan import lifespan
    from logweir.integrations.stdlib import Handler
    from logweir.integrations.structlog import (
        ClassificationProcessor,
        RoutingProcessor,
        configure_structlog,
        get_logger,
    )
    from logweir.runtime.current import Runtime, aflush, current, flush, metrics, reload, running, start, stop
    from logweir.sinks.contract import Sink, SinkConfig, SyncSink
    from logweir.sinks.registry import register_sink
    from logweir.sinks.results import Health, WriteResult

__all__ = [
    "Ack",
    "AuditError",
    "AuditRecord",
    "ClassificationProcessor",
    "ConfigError",
    "Event",
    "Handler",
    "Health",
    "Kind",
    "LogService",
    "LogweirError",
    "MissingDependency",
    "NotRunning",
    "RoutingProcessor",
    "Runtime",
    "Sink",
    "SinkConfig",
    "SinkError",
    "SinkRejected",
    "SinkUnavailable",
    "SyncSink",
    "WriteResult",
    "aflush",
    "audit",
    "audit_log",
    "audit_sync",
    "configure_structlog",
    "current",
    "flush",
    "get_logger",
    "lifespan",
    "metrics",
    "register_sink",
    "reload",
    "running",
    "start",
    "stop",
]

__version__ = "0.1.0.dev0"

try:
    # What waits on disk is locked by it; without it the first `start` would fail, inside an application.
    importlib.import_module("fcntl")
except ImportError:
    raise ImportError(
        "logweir runs on Linux and macOS, and this Python has no module fcntl, by which files are locked; "
        "on Windows run it in WSL 2 or in a container"
    ) from None

#: Where each name is defined. A module is imported when the first of its names is used: a program that asks
#: for a logger does not pay for the models of configurations and sinks that it may never have.
_NAMES_OF = {
    "logweir.auditing.audit": "audit audit_sync",
    "logweir.auditing.decorator": "audit_log",
    "logweir.auditing.log_service": "LogService",
    "logweir.auditing.record": "AuditRecord",
    "logweir.delivery.receipts": "Ack",
    "logweir.errors": (
        "AuditError ConfigError LogweirError MissingDependency NotRunning"
        " SinkError SinkRejected SinkUnavailable"
    ),
    "logweir.event": "Event Kind",
    "logweir.integrations.lifespan": "lifespan",
    "logweir.integrations.stdlib": "Handler",
    "logweir.integrations.structlog": (
        "ClassificationProcessor RoutingProcessor configure_structlog get_logger"
    ),
    "logweir.runtime.current": "Runtime aflush current flush metrics reload running start stop",
    "logweir.sinks.contract": "Sink SinkConfig SyncSink",
    "logweir.sinks.registry": "register_sink",
    "logweir.sinks.results": "Health WriteResult",
}
_HOME_OF = {name: module for module, names in _NAMES_OF.items() for name in names.split()}
_PUBLIC_MODULES = frozenset({"errors", "event", "integrations", "sinks", "testing"})
#: Who uses one of these will use the others, perhaps on an event loop, where an import would be felt.
_ALL_AT_ONCE = frozenset({"start", "running", "lifespan"})


def __getattr__(name: str) -> Any:
    if name in _PUBLIC_MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for wanted in _HOME_OF if name in _ALL_AT_ONCE else (name,):
        # Kept, so that the next use finds it without this function.
        globals()[wanted] = getattr(importlib.import_module(_HOME_OF[wanted]), wanted)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
