from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logweir.event import Event
from logweir.runtime import current as runtime
from logweir.sinks.memory import MemorySink


class Recorder:
    """A running runtime with one memory sink."""

    def __init__(self, config: dict[str, Any], running: runtime.Runtime) -> None:
        self.config = config
        self.runtime = running

    def events(self) -> list[Event]:
        """All events so far, in the order they were stored."""
        flushing = threading.Thread(target=self.runtime.flush)
        flushing.start()
        flushing.join()
        return list(MemorySink.of("m").events.values())

    def only(self) -> Event:
        """The one event there is."""
        (event,) = self.events()
        return event


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    config = {
        "data_dir": str(tmp_path / "data"),
        "sinks": {"m": {"type": "memory"}},
        "routes": [{"name": "all", "to": ["m"]}],
    }
    with runtime.running(config) as running:
        yield Recorder(config, running)
