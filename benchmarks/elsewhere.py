"""Delivery elsewhere: what a durable call costs while a worker process delivers, beside the same without one.

The worker reads the application's spool and has what is settled deleted from it; neither may hold up a commit
of the callers. Both work in folders of their own on one disk, and take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from logweir.auditing.audit import audit_sync
from logweir.benchmarks.durable import folder_on, quantile
from logweir.benchmarks.measure import Bar, Report, Series
from logweir.runtime import current as runtime

__all__ = ["measure"]

_WITH, _WITHOUT = "with a worker", "without"
#: What the p99 with a worker may be, in ratio to that without.
_LIMIT = 1.2


def measure(
    *,
    seconds: float = 2.0,
    runs: int = 7,
    callers: Sequence[int] = (1, 8),
    directory: Path | None = None,
) -> Report:
    """Measure both in one run.

    Args:
        seconds: How long the callers audit in a turn.
        runs: How many turns count.
        callers: How many audit at once, in turn.
        directory: On which disk; the working directory's by default.
    """
    found: dict[tuple[int, str, float], list[float]] = defaultdict(list)
    for turn in range(runs + 1):
        for number in callers:
            for who in (_WITHOUT, _WITH):
                with folder_on(directory) as folder:
                    latencies = _audit(folder, number, seconds, delivered=who == _WITH)
                if turn:
                    for share in (0.5, 0.99):
                        found[number, who, share].append(quantile(latencies, share) * 1000)
    series = {
        key: Series(f"{key[0]} callers, {key[1]}: p{key[2] * 100:g}", "ms", values)
        for key, values in found.items()
    }
    ratios = [series[number, _WITH, 0.99].ratio(series[number, _WITHOUT, 0.99]) for number in callers]
    return Report(
        "Durable calls of an application whose sink is delivered elsewhere, with and without a worker",
        list(series.values()),
        [Bar(ratio, _LIMIT) for ratio in ratios],
    )


def _audit(folder: Path, callers: int, seconds: float, *, delivered: bool) -> list[float]:
    """How long each call took."""
    queue = {"type": "disk", "deliver": "elsewhere", "max_events": 10**7}
    config = {
        "service": "bench",
        "data_dir": str(folder),
        "sinks": {"out": {"type": "null", "queue": queue}},
        "routes": [{"name": "all", "to": ["out"]}],
    }
    runtime.start(config, handle_signals=False)
    try:
        with _worker(folder, config) if delivered else _nobody():
            audit_sync("fund.transfer", user_id=7, amount=100)
            return _call(callers, seconds)
    finally:
        runtime.stop(10)


def _call(callers: int, seconds: float) -> list[float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    def work() -> None:
        while (begin := time.perf_counter()) < end:
            audit_sync("fund.transfer", user_id=7, status="success", amount=100, currency="EUR")
            latencies.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=work) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


@contextmanager
def _worker(folder: Path, config: dict[str, Any]) -> Iterator[None]:
    """A worker process that delivers, from the time that it says so."""
    path = folder / "routing.json"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "logweir", "worker", "-c", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        assert process.stderr is not None  # noqa: S101 - a pipe was asked for
        try:
            while "delivers to" not in (line := process.stderr.readline()):
                if not line:
                    raise RuntimeError("the worker did not start")
            yield
        finally:
            process.terminate()


@contextmanager
def _nobody() -> Iterator[None]:
    yield
