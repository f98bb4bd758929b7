"""What a log call costs its caller: logweir beside a bare structlog call, loguru and others.

Each contender logs the same event with four fields below two context variables, in bursts that its queue
holds, while its consumer drains to nowhere. The bursts are timed by the wall clock of the calling thread:
what the caller waits is what counts. The bare structlog call does less than anybody needs (context, level and
timestamp, and an append to a deque) and shows what remains. Like is measured against like: a logger as
``get_logger`` returns it, and one that carries three values. The first one is measured twice more: with three
static fields (``fields`` of routing.yaml), and with a function that adds one (``enrich``).
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from logweir.benchmarks import producer_rivals
from logweir.benchmarks.measure import Bar, Report, take_turns
from logweir.benchmarks.producer_rivals import timed
from logweir.integrations.structlog import configure_structlog, get_logger
from logweir.runtime import current as runtime

__all__ = ["add_release", "measure"]

_CONFIG = {
    "service": "bench",
    "classify": [
        {"kind": "audit", "match": {"event": ["fund.*", "permission.*"]}},
        {"kind": "audit", "match": {"field": {"name": "user_role", "in": ["admin", "root"]}}},
        {"kind": "audit", "match": {"level": "critical"}},
    ],
    "sinks": {
        "audit_db": {"type": "null"},
        "nowhere": {"type": "null", "queue": {"max_events": 200_000}, "batch": {"max_events": 1000}},
    },
    "routes": [
        {"name": "audit", "match": {"kind": "audit"}, "to": ["audit_db"]},
        {"name": "rest", "match": {"kind": "tracing"}, "to": ["nowhere"]},
    ],
}
#: What is added to every event, in the rows that show what that costs.
_FIELDS = {"fields": {"host": "web-3", "version": "1.4.2", "region": "eu-central-1"}}
_ENRICH = {"enrich": ["logweir.benchmarks.producer:add_release"]}
#: Calls after a change of the configuration that do not count.
_WARMING = 200
#: What a bound logger carries.
_BOUND = {"user": "u-81726", "tenant": "acme-corp", "path": "/orders"}
_CONTEXT = {"request_id": "req-8f14e45f", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}


def measure(*, calls: int = 10_000, runs: int = 15) -> Report:
    """Measure all contenders in one run."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**_CONTEXT)
    bare = _bare_structlog(calls)
    with (
        _logweir(calls) as ours,
        _queue_handler(calls) as handler,
        _loguru(calls) as loguru,
        producer_rivals.contenders(calls, _CONTEXT) as (others, missing),
    ):
        contenders = [
            ("logweir, unbound", ours()),
            ("structlog alone, to a deque, unbound", bare()),
            ("logweir, bound", ours(**_BOUND)),
            ("structlog alone, to a deque, bound", bare(**_BOUND)),
            ("stdlib QueueHandler", handler),
            ("loguru enqueue=True", loguru),
            ("logweir, unbound, with three static fields", ours(_FIELDS)),
            ("logweir, unbound, with one enricher", ours(_ENRICH)),
            *others,
        ]
        series = take_turns(contenders, runs, "µs/call")
    structlog.contextvars.clear_contextvars()
    unbound, bare_unbound, bound, bare_bound, stdlib, *_ = series
    return Report(
        "Producer: one log call with four fields and a bound context",
        series,
        [
            Bar(unbound.ratio(bare_unbound), 1.0),
            Bar(bound.ratio(bare_bound), 1.0),
            Bar(unbound.ratio(stdlib), 0.35),
            Bar(bound.ratio(stdlib), 0.35),
        ],
        [
            "logweir classifies by three rules, redacts, copies and routes; the others do none of these.",
            *missing,
        ],
    )


def add_release(_logger: Any, _level: str, event_dict: dict[str, Any]) -> dict[str, Any]:
    """Add a field, as the smallest enricher does."""
    event_dict["release"] = "2026.11"
    return event_dict


@contextmanager
def _logweir(calls: int) -> Iterator[Callable[..., Callable[[], float]]]:
    folder = tempfile.TemporaryDirectory()
    base = {**_CONFIG, "data_dir": folder.name}
    running = runtime.start(base, handle_signals=False)
    configure_structlog()
    in_force: dict[str, Any] = {}

    def contender(added: dict[str, Any] | None = None, **bound: Any) -> Callable[[], float]:
        log = get_logger("bench")
        if bound:
            log = log.bind(**bound)

        def call() -> None:
            log.info("order.placed", order_id=17, user_id=5, amount=12.5, currency="EUR")

        def run() -> float:
            if in_force != (added or {}):
                in_force.clear()
                in_force.update(added or {})
                running.reload({**base, **in_force})
                timed(call, _WARMING)
            figure = timed(call, calls)
            running.flush()
            return figure

        return run

    with folder:
        try:
            yield contender
        finally:
            runtime.stop()
            structlog.reset_defaults()


def _bare_structlog(calls: int) -> Callable[..., Callable[[], float]]:
    kept: deque[Any] = deque(maxlen=calls)

    class Collector:
        def info(self, event_dict: Any) -> None:
            kept.append(event_dict)

    def finish(_logger: Any, _method: str, event_dict: Any) -> Any:
        return (event_dict,), {}

    def contender(**bound: Any) -> Callable[[], float]:
        log = structlog.wrap_logger(
            Collector(),
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                finish,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=True,
        )
        if bound:
            log = log.bind(**bound)
        return lambda: timed(
            lambda: log.info("order.placed", order_id=17, user_id=5, amount=12.5, currency="EUR"), calls
        )

    return contender


class _Nowhere(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None: ...


@contextmanager
def _queue_handler(calls: int) -> Iterator[Callable[[], float]]:
    waiting: queue.Queue[Any] = queue.Queue(-1)
    logger = logging.Logger("bench", logging.INFO)
    logger.addHandler(logging.handlers.QueueHandler(waiting))
    listener = logging.handlers.QueueListener(waiting, _Nowhere())
    listener.start()

    def run() -> float:
        figure = timed(
            lambda: logger.info(
                "order.placed",
                extra={"order_id": 17, "user_id": 5, "amount": 12.5, "currency": "EUR", **_CONTEXT},
            ),
            calls,
        )
        waiting.join()
        return figure

    try:
        yield run
    finally:
        listener.stop()


@contextmanager
def _loguru(calls: int) -> Iterator[Callable[[], float]]:
    from loguru import logger  # noqa: PLC0415 - starts a process-wide logger

    logger.remove()
    number = logger.add(lambda _message: None, enqueue=True)
    bound = logger.bind(**_CONTEXT)
    fewer = max(1, calls // 10)

    def run() -> float:
        figure = timed(
            lambda: bound.bind(order_id=17, user_id=5, amount=12.5, currency="EUR").info("order.placed"),
            fewer,
        )
        logger.complete()
        return figure

    try:
        yield run
    finally:
        logger.remove(number)
