"""The load: requests at times fixed in advance, ``python -m logweir.benchmarks.app.load``.

It reads a plan as JSON from stdin and writes what it measured as JSON to stdout. Connections are kept open,
each serves one request at a time, and a request for which none is free waits: that counts. It is a loop over
``select`` and not asyncio, whose timers are a millisecond apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Latencies", "Plan", "percentile", "perform"]

_REQUEST = b"GET /orders HTTP/1.1\r\nHost: service\r\n\r\n"
#: How long an answer may take before the service counts as dead.
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a load.

    Attributes:
        port: Of the service.
        seconds: For how long requests arrive.
        rate: Requests a second; 0 for as many as it can answer, each connection sending the next at once.
        connections: How many are open.
        seed: Of the arrival times, the same for all contenders.
        core: The processor to run on, or None.
    """

    port: int
    seconds: float
    rate: float
    connections: int = 64
    seed: int = 1
    core: int | None = None


@dataclass(frozen=True, slots=True)
class Latencies:
    """What was measured, in milliseconds from the planned arrival to the last byte of the answer.

    Attributes:
        requests: How many were answered.
        seconds: From the first arrival to the last answer.
        late: The 99th percentile of how late the load itself was, in milliseconds.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    p999: float
    max: float
    late: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of the ordered values is."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.planned = 0.0
        self._received = b""

    def send(self, planned: float) -> None:
        self.planned = planned
        self._received = b""
        self.socket.sendall(_REQUEST)

    def is_answered(self) -> bool:
        """Read what is there; whether the answer is complete."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the service closed a connection")
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"the service answered {head[:60]!r}")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return len(body) >= int(length)


def perform(plan: Plan) -> Latencies:
    """Send what is planned and wait for all answers.

    Raises:
        ConnectionError: The service answered something else, or nothing for a long time.
    """
    free = [_Connection(plan.port) for _ in range(plan.connections)]
    busy: dict[socket.socket, _Connection] = {}
    waiting: deque[float] = deque()
    latencies: list[float] = []
    late: list[float] = []
    arrivals = deque(_arrivals(plan))
    count, clock = len(arrivals), time.perf_counter
    begun = clock() + 0.02
    end = begun + plan.seconds
    while arrivals or waiting or busy:
        now = clock()
        while arrivals and begun + arrivals[0] <= now:
            waiting.append(begun + arrivals.popleft())
            late.append(now - waiting[-1])
        while waiting and free:
            connection = free.pop()
            busy[connection.socket] = connection
            connection.send(waiting.popleft())
        pause = _PATIENCE if not arrivals else max(0.0, begun + arrivals[0] - clock())
        ready, _, _ = select.select(busy, (), (), pause)
        if not ready and not arrivals:
            raise ConnectionError(f"the service did not answer for {_PATIENCE:g} s")
        now = clock()
        for each in ready:
            if busy[each].is_answered():
                connection = busy.pop(each)
                latencies.append(now - connection.planned)
                free.append(connection)
                if not plan.rate and now < end:
                    waiting.append(now)
    for connection in free:
        connection.socket.close()
    return _summary(latencies, late, max(count, len(latencies)), clock() - begun)


def _arrivals(plan: Plan) -> list[float]:
    """Seconds from the beginning: independent of each other, as visitors are."""
    if not plan.rate:
        return [0.0] * plan.connections
    chance = random.Random(plan.seed)
    arrivals, at = list[float](), 0.0
    while (at := at + chance.expovariate(plan.rate)) < plan.seconds:
        arrivals.append(at)
    return arrivals or [0.0]


def _summary(latencies: list[float], late: list[float], requests: int, seconds: float) -> Latencies:
    latencies.sort()
    late.sort()
    p50, p99, p999 = (percentile(latencies, share) * 1000 for share in (0.5, 0.99, 0.999))
    return Latencies(requests, seconds, p50, p99, p999, latencies[-1] * 1000, percentile(late, 0.99) * 1000)


def main() -> None:
    """Run one plan."""
    content: dict[str, Any] = json.loads(sys.stdin.readline())
    plan = Plan(**content)
    if plan.core is not None:
        os.sched_setaffinity(0, {plan.core})
    if plan.rate:
        with contextlib.suppress(PermissionError):  # ahead of the store, whose work must not make it late
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    print(json.dumps(asdict(perform(plan))))  # noqa: T201 - what the benchmark reads


if __name__ == "__main__":
    main()
