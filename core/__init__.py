"""logweir: a multi-backend storage router for structured logs.

Events are captured in microseconds, classified as *audit* or *tracing*, and routed by ``routing.yaml``
through bounded queues and batching workers to the stores that suit them.
"""

from __future__ import annotations

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
