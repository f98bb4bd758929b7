"""The sink behind ``capture()``: whatever runtime makes it, its events are kept in one place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from logweir.event import Event
from logweir.settings.delivery import BatchConfig, QueueConfig
from logweir.sinks.contract import SinkContext
from logweir.sinks.memory import MemoryConfig, MemorySink

__all__ = ["CaptureSink"]


class CaptureSink(MemorySink):
    """Keeps events for the capture that is under way; of rows in a transaction those that are committed."""

    keeps_outbox = False
    _kept: ClassVar[dict[str, Event]] = {}

    def __init__(self, config: MemoryConfig, context: SinkContext | None = None) -> None:
        super().__init__(config, context)
        self.events = self._kept

    @classmethod
    def options(cls) -> MemoryConfig:
        """Its options in a configuration."""
        return MemoryConfig(
            type=f"{cls.__module__}:{cls.__name__}",
            queue=QueueConfig(type="memory", when_full="block"),
            batch=BatchConfig(linger=0),
        )

    @classmethod
    @contextmanager
    def keeping(cls, kept: dict[str, Event]) -> Iterator[None]:
        """Keep events in a dictionary, for the length of a block."""
        before, cls._kept = cls._kept, kept
        try:
            yield
        finally:
            cls._kept = before

    def record_in(self, connection: Any, event: Event) -> None:
        """Keep an event when the transaction of a connection commits."""
        from sqlalchemy import event as listeners  # noqa: PLC0415 - whoever has a connection has imported it

        waiting = [event]
        kept = self.events

        def committed(_connection: Any) -> None:
            kept.update((each.id, each) for each in waiting)
            waiting.clear()

        def rolled_back(_connection: Any) -> None:
            waiting.clear()

        listeners.listen(connection, "commit", committed)
        listeners.listen(connection, "rollback", rolled_back)

    async def record(self, event: Event) -> None:
        """Keep an event."""
        self.events[event.id] = event

    async def outbox_waiting(self, limit: int) -> list[Event]:
        """Nothing: all is kept at once."""
        return []

    async def outbox_done(self, ids: Sequence[str]) -> None:
        """Forget nothing."""
