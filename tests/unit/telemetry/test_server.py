"""The server of the metrics, and clients that mean it no good."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from logweir.delivery.counters import SinkState
from logweir.settings.operations import MetricsConfig
from logweir.telemetry.model import Metrics, SinkMetrics
from logweir.telemetry.server import MetricsServer


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
