"""A burst of events into one sink, watched by its metrics, for tests that do harm in the middle of it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from logweir.config.models import RoutingConfig
from logweir.runtime.runtime import Runtime
from logweir.sinks.contract import SinkConfig
from logweir.telemetry.model import SinkMetrics
from servers import FaultProxy
from support.waiting import eventually


class Watched:
    """A runtime that writes into the sink ``store``, and waits until its metrics say something.

    Args:
        runtime: What to watch.
        patience: How long a condition may take to come true, in seconds.
        enough: Events that count as "more" when nothing else is said.
    """

    def __init__(self, runtime: Runtime, patience: float = 60.0, enough: int = 500) -> None:
        self.runtime = runtime
        self._patience = patience
        self._enough = enough

    @property
    def metrics(self) -> SinkMetrics:
        return self.runtime.metrics().sinks["store"]

    def until(self, condition: Callable[[SinkMetrics], bool], seconds: float | None = None) -> None:
        """Wait until something is true of the sink's metrics."""
        patience = self._patience if seconds is None else seconds
        eventually(lambda: condition(self.metrics), patience, found=lambda: self.metrics)

    def until_more_is_stored(self, events: int | None = None) -> None:
        """Wait until this many more events are stored."""
        before = self.metrics.stored + self.metrics.duplicate
        wanted = before + (self._enough if events is None else events)
        self.until(lambda metrics: metrics.stored + metrics.duplicate >= wanted)

    def until_it_fails(self, times: int = 2, seconds: float | None = None) -> None:
        """Wait for this many more failures."""
        before = self.metrics.failures
        self.until(lambda metrics: metrics.failures >= before + times, seconds)


class Burst(Watched):
    """A steady stream of numbered events into one sink, from a thread.

    Args:
        runtime: Where they go.
        rate: Events a second.
        patience: How long a condition may take to come true, in seconds.
        enough: Events that count as "more" when nothing else is said.
        levels: The levels of the events, in turn.
    """

    def __init__(
        self,
        runtime: Runtime,
        rate: int,
        patience: float = 30.0,
        enough: int = 500,
        levels: Sequence[str] = ("info",),
    ) -> None:
        super().__init__(runtime, patience, enough)
        self._rate = rate
        self._levels = levels
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="burst")
        self.sent = 0

    def _run(self) -> None:
        while not self._end.wait(0.01):
            for _ in range(self._rate // 100):
                level = self._levels[self.sent % len(self._levels)]
                self.runtime.emit("burst", {"number": self.sent}, level=level)
                self.sent += 1

    def survives_a_bad_network(self, fault: FaultProxy, *, latency: float = 0.1, cut_after: int = 20) -> None:
        """Do each harm in turn that a network does, and wait until the sink has felt it and goes on.

        Args:
            fault: Stands in front of the store.
            latency: Of the slow network, in seconds.
            cut_after: Bytes of an answer after which it is cut.
        """
        fault.latency(latency)
        self.until_more_is_stored()
        self.survives(fault, fault.reset, lambda: fault.cut_answers(cut_after), fault.refuse, fault.hang)

    def survives(self, fault: FaultProxy, *harms: Callable[[], object]) -> None:
        """Do each harm in turn, and wait until the sink has failed by it and stores again without it."""
        fault.clear()
        for harm in harms:
            harm()
            self.until_it_fails()
            fault.clear()
            self.until_more_is_stored()

    def survives_refusals(self, fault: FaultProxy, *shares: tuple[int, float], tries: int = 500) -> None:
        """Let a share of the requests be answered with a status, one after the other, and then none."""
        for status, share in shares:
            before = self.metrics.retried
            fault.answer(status, share=share)
            self.until(lambda metrics, before=before: metrics.retried > before + tries)  # type: ignore[misc]
            fault.clear()
            self.until_more_is_stored()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


@contextmanager
def burst_into(
    store: SinkConfig,
    *,
    rate: int = 3000,
    patience: float = 30.0,
    enough: int = 500,
    levels: Sequence[str] = ("info",),
) -> Iterator[Burst]:
    """Run a burst; at the end everything must be delivered and accounted for."""
    routes: Any = [{"name": "all", "to": ["store"]}]
    runtime = Runtime(RoutingConfig(sinks={"store": store}, routes=routes, drain_timeout=60))
    runtime.start()
    try:
        with Burst(runtime, rate, patience, enough, levels) as burst:
            burst.until_more_is_stored()
            yield burst
        assert runtime.stop(60), burst.metrics
        metrics = burst.metrics
        assert metrics.stored + metrics.duplicate == metrics.accepted == burst.sent, metrics
        assert not metrics.dead
    finally:
        runtime.stop(1)
