"""``python -m logweir.benchmarks app``: the cases in turns, each beside a service that logs nothing.

The lower rate is the same for all: a fifth of what the service without a log answers at most, which is found
first. The higher one is half of what the case itself answers at most, or the requests of the dearer ones
would stand in a queue without an end. Figures of one turn are compared with those of the same turn.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from logweir.benchmarks.app import brokers, contenders
from logweir.benchmarks.app.cases import BASELINE, REFERENCE, SINKS, Case, cases
from logweir.benchmarks.app.load import Latencies, Plan
from logweir.benchmarks.app.report import AppReport, Figures, make_report

__all__ = ["VARIABLES", "measure"]

#: Name the servers to measure; without one, Loki's protocol is answered by a double that costs nothing.
VARIABLES = {
    "mysql": "LOGWEIR_BENCH_MYSQL_URL",
    "loki": "LOGWEIR_BENCH_LOKI_URL",
    "redis": "LOGWEIR_BENCH_REDIS_URL",
    "kafka": "LOGWEIR_BENCH_KAFKA",
}
#: What each request waits at a store that is slow, in seconds.
_SLOWNESS = 0.25
_WARM_UP = 0.5
#: What a worker says when it has begun.
_READY = (b"delivers to", b"forwards for")


@dataclass(frozen=True, slots=True)
class _Ground:
    """What all cases share."""

    seconds: float
    service_core: int | None
    store_core: int | None


def measure(
    *,
    seconds: float = 2.5,
    turns: int = 3,
    sinks: Collection[str] = SINKS,
    rivals: Collection[str] = contenders.NAMES,
    unpinned: bool = True,
    urls: Mapping[str, str] | None = None,
    over: Collection[str] = brokers.BROKERS,
    only: str = "*",
) -> AppReport:
    """Measure every case in every turn.

    Args:
        seconds: How long the load at a fifth of the capacity lasts; that at half of it lasts half as long.
        turns: How often.
        sinks: Which of logweir's sinks.
        rivals: Which of the others; with those that all are compared with.
        unpinned: Whether some are measured without a core of their own too.
        urls: Of the stores and brokers, by the type of the sink or queue; by default of the environment.
        over: Which brokers.
        only: Names of cases, as patterns of files are; with those that all are compared with.
    """
    given = {sink: os.environ[name] for sink, name in VARIABLES.items() if name in os.environ}
    stores = dict(given if urls is None else urls)
    notes = [note for name in rivals if (note := contenders.missing(name))]
    cores = sorted(os.sched_getaffinity(0))
    two = len(cores) > 1
    ground = _Ground(seconds, cores[0] if two else None, cores[-1] if two else None)
    table = f"bench_{uuid.uuid4().hex[:12]}"
    with ExitStack() as stack:
        if "loki" in sinks and "loki" not in stores:
            port = stack.enter_context(_process("stores", {"core": ground.store_core}))[0]
            stores["loki"] = f"http://127.0.0.1:{port}"
            notes.append(f"loki: a double that takes everything; {VARIABLES['loki']} names a real store")
        if "mysql" in sinks and "mysql" in stores:
            stack.callback(lambda: asyncio.run(_drop(stores["mysql"], table)))
        elif "mysql" in sinks:
            notes.append(f"not measured: mysql, {VARIABLES['mysql']} names no server")
        notes += _without(over, stores)
        named = cases(sinks, rivals, stores, table, unpinned=unpinned and two, over=over)
        todo = [case for case in named if case.name in (BASELINE, REFERENCE) or fnmatch(case.name, only)]
        capacity = _capacity(ground, next(case for case in todo if case.name == BASELINE))
        figures: dict[str, list[Figures]] = {case.name: [] for case in todo}
        for _ in range(turns):
            for case in todo:
                figures[case.name].append(_run(ground, case, capacity))
    if not two:
        notes.append("only one core: the load and the store share it with the service")
    return make_report(figures, todo, capacity, notes)


def _without(over: Collection[str], urls: Mapping[str, str]) -> Iterator[str]:
    """What is not measured of brokers."""
    for broker in over:
        if broker not in urls:
            yield f"not measured: {broker}, {VARIABLES[broker]} names no server"
        elif not brokers.is_relayed(broker):
            yield f"not measured: {broker} dead and slow, {brokers.VIA} names no listener for a relay"


def _capacity(ground: _Ground, case: Case) -> float:
    """Requests a second that the service answers at most; the better of two, for noise only takes away."""
    return max(_run(ground, case, None).saturation for _ in range(2))


def _run(ground: _Ground, case: Case, capacity: float | None) -> Figures:
    with (
        _folder(case) as folder,
        _relay(ground, case) as (reached, end_store),
        _workers(ground, reached, options := _options(reached, folder), folder),
        _service(ground, reached, options, folder) as port,
    ):
        _load(ground, port, _WARM_UP, 0)
        saturated = _load(ground, port, max(0.2, ground.seconds / 4), 0)
        saturation = saturated.requests / saturated.seconds
        if capacity is None:
            return Figures(saturation)
        settled = case.state == "alive"
        if case.state == "dead":
            end_store()
        before = _processor_time(port, settled=settled)
        fifth = _load(ground, port, ground.seconds, capacity / 5)
        used = _processor_time(port, settled=settled) - before
        half = _load(ground, port, ground.seconds / 2, saturation / 2)
        return Figures(saturation, fifth, half, used / fifth.requests * 1e6)


def _options(case: Case, folder: str) -> dict[str, Any]:
    text = json.dumps(dict(case.options)).replace("{folder}", folder).replace("{run}", Path(folder).name)
    return dict(json.loads(text))


@contextmanager
def _folder(case: Case) -> Iterator[str]:
    """Where the service may write; at the end it is gone, with what the run left in a broker."""
    with tempfile.TemporaryDirectory(prefix="logweir-bench-", ignore_cleanup_errors=True) as folder:
        yield folder
        if case.broker:
            brokers.clean(_options(case, folder)["queue"])


@contextmanager
def _relay(ground: _Ground, case: Case) -> Iterator[tuple[Case, Any]]:
    """Where the store of a case is reached, and what kills it."""
    if case.state == "alive":
        yield case, None
        return
    host, port = case.address()
    to = {"host": host, "port": port, "latency": _SLOWNESS if case.state == "slow" else 0.0}
    content = {"core": ground.store_core, "relay_to": to, "port": case.relay_port}
    with _process("stores", content) as (relay, process):
        yield case.at(relay), process.kill


@contextmanager
def _service(ground: _Ground, case: Case, options: dict[str, Any], folder: str) -> Iterator[int]:
    content = {
        "contender": case.contender,
        "options": options,
        "folder": folder,
        "core": ground.service_core if case.pinned else None,
    }
    with _process("service", content) as (port, process):
        _await_answer(port, process)
        yield port


@contextmanager
def _workers(ground: _Ground, case: Case, options: dict[str, Any], folder: str) -> Iterator[None]:
    """The processes that deliver, and forward, where the service does not; on the core of the store."""
    file = Path(folder) / "routing.yaml"
    file.write_text(json.dumps(contenders.routing(Path(folder), options)))
    wanted: list[list[str]] = []
    if case.is_elsewhere or case.broker:
        wanted.append([])
    if case.is_elsewhere and case.broker:
        wanted.append(["--forward"])
    with ExitStack() as stack:
        for arguments in wanted:
            stack.enter_context(_worker(ground, str(file), arguments))
        yield


@contextmanager
def _worker(ground: _Ground, file: str, arguments: list[str]) -> Iterator[None]:
    """A worker process, which has begun."""
    command = [sys.executable, "-m", "logweir", "worker", "--config", file, *arguments]
    with (
        tempfile.NamedTemporaryFile() as said,
        subprocess.Popen(command, stderr=said) as process,  # noqa: S603 - our own command
    ):
        if ground.store_core is not None:
            os.sched_setaffinity(process.pid, {ground.store_core})
        try:
            deadline = time.monotonic() + 60
            while not any(word in Path(said.name).read_bytes() for word in _READY):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"a worker did not begin: {Path(said.name).read_text()[-2000:]}")
                time.sleep(0.05)
            yield
        finally:
            process.kill()


@contextmanager
def _process(module: str, content: dict[str, Any]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """One of our processes, by the port that it serves; ended at the end."""
    command = [sys.executable, "-m", f"logweir.benchmarks.app.{module}"]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        try:
            yield _answer_of(process, content)["port"], process
        except Exception as error:
            said.seek(0)
            error.add_note(f"{module} with {content.get('contender')}, which said: {said.read()[-2000:]}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answer_of(process: subprocess.Popen[str], content: dict[str, Any]) -> Any:
    """Command a process what to be, or to do; returns what it answers."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - pipes, see above
    process.stdin.write(json.dumps(content) + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"a process of the benchmark ended at its start: {process.args!r}")
    return json.loads(answer)


def _load(ground: _Ground, port: int, seconds: float, rate: float) -> Latencies:
    plan = Plan(port, seconds, rate, core=ground.store_core)
    command = [sys.executable, "-m", "logweir.benchmarks.app.load"]
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        return Latencies(**_answer_of(process, asdict(plan)))


def _await_answer(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until the service has started."""
    deadline = time.monotonic() + 30
    while True:
        try:
            _processor_time(port, settled=False)
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.02)
        else:
            return


def _processor_time(port: int, *, settled: bool) -> float:
    url = f"http://127.0.0.1:{port}/processor?settled={str(settled).lower()}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return float(answer.read())


async def _drop(url: str, table: str) -> None:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    finally:
        await engine.dispose()
