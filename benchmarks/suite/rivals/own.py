"""logweir's own way: structlog, classification, routing, a queue, a worker's batches, the sink, a flush."""

from __future__ import annotations

from typing import Any, ClassVar

from logweir.benchmarks.suite.rivals.base import Ground, Rival
from logweir.benchmarks.suite.rivals.counts import count
from logweir.errors import LogweirError
from logweir.event import Event
from logweir.integrations.structlog import configure_structlog, get_logger
from logweir.runtime import current as runtime

__all__ = ["Own", "OwnUnredacted"]

_PATIENCE = 300.0
#: The rivals hold what waits in memory, and lose nothing as long as the process lives: so does this.
_QUEUE = {"type": "memory", "when_full": "block", "block_timeout": _PATIENCE}
_STORED = {
    "elasticsearch": "bulk requests of up to 500, each id once",
    "file": "up to 500 lines by a write to the operating system, no fsync",
    "loki": "requests of up to 500 lines",
    "mongodb": "inserts of up to 500, journaled, each id once; with the sink's indexes",
    "mysql": "commits of up to 500 as durable as the server's, each id once; three indexes",
    "sqlite": "WAL, synchronous=FULL, commits of up to 500, each id once; three indexes",
}
_AUDIT = ["fund.*", "permission.*", "account.*"]


class Own(Rival):
    """logweir.

    Attributes:
        redact: What it looks for in every text, as in routing.yaml.
    """

    name = "logweir"
    durability = "bounded memory queue, retries"
    redact: ClassVar[dict[str, Any]] = {}

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._log: Any = None

    @classmethod
    def durability_in(cls, kind: str) -> str:
        """See :meth:`Rival.durability_in`."""
        return f"{cls.durability}; {_STORED[kind]}"

    def open(self) -> None:
        """See :meth:`Rival.open`."""
        settings = {**self.ground.settings, "queue": _QUEUE}
        if self.ground.type == "file":
            settings["fsync"] = False  # the rival does not force its lines to the disk either
        running = runtime.start(
            {
                "service": "bench",
                "env": "bench",
                "data_dir": str(self.ground.folder / "logweir"),
                "redact": self.redact,
                "classify": [{"kind": "audit", "match": {"event": _AUDIT}}],
                "sinks": {"store": settings},
                "routes": [{"name": "all", "to": ["store"]}],
            },
            handle_signals=False,
        )
        running.wait_for_sinks(_PATIENCE)
        configure_structlog()
        log = get_logger("bench").bind()
        self._log = {
            level: getattr(log, level) for level in ("debug", "info", "warning", "error", "critical")
        }

    def log(self, event: Event) -> None:
        """See :meth:`Rival.log`."""
        self._log[event.level](event.name, service=event.service, trace_id=event.trace_id, **event.fields)

    def settle(self) -> None:
        """See :meth:`Rival.settle`."""
        if not runtime.flush(_PATIENCE):
            raise LogweirError(f"not everything was delivered within {_PATIENCE:g} s")

    def arrived(self) -> int:
        """See :meth:`Rival.arrived`."""
        return count(self.ground)

    def close(self) -> None:
        """See :meth:`Rival.close`."""
        runtime.stop()


class OwnUnredacted(Own):
    """The same without looking for secrets, as the rivals do not."""

    name = "logweir, redaction off"
    durability = "bounded memory queue, retries; redact: {defaults: false}"
    redact: ClassVar[dict[str, Any]] = {"defaults": False}
