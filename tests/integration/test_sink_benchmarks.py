"""The benchmarks of the sinks beside their backends' own clients run, at tiny sizes; how fast is no matter of tests."""

from collections.abc import Callable
from typing import Any

import pytest

from logweir.benchmarks import broker, elasticsearch, kafka, loki, mongodb, sinks_cpu
from logweir.benchmarks.app import measuring as app
from logweir.benchmarks.measure import Report
from servers import Server

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("server", "measure", "bars"),
    [
        ("elasticsearch", elasticsearch.measure, 8),
        ("loki", loki.measure, 4),
        ("mongodb", mongodb.measure, 4),
        ("redis", broker.measure, 2),
        ("kafka", kafka.measure, 2),
    ],
    ids=["elasticsearch", "loki", "mongodb", "redis", "kafka"],
)
def test_the_sink_is_measured_beside_the_client(
    server: str, measure: Callable[..., Report], bars: int, request: pytest.FixtureRequest
) -> None:
    place: Server = request.getfixturevalue(server)
    options: dict[str, Any] = {"events": 1500, "runs": 1, "url": place.url}
    report = measure(**options)
    assert len(report.bars) == bars
    assert all(value > 0 for series in report.series for value in series.values)
    assert report.notes[0].startswith("The server that answered: ")


@pytest.mark.parametrize(
    ("server", "sinks"),
    [
        ("postgresql", ["PostgreSQL"]),
        ("mysql", ["MySQL"]),
        ("loki", ["Loki, protobuf", "Loki, JSON"]),
        ("victorialogs", ["VictoriaLogs"]),
        ("elasticsearch", ["Elasticsearch, gzip", "Elasticsearch, plain"]),
        ("mongodb", ["MongoDB, motor", "MongoDB, PyMongo"]),
    ],
)
def test_the_processor_time_of_a_sink_is_measured_beside_its_driver(
    server: str, sinks: list[str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    place: Server = request.getfixturevalue(server)
    monkeypatch.setenv(f"LOGWEIR_BENCH_{server.upper()}_URL", place.url)
    series = sinks_cpu.measure(events=200, runs=1, only=tuple(sinks)).series
    assert [item.name for item in series[::3]] == [f"{name}: the sink" for name in sinks]
    assert all(value > 0 for item in series for value in item.values)


@pytest.mark.timeout(300)
def test_an_application_is_measured_behind_brokers(
    redis: Server, kafka: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_WARM_UP", 0.05)  # as much as is answered: two cores for its whole length
    cases = ["over redis, dead", "over redis, forwarded elsewhere, dead", "over kafka"]
    report = app.measure(
        seconds=0.2,
        turns=1,
        sinks=["file"],
        rivals=[],
        unpinned=False,
        urls={"redis": redis.url, "kafka": kafka.url},
        only="*over *[ad]",  # each takes seconds: these go every way of the others
    )
    found = {series.name.partition(" | ")[0]: series.values for series in report.series}
    assert list(found)[2:] == [f"logweir to file {case}" for case in cases]
    assert all(value > 0 for series in report.series for value in series.values)
