"""The pipeline: which queue each sink gets by its configuration."""

from pathlib import Path
from typing import Any

import pytest

import logweir
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.queues.memory import MemoryQueue
from logweir.delivery.queues.spill import SpillQueue
from support import sinks as misbehaving


@pytest.mark.parametrize(
    ("queue", "kind", "expected"),
    [
        ({"type": "memory"}, "tracing", MemoryQueue),
        ({"type": "disk"}, "tracing", DiskQueue),
        ({"when_full": "spill"}, "tracing", SpillQueue),
        ({}, "tracing", MemoryQueue),
        ({}, "audit", DiskQueue),
    ],
)
def test_a_sink_has_the_queue_that_its_configuration_says(
    queue: dict[str, Any], kind: str, expected: type
) -> None:
    misbehaving.healed.clear()
    out = {"type": "support.sinks:Dead", "queue": queue}
    runtime = logweir.start(
        {"sinks": {"out": out}, "routes": [{"name": "all", "match": {"kind": kind}, "to": ["out"]}]}
    )
    channel = runtime._pipeline.channels["out"]
    assert type(channel.queue) is expected
    assert channel.queue.durable is (expected is DiskQueue)
    runtime.emit("a", {"persist_db": kind == "audit"})
    # What is in memory is on disk after the stop, whatever the queue.
    assert logweir.stop(0.05)
    assert list(Path(".logweir/queues").glob("*.db"))
    misbehaving.healed.set()
