"""The server of the metrics, and clients that mean it no good."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from logweir.settings.operations import MetricsConfig
from logweir.telemetry.model import Metrics
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
