"""What routing costs: a decision among many routes, and fan-out to three sinks beside one.

Fan-out is the whole way of an event from ``Runtime.emit`` into the queues, whose workers drain to nowhere;
one immutable event is shared by all sinks, so more sinks cost little more than their queues.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from logweir.benchmarks.measure import Bar, Report, take_turns
from logweir.config.models import RouteConfig, RoutingConfig
from logweir.event import Event, Kind, new_event_id
from logweir.routing.router import Router
from logweir.runtime.runtime import Runtime
from logweir.sinks.memory import MemoryConfig, MemorySink

__all__ = ["measure"]


def measure(*, calls: int = 20_000, runs: int = 15) -> Report:
    """Measure fan-out and decisions."""
    with TemporaryDirectory() as folder:
        one, three = _runtime(1, Path(folder)), _runtime(3, Path(folder))
        try:
            fan_out = take_turns(
                [("to 3 memory sinks", _emitting(three, calls)), ("to 1 memory sink", _emitting(one, calls))],
                runs,
                "µs/event",
            )
        finally:
            one.stop()
            three.stop()
    decisions = take_turns(
        [
            ("decide among 1 route", _deciding(1, calls, dynamic=False)),
            ("decide among 50 routes, by kind, level and name", _deciding(50, calls, dynamic=False)),
            ("decide among 10 routes, by fields", _deciding(10, calls, dynamic=True)),
        ],
        runs,
        "µs/event",
    )
    return Report(
        "Router: fan-out and decisions", [*fan_out, *decisions], [Bar(fan_out[0].ratio(fan_out[1]), 1.5)]
    )


def _runtime(sinks: int, folder: Path) -> Runtime:
    names = [f"sink {number + 1} of {sinks}" for number in range(sinks)]
    options: Any = {"queue": {"type": "memory", "max_events": 200_000}, "batch": {"max_events": 1000}}
    runtime = Runtime(
        RoutingConfig(
            sinks={name: MemoryConfig.model_validate(options) for name in names},
            routes=[RouteConfig(name="all", to=names)],
            data_dir=folder / str(sinks),
        )
    )
    runtime.start()
    return runtime


def _emitting(runtime: Runtime, calls: int) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        for _ in range(calls):
            runtime.emit("order.placed", {"order_id": 17, "user_id": 5, "amount": 12.5, "currency": "EUR"})
        figure = (time.perf_counter() - started) / calls * 1e6
        runtime.flush(60)
        for name in runtime.config.sinks:
            MemorySink.of(name).events.clear()
        return figure

    return run


def _deciding(routes: int, calls: int, *, dynamic: bool) -> Callable[[], float]:
    condition: Callable[[int], dict[str, Any]] = (
        (lambda number: {"field": {"name": "user_id", "equals": number + 1000}})
        if dynamic
        else (lambda number: {"event": f"name{number}.*", "level": ">=error"})
    )
    configs = [
        RouteConfig.model_validate({"name": str(number), "match": condition(number), "to": ["a"]})
        for number in range(routes - 1)
    ]
    router = Router([*configs, RouteConfig(name="rest", to=["a"])], {"a": "a"})
    event = Event(
        new_event_id(), 1, Kind.TRACING, "info", "order.placed", "s", "e", None, None, {"user_id": 5}
    )

    def run() -> float:
        started = time.perf_counter()
        for _ in range(calls):
            router.route(event)
        return (time.perf_counter() - started) / calls * 1e6

    return run
