"""A numbered burst of events into one sink, for tests that do harm in the middle of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from logweir.config.models import RoutingConfig
from logweir.engine import Runtime
from logweir.sinks.contract import SinkConfig
from logweir.telemetry import SinkMetrics


class Burst:
    """A steady stream of numbered events into one sink, from a thread."""

    def __init__(self, runtime: Runtime, rate: int) -> None:
        self._runtime = runtime
        self._rate = rate
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="burst")
        self.sent = 0

    def _run(self) -> None:
        while not self._end.wait(0.01):
            for _ in range(self._rate // 100):
                self._runtime.emit("burst", {"number": self.sent})
                self.sent += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def metrics(self) -> SinkMetrics:
        return self._runtime.metrics().sinks["store"]

    def until(self, condition: Any, seconds: float = 30.0) -> None:
        """Wait until something is true of the sink's metrics."""
        deadline = time.monotonic() + seconds
        while not condition(self.metrics):
            assert time.monotonic() < deadline, self.metrics
            time.sleep(0.01)

    def until_more_is_stored(self, events: int = 500) -> None:
        """Wait until this many more events are stored."""
        before = self.metrics.stored + self.metrics.duplicate
        self.until(lambda metrics: metrics.stored + metrics.duplicate >= before + events)


@contextmanager
def burst_into(store: SinkConfig, *, rate: int = 3000) -> Iterator[Burst]:
    """Run a burst; at the end everything must be delivered and accounted for."""
    routes: Any = [{"name": "all", "to": ["store"]}]
    runtime = Runtime(RoutingConfig(sinks={"store": store}, routes=routes, drain_timeout=60))
    runtime.start()
    try:
        with Burst(runtime, rate) as burst:
            burst.until_more_is_stored()
            yield burst
        assert runtime.stop(60), burst.metrics
        metrics = burst.metrics
        assert metrics.stored + metrics.duplicate == metrics.accepted == burst.sent, metrics
        assert not metrics.dead
    finally:
        runtime.stop(1)
