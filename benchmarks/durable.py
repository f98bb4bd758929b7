"""Durable audit: what an acknowledgement costs that means *on disk*, with 1, 8 and 64 concurrent callers.

Each caller audits the next event when the last one is durable, through the whole of logweir and through
its disk queue alone. Beside it, on the same disk: the same rows in the same tables of SQLite, one commit
(WAL, ``synchronous=FULL``) for each event, and fsync alone. All files exist when the clock starts.
"""

from __future__ import annotations

import asyncio
import math
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from logweir.auditing.audit import audit, audit_sync
from logweir.benchmarks.measure import Bar, Report, Series
from logweir.delivery.commit_future import commit_future
from logweir.delivery.dead_letters import DeadLetters
from logweir.delivery.queues.disk import DiskQueue
from logweir.delivery.spool.spool import Spool
from logweir.delivery.spool.spool_file import Record, Row, SpoolFile
from logweir.encoding.events import encode_event
from logweir.event import Event, Kind, new_event_id
from logweir.runtime import current as runtime
from logweir.settings.delivery import QueueConfig

__all__ = ["folder_on", "measure", "quantile"]

_CALLERS = (1, 8, 64)
#: What is to be reached, in ratio to a commit for each event.
_BARS = {
    ("logweir.audit_sync()", 1): 0.8,
    ("await logweir.audit()", 1): 0.6,
    ("await logweir.audit()", 64): 6.0,
    ("disk queue", 64): 6.0,
}
_FIELDS = {"user_id": 7, "action": "fund.transfer", "status": "success", "amount": 100, "currency": "EUR"}


class _Run(NamedTuple):
    """What one contender did in one turn: how many events a second, and how long each took."""

    rate: float
    latencies: list[float]


_Contender = Callable[[Path, int, float], _Run]


def measure(*, seconds: float = 0.3, runs: int = 25, directory: Path | None = None) -> Report:
    """Measure all contenders in one run.

    Args:
        seconds: How long each contender works in a turn.
        runs: How many turns count.
        directory: On which disk; the working directory's by default.
    """
    contenders: dict[str, tuple[_Contender, int]] = {}
    for callers in _CALLERS:
        contenders[f"{callers}: await logweir.audit()"] = (_audit, callers)
        contenders[f"{callers}: logweir.audit_sync()"] = (_audit_sync, callers)
        contenders[f"{callers}: disk queue"] = (_disk_queue, callers)
        contenders[f"{callers}: commit each"] = (_commit_each, callers)
    contenders["1: fsync alone"] = (_fsync, 1)
    rates: dict[str, list[float]] = defaultdict(list)
    delays: dict[tuple[str, float], list[float]] = defaultdict(list)
    for turn in range(runs + 1):
        for name, (contender, callers) in contenders.items():
            with folder_on(directory) as folder:
                run = contender(folder, callers, seconds)
            if turn:
                rates[name].append(run.rate)
                for share in (0.5, 0.99):
                    delays[name, share].append(quantile(run.latencies, share) * 1000)
    series = []
    for name in contenders:
        series.append(Series(name, "events/s", rates[name]))
        series += [Series(f"  p{share * 100:g}", "ms", delays[name, share]) for share in (0.5, 0.99)]
    ratios = {
        (what, callers): _ratio(rates, f"{callers}: {what}", f"{callers}: commit each")
        for what in ("disk queue", "await logweir.audit()", "logweir.audit_sync()")
        for callers in _CALLERS
    }
    return Report(
        f"Durable audit: acknowledged on disk; {', '.join(map(str, _CALLERS))} concurrent callers",
        [*series, *(ratio for key, ratio in ratios.items() if key not in _BARS)],
        [Bar(ratios[key], limit, at_most=False) for key, limit in _BARS.items()],
        [
            "Each caller waits for its event before the next one. Callers of await logweir.audit() and the",
            "disk queue are tasks of one loop, those of audit_sync() and those that commit each are threads.",
        ],
    )


def _ratio(rates: dict[str, list[float]], ours: str, theirs: str) -> Series:
    return Series(ours, "events/s", rates[ours]).ratio(Series("commit each", "events/s", rates[theirs]))


