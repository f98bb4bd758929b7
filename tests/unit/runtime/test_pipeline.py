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


def test_b4_a_reload_leaves_a_sink_whose_certificate_was_renewed_on_disk_and_keeps_the_others(
    tmp_path: Path,
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("old")
    encrypted = {"type": "loki", "url": "https://127.0.0.1:9", "tls": {"ca": str(ca)}}
    config: dict[str, Any] = {
        "sinks": {"logs": encrypted, "out": {"type": "null"}},
        "routes": [{"name": "all", "to": ["logs", "out"]}],
        "drain_timeout": 0,
    }
    runtime = logweir.start(config)
    before = dict(runtime._pipeline.channels)
    runtime.reload(config)
    assert runtime._pipeline.channels == before
    ca.write_text("new")
    runtime.reload(config)
    after = runtime._pipeline.channels
    assert after["logs"] is not before["logs"]
    assert after["out"] is before["out"]
    logweir.stop(1)
