"""The server of the metrics, and clients that mean it no good."""

import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from logweir.delivery.counters import SinkState
from logweir.settings.operations import MetricsConfig
from logweir.telemetry.model import Metrics, SinkMetrics
from logweir.telemetry.server import MetricsServer
from logweir.telemetry.shared import SharedCounts
from servers.machine import free_port


@pytest.fixture
def url() -> Iterator[str]:
    server = MetricsServer(lambda: Metrics(sinks={}))
    server.follow(MetricsConfig(port=0))
    assert server.url is not None
    yield server.url
    server.stop()


def test_d8_connections_that_drip_do_not_lock_others_out(url: str) -> None:
    parts = urlsplit(url)
    with ExitStack() as opened:
        for _ in range(20):
            client = opened.enter_context(socket.create_connection((parts.hostname, parts.port)))
            client.sendall(b"GET /metr")
        for _ in range(10):
            with urlopen(url, timeout=10) as answer:
                assert answer.status == 200


def test_a_supervisor_learns_whether_the_process_answers_and_which_sinks_are_down() -> None:
    sinks = {"good": SinkMetrics(state=SinkState.HEALTHY)}
    server = MetricsServer(lambda: Metrics(sinks=sinks))
    server.follow(MetricsConfig(port=0))
    assert server.url is not None
    base = server.url.removesuffix("/metrics")
    try:
        for path in ("/live", "/ready"):
            with urlopen(base + path, timeout=10) as answer:
                assert (answer.status, answer.read()) == (200, b"ok\n")
        sinks["bad"] = SinkMetrics(state=SinkState.DOWN)
        with urlopen(base + "/live", timeout=10) as answer:
            assert answer.status == 200
        with pytest.raises(HTTPError) as refused:
            urlopen(base + "/ready", timeout=10)
        with refused.value as answer:
            assert (answer.code, answer.read()) == (503, b"down: bad\n")
    finally:
        server.stop()


def test_who_asked_before_the_end_learns_the_counts_of_all_though_the_answer_comes_after_it(
    tmp_path: Path,
) -> None:
    asked, stopped = threading.Event(), threading.Event()
    here = Metrics(sinks={"out": SinkMetrics(accepted=10, state=SinkState.HEALTHY)}, unrouted=10)
    port = free_port()

    def read() -> Metrics:
        if threading.current_thread().name.startswith("Thread-"):  # that of the request
            asked.set()
            assert stopped.wait(10)
        return here

    server = MetricsServer(read, lambda: here)
    server.follow(MetricsConfig(port=port), tmp_path)
    there = SharedCounts(tmp_path / f"127.0.0.1-{port}", lambda: here)
    there.publish()
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(lambda: urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20).read())
        assert asked.wait(10)
        server.stop()
        stopped.set()
        text = answer.result().decode()
    there.end()
    for name in ("unrouted", "accepted"):
        counts = re.findall(rf"^logweir_events_{name}_total\S* (\S+)", text, re.MULTILINE)
        assert sum(map(float, counts)) == 20


@pytest.mark.parametrize("path", ["/metrics", "/ready"])
def test_who_asks_learns_that_the_metrics_cannot_be_read(path: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Metrics:
        raise TimeoutError("somebody has the lock")

    server = MetricsServer(fail)
    server.follow(MetricsConfig(port=0))
    assert server.url is not None
    try:
        with pytest.raises(HTTPError, match="500"):
            urlopen(server.url.replace("/metrics", path), timeout=10)
    finally:
        server.stop()
    assert "the metrics could not be read: TimeoutError" in caplog.text
