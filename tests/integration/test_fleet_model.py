"""The model of a fleet, held to processes that run: a backlog as an outage leaves it, two workers, and a load that goes on."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis

from logweir.benchmarks.fleet_model import Fleet, simulate
from support.consumers import TESTS, consumers
from support.programs import ended_with_the_test
from support.publishing import BATCH
from support.waiting import eventually

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        os.environ.get("LOGWEIR_SOAK") != "long",
        reason="in the short form the model is held to what can be reckoned alone: tests/unit/benchmarks",
    ),
]

#: Events in hand for a measure of costs, and events that wait when two workers begin.
CALIBRATION, BACKLOG = 30_000, 150_000
CORES = len(os.sched_getaffinity(0))


class Streams:
    """What waits in Redis, and what Redis has spent."""

    def __init__(self, config: dict[str, Any]) -> None:
        queue = config["sinks"]["store"]["queue"]
        self.client = Redis.from_url(queue["url"])
        self._names = [f"{{{queue['stream']}:{number}}}" for number in range(queue["partitions"])]

    def waiting(self) -> int:
        pipeline = self.client.pipeline(transaction=False)
        for name in self._names:
            pipeline.xlen(name)
        return sum(pipeline.execute())

    def spent(self) -> float:
        info = self.client.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"])


@contextmanager
def publisher(folder: Path, number: int, rate: float = 0) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to publish."""
    command = [
        sys.executable,
        "-m",
        "support.publishing",
        str(folder / "consumers.json"),
        str(number),
        str(rate),
    ]
    process = ended_with_the_test(
        subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(TESTS)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    assert process.wait(60) == 0
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def processor_time(pids: list[int]) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def end_of(process: subprocess.Popen[str]) -> float:
    """The seconds of processor time that it took."""
    assert process.stdout is not None
    return float(process.stdout.readline())


def costs(folder: Path, config: dict[str, Any], streams: Streams) -> dict[str, float]:
    """What an event costs each of the processes, measured with one of each."""
    before = streams.spent()
    with publisher(folder, CALIBRATION) as process:
        begin(process)
        forward = end_of(process)
    publish, before = streams.spent() - before, streams.spent()
    with consumers(folder, config, 1) as workers:
        workers.wait_until_ready()
        worker = psutil.Process(workers.processes[0].pid)
        first = CALIBRATION - streams.waiting()
        spent = sum(worker.cpu_times()[:2])
        eventually(lambda: streams.waiting() == 0, 120, pause=0.02)
        work = sum(worker.cpu_times()[:2]) - spent
        deliver = streams.spent() - before
        workers.stop()
    number = CALIBRATION - first
    return {
        "forward": forward / CALIBRATION,
        "publish": publish / CALIBRATION,
        "work": work / number,
        "deliver": deliver / CALIBRATION,
    }


@pytest.mark.timeout(600)
def test_two_workers_catch_up_with_a_backlog_in_the_time_that_the_model_gives(
    tmp_path: Path, own_server: Callable[..., Any], record_property: Callable[[str, object], None]
) -> None:
    server = own_server("redis", args=["--appendfsync", "everysec"])  # the model knows no disk
    queue = {"type": "redis", "url": server.url, "partitions": 8, "stream": "model"}
    store = {"type": "null", "queue": queue, "batch": {"max_events": BATCH, "linger": 0}}
    config = {
        "sinks": {"store": store},
        "routes": [{"name": "all", "to": ["store"]}],
        "data_dir": str(tmp_path),
    }
    (tmp_path / "consumers.json").write_text(json.dumps(config))
    streams = Streams(config)
    try:
        found = costs(tmp_path, config, streams)
        rate = 0.1 * CORES / sum(found.values())
        fleet = Fleet(hosts=1, rate=rate, workers=2, store=0.0, overhead=0.0, cores=CORES, **found)
        fleet = replace(fleet, seconds=3 * fleet.catching_up(BACKLOG))
        with publisher(tmp_path, BACKLOG) as process:
            begin(process)
            end_of(process)
        with (
            publisher(tmp_path, int(rate * fleet.seconds), rate) as process,
            consumers(tmp_path, config, 2) as workers,
        ):
            workers.wait_until_ready()
            pids = [process.pid, *(each.pid for each in workers.processes), server.pids[0]]
            begin(process)
            waiting, began, spent = streams.waiting(), time.monotonic(), processor_time(pids)
            eventually(lambda: streams.waiting() < rate, 240, pause=0.02)
            seconds, spent = time.monotonic() - began, processor_time(pids) - spent
            end_of(process)
            workers.stop()
        # On a machine that others use too, all takes as much longer as it gives us less; alone it gives us nearly all.
        given = spent / (seconds * CORES)
        slower = replace(fleet, waiting=waiting, **{name: cost / given for name, cost in found.items()})
        expected = simulate(slower).caught_up
        said = ", ".join(f"{name} {1e6 * cost:.1f} µs" for name, cost in found.items())
        said += f"; {waiting:,} wait, {rate:,.0f}/s, {given:.0%} of {CORES} cores: "
        said += f"{seconds:.2f} s measured, {expected:.2f} s in the model"
        record_property("figures", said)
        assert expected == pytest.approx(seconds, rel=0.2), said
    finally:
        streams.client.close()
