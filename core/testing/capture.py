"""Capturing events in tests: what the code under test logs, as events, with no backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from logweir.errors import LogweirError
from logweir.event import Event, Kind
from logweir.runtime import current as runtime
from logweir.sinks.memory import MemorySink

__all__ = ["Captured", "capture"]

_SINK = "logweir_capture"


class Captured:
    """The events captured so far; reading waits until all that was logged has arrived."""

    @property
    def events(self) -> list[Event]:
        """All events, in the order they were logged.

        It blocks for a moment: in asynchronous tests, ``await logweir.aflush()`` first.
        """
        runtime.flush()
        return self.arrived

    @property
    def arrived(self) -> list[Event]:
        """The events that have arrived; does not wait."""
        return list(MemorySink.of(_SINK).events.values())

    @property
    def audit(self) -> list[Event]:
        """The audit events."""
        return [event for event in self.events if event.kind is Kind.AUDIT]

    @property
    def tracing(self) -> list[Event]:
        """The tracing events."""
        return [event for event in self.events if event.kind is Kind.TRACING]

    def names(self) -> list[str]:
        """The names of all events."""
        return [event.name for event in self.events]


@contextmanager
def capture(*, classify: Sequence[dict[str, Any]] = (), **settings: Any) -> Iterator[Captured]:
    """Run a runtime whose only sink keeps events in memory.

    Args:
        classify: Rules, as in routing.yaml.
        **settings: Further keys of routing.yaml, such as ``redact`` or ``service``; not sinks and routes.

    Raises:
        LogweirError: A runtime is running already.
    """
    if runtime.current() is not None:
        raise LogweirError("a runtime is running; stop it before capturing")
    sink = {"type": "memory", "queue": {"type": "memory", "when_full": "block"}, "batch": {"linger": 0}}
    # A data directory of its own: what waits in the application's is none of a test's business.
    with TemporaryDirectory(prefix="logweir-capture-") as data_dir, runtime.apart():
        config = {
            "data_dir": data_dir,
            **settings,
            "classify": list(classify),
            "sinks": {_SINK: sink},
            "routes": [{"name": "all", "to": [_SINK]}],
        }
        runtime.start(config, handle_signals=False)
        try:
            yield Captured()
        finally:
            runtime.stop()
