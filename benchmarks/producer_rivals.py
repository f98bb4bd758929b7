"""Further contenders for the price of a log call, where they are installed: other ways to log off the caller.

picologging has no ``extra``, and LogXide puts no arguments into its messages: their callers make the text of
the fields, as they would have to. LogXide takes the place of the standard library's logging in the whole
process, so that it is measured in one of its own.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["contenders", "timed"]

_FIELDS = {"order_id": 17, "user_id": 5, "amount": 12.5, "currency": "EUR"}

Contender = tuple[str, Callable[[], float]]


def timed(call: Callable[[], object], calls: int) -> float:
    """Microseconds of a call, by the wall clock."""
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls * 1e6


@contextmanager
def contenders(calls: int, context: dict[str, str]) -> Iterator[tuple[list[Contender], list[str]]]:
    """Those that are installed, ready, and a note for each that is not."""
    found: list[Contender] = []
    notes: list[str] = []
    with ExitStack() as stack:
        for package, module, name, make in _ALL:
            if _installed(module):
                found.append((name, stack.enter_context(make(calls, context))))
            else:
                notes.append(f"{package} is not installed, so it is not measured; pip install {package}")
        yield found, notes


def _installed(module: str) -> bool:
    parent, _, _ = module.rpartition(".")
    return bool((not parent or find_spec(parent)) and find_spec(module))


@contextmanager
def _picologging(calls: int, context: dict[str, str]) -> Iterator[Callable[[], float]]:
    picologging: Any = import_module("picologging")
    handlers: Any = import_module("picologging.handlers")

    class Nowhere(picologging.Handler):  # type: ignore[misc]
        def emit(self, record: object) -> None: ...

    waiting: queue.Queue[Any] = queue.Queue(-1)
    logger = picologging.Logger("bench", logging.INFO)
    logger.addHandler(handlers.QueueHandler(waiting))
    listener = handlers.QueueListener(waiting, Nowhere())
    listener.start()

    def run() -> float:
        figure = timed(lambda: logger.info(_line(context)), calls)
        waiting.join()
        return figure

    try:
        yield run
    finally:
        listener.stop()


def _line(context: dict[str, str]) -> str:
    return json.dumps({"event": "order.placed", **_FIELDS, **context})


@contextmanager
def _opentelemetry(calls: int, context: dict[str, str]) -> Iterator[Callable[[], float]]:
    logs: Any = import_module("opentelemetry.sdk._logs")
    export: Any = import_module("opentelemetry.sdk._logs.export")

    class Nowhere:
        def export(self, batch: object) -> Any:
            result = getattr(export, "LogRecordExportResult", None) or export.LogExportResult
            return result.SUCCESS

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    provider = logs.LoggerProvider()
    processor = export.BatchLogRecordProcessor(Nowhere(), max_queue_size=max(calls, 2048))
    provider.add_log_record_processor(processor)
    logger = logging.Logger("bench", logging.INFO)
    with warnings.catch_warnings(
        action="ignore", category=DeprecationWarning
    ):  # it is to move to another package
        logger.addHandler(logs.LoggingHandler(logger_provider=provider))

    def run() -> float:
        figure = timed(lambda: logger.info("order.placed", extra={**_FIELDS, **context}), calls)
        provider.force_flush()
        return figure

    try:
        yield run
    finally:
        provider.shutdown()


@contextmanager
def _logxide(calls: int, context: dict[str, str]) -> Iterator[Callable[[], float]]:
    command = [sys.executable, "-m", __name__, json.dumps(context)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
    assert child.stdin is not None  # noqa: S101 - they are pipes
    assert child.stdout is not None  # noqa: S101 - idem
    asked, answers = child.stdin, child.stdout

    def run() -> float:
        print(calls, file=asked, flush=True)
        return float(answers.readline())

    try:
        yield run
    finally:
        asked.close()
        child.wait()
        answers.close()


def _serve_logxide(context: dict[str, str]) -> None:
    """Time so many calls for each number that comes in."""
    theirs = import_module("logxide").logging
    handler = theirs.FileHandler(os.devnull)
    handler.setFormatter(theirs.Formatter("%(message)s"))
    logger = theirs.getLogger("bench")
    logger.setLevel(logging.INFO)
    logger.propagate = False  # its root logger writes to stderr as well
    logger.addHandler(handler)
    for line in sys.stdin:
        figure = timed(lambda: logger.info(_line(context)), int(line))
        theirs.flush()
        print(figure, flush=True)  # noqa: T201 - what the parent reads


_ALL = (
    ("picologging", "picologging", "picologging QueueHandler", _picologging),
    ("logxide", "logxide", "LogXide, to /dev/null within the call", _logxide),
    ("opentelemetry-sdk", "opentelemetry.sdk", "OpenTelemetry's batch processor", _opentelemetry),
)

if __name__ == "__main__":
    _serve_logxide(json.loads(sys.argv[1]))