def quantile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


@contextmanager
def folder_on(directory: Path | None) -> Iterator[Path]:
    """A folder for one turn on a disk; the working directory's by default."""
    with tempfile.TemporaryDirectory(prefix=".durable-", dir=directory or Path.cwd()) as folder:
        yield Path(folder)


def _event() -> Event:
    now = time.time_ns()
    return Event(
        new_event_id(), now, Kind.AUDIT, "info", "fund.transfer", "bench", "dev", None, None, _FIELDS, 250
    )


def _start(folder: Path) -> None:
    runtime.start(
        {
            "service": "bench",
            "data_dir": str(folder),
            "sinks": {"audit_db": {"type": "null", "queue": {"type": "disk", "max_events": 10**7}}},
            "routes": [{"name": "audit", "match": {"kind": "audit"}, "to": ["audit_db"]}],
            "audit": {"acknowledge": "durable"},
        },
        handle_signals=False,
    )


def _audit(folder: Path, callers: int, seconds: float) -> _Run:
    """The whole way: classified, redacted, copied, routed, put, and acknowledged."""
    _start(folder)

    async def call() -> None:
        await audit("fund.transfer", user_id=7, status="success", amount=100, currency="EUR")

    async def work() -> _Run:
        await call()  # which makes the file
        return await _with_tasks(call, callers, seconds)

    try:
        return asyncio.run(work())
    finally:
        runtime.stop()


def _audit_sync(folder: Path, callers: int, seconds: float) -> _Run:
    """The whole way from threads, which commit for each other."""
    _start(folder)

    def call() -> None:
        audit_sync("fund.transfer", user_id=7, status="success", amount=100, currency="EUR")

    call()  # which makes the file
    try:
        return _with_threads(call, callers, seconds)
    finally:
        runtime.stop()


def _disk_queue(folder: Path, callers: int, seconds: float) -> _Run:
    """Tasks of one event loop, as in an asynchronous service."""
    store = Spool(folder / "queues", DeadLetters(folder))
    queue = DiskQueue(store, "audit_db", QueueConfig(max_events=10**7), "block", lambda _callback: None)

    async def call() -> None:
        durable, on_commit = commit_future()
        queue.put(_event(), on_commit)
        await durable

    async def work() -> _Run:
        await call()  # which makes the file
        return await _with_tasks(call, callers, seconds)

    try:
        return asyncio.run(work())
    finally:
        queue.close()
        store.close()


async def _with_tasks(call: Callable[[], Awaitable[None]], callers: int, seconds: float) -> _Run:
    latencies: list[float] = []
    started = time.perf_counter()
    end = started + seconds

    async def work() -> None:
        while (before := time.perf_counter()) < end:
            await call()
            latencies.append(time.perf_counter() - before)

    await asyncio.gather(*(work() for _ in range(callers)))
    return _Run(len(latencies) / (time.perf_counter() - started), latencies)


def _commit_each(folder: Path, callers: int, seconds: float) -> _Run:
    """Threads that take turns with one connection, the cheapest way to commit each event by itself."""
    file = SpoolFile(folder / "each.db")
    lock = threading.Lock()
    written = 0

    def write() -> None:
        nonlocal written
        event = _event()
        body = encode_event(event)
        with lock:
            file.write([Record(Row(written, event.time, event.size, body), ["audit_db"])])
            written += 1

    try:
        return _with_threads(write, callers, seconds)
    finally:
        file.close()


def _fsync(folder: Path, callers: int, seconds: float) -> _Run:
    """The floor: the same bytes appended to a file and synced."""
    with (folder / "bytes").open("ab", buffering=0) as file:

        def write() -> None:
            file.write(encode_event(_event()))
            os.fsync(file.fileno())

        return _with_threads(write, callers, seconds)


def _with_threads(write: Callable[[], None], callers: int, seconds: float) -> _Run:
    latencies: list[float] = []
    started = time.perf_counter()
    end = started + seconds

    def call() -> None:
        while (before := time.perf_counter()) < end:
            write()
            latencies.append(time.perf_counter() - before)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _Run(len(latencies) / (time.perf_counter() - started), latencies)
