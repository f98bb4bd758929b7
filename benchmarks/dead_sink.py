"""A dead sink under load: memory stays at its queue's bound, and the other sinks notice nothing.

Events come at a steady rate, first with healthy sinks alone and then with a dead one beside them. Memory
is the resident size of the process, read when the dead sink's queue is full and at the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from logweir.benchmarks.measure import Bar, Report, Series
from logweir.config.models import RoutingConfig
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.runtime.runtime import Runtime
from logweir.sinks.contract import SinkConfig
from logweir.sinks.null import NullConfig, NullSink
from logweir.sinks.results import WriteResult
from logweir.telemetry.model import Metrics

__all__ = ["DeadSink", "measure"]

_QUEUE = 20_000
_TICK = 0.01


class DeadSink(NullSink):
    """Refuses every batch."""

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        """Refuse."""
        raise SinkUnavailable("connection refused")


def measure(*, seconds: float = 60.0, rate: int = 20_000) -> Report:
    """Run with healthy sinks, then with a dead one too."""
    healthy, _, _ = _run(seconds / 4, rate, with_dead=False)
    metrics, sizes, full_at = _run(seconds, rate, with_dead=True)
    dead = metrics.sinks["dead"]
    lost = sum(dead.dropped.values())
    accounted = dead.stored + dead.queue_depth + dead.in_flight + lost
    growth = sizes[-1] / sizes[full_at]
    others = {name: sink for name, sink in metrics.sinks.items() if name != "dead"}
    shares = [sink.stored / sink.accepted for sink in others.values()]
    alone = ", ".join(f"{sink.stored:,}" for sink in healthy.sinks.values())
    return Report(
        f"A dead sink: {rate:,} events/s for {seconds:g} s, its queue bounded at {_QUEUE:,} events",
        [
            Series("memory when the queue was full", "MiB", [sizes[full_at]]),
            Series("memory at the end", "MiB", [sizes[-1]]),
            Series("stored by each healthy sink", "events", [float(sink.stored) for sink in others.values()]),
            Series("dropped by the dead sink, counted", "events", [float(lost)]),
        ],
        [
            Bar(Series("memory at the end / when full", "×", [growth]), 1.05),
            Bar(Series("healthy sinks: stored / accepted", "×", shares), 1.0, at_most=False),
            Bar(
                Series("dead sink: accounted / accepted", "×", [accounted / dead.accepted]),
                1.0,
                at_most=False,
            ),
        ],
        [f"Without the dead sink, in {seconds / 4:g} s, the healthy ones stored {alone}."],
    )


def _run(seconds: float, rate: int, *, with_dead: bool) -> tuple[Metrics, list[float], int]:
    options: Any = {"queue": {"max_events": _QUEUE, "when_full": "drop_oldest"}, "retry": {"max": 1.0}}
    sinks: dict[str, SinkConfig] = {name: NullConfig.model_validate(options) for name in ("first", "second")}
    if with_dead:
        sinks["dead"] = SinkConfig.model_validate({"type": f"{__name__}:DeadSink", **options})
    routes: Any = [{"name": "all", "match": {"kind": "tracing"}, "to": list(sinks)}]
    with TemporaryDirectory() as folder:
        config = RoutingConfig(sinks=sinks, routes=routes, drain_timeout=0.5, data_dir=Path(folder))
        return _drive(Runtime(config), seconds, rate, with_dead=with_dead)


def _drive(
    runtime: Runtime, seconds: float, rate: int, *, with_dead: bool
) -> tuple[Metrics, list[float], int]:
    runtime.start()
    sizes: list[float] = []
    full_at = 0
    started = time.monotonic()
    sent = 0
    while (elapsed := time.monotonic() - started) < seconds:
        for _ in range(int(elapsed * rate) - sent):
            runtime.emit("order.placed", {"order_id": 17, "user_id": 5, "amount": 12.5, "currency": "EUR"})
            sent += 1
        if len(sizes) < elapsed * 10:
            sizes.append(_resident_mebibytes())
            if with_dead and not full_at and runtime.metrics().sinks["dead"].dropped:
                full_at = len(sizes) - 1
        time.sleep(_TICK)
    sizes.append(_resident_mebibytes())
    for name in ("first", "second"):
        _wait_until_stored(runtime, name)
    metrics = runtime.metrics()
    runtime.stop(0.2)
    return metrics, sizes, full_at


def _wait_until_stored(runtime: Runtime, name: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        sink = runtime.metrics().sinks[name]
        if sink.stored >= sink.accepted:
            return
        time.sleep(_TICK)


def _resident_mebibytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20
