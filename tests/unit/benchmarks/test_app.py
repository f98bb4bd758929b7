"""The benchmark of the application, at a tiny size: how fast is no matter of tests, how it measures is."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from logweir.benchmarks.app import brokers, measuring
from logweir.benchmarks.app.cases import Case, cases
from logweir.benchmarks.app.load import Latencies, Plan, percentile, perform
from logweir.benchmarks.app.measuring import measure
from logweir.benchmarks.app.report import Figures, make_report

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def _serving(stall: float = 0.0) -> Iterator[int]:
    """A server that answers at once, but for its 50th request, at which everything stands still."""
    listener = socket.create_server(("127.0.0.1", 0))
    one_at_a_time = threading.Lock()
    requests = 0

    def serve(connection: socket.socket) -> None:
        nonlocal requests
        with connection:
            while connection.recv(4096):
                with one_at_a_time:
                    requests += 1
                    if requests == 50:
                        time.sleep(stall)
                connection.sendall(_ANSWER)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_a_standstill_is_seen_by_all_who_would_have_arrived_in_it() -> None:
    with _serving(stall=0.5) as port:
        measured = perform(Plan(port, seconds=1.0, rate=200.0, connections=4))
    # A hundred arrive in the standstill, evenly: closed loops see one slow request for each connection.
    assert 150 < measured.requests < 250
    assert measured.p99 > 400
    assert measured.max >= 500


def test_the_arrivals_are_the_same_for_all() -> None:
    with _serving() as port:
        plan = Plan(port, seconds=0.5, rate=300.0)
        assert perform(plan).requests == perform(plan).requests


def test_a_load_without_a_rate_asks_as_much_as_is_answered() -> None:
    with _serving() as port:
        measured = perform(Plan(port, seconds=0.2, rate=0.0, connections=2))
    assert measured.requests > 20
    assert measured.seconds >= 0.2


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert percentile([1.0, 2.0], 0.999) == 2.0


def test_stores_that_nobody_named_are_left_out_and_those_that_are_there_die_and_are_slow() -> None:
    names = [
        case.name for case in cases(["file", "mysql", "loki"], [], {"loki": "http://h:1"}, "t", unpinned=True)
    ]
    assert [name for name in names if "logweir" in name] == [
        "logweir to file",
        "logweir to loki",
        "logweir to loki, dead",
        "logweir to loki, slow",
        "logweir to file, elsewhere",
        "logweir to loki, elsewhere",
        "logweir to loki, elsewhere, dead",
        "logweir to loki, elsewhere, slow",
        "logweir to file, unpinned",
        "logweir to loki, unpinned",
    ]
    assert {"none", "structlog", "none, unpinned"} < set(names)


def test_a_relay_takes_the_place_of_the_store_in_its_url() -> None:
    case = Case("a", "logweir", {"type": "mysql", "url": "mysql+aiomysql://u:p@db/x"})
    assert case.address() == ("db", 3306)
    assert case.at(1234).options["url"] == "mysql+aiomysql://u:p@127.0.0.1:1234/x"


def test_a_broker_stands_before_mysql_and_dies_and_is_slow_where_a_relay_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls = {"mysql": "mysql+aiomysql://u:p@db/x", "redis": "redis://:p@r:6380/1", "kafka": "k:9092"}

    def behind(broker: str) -> list[Case]:
        made = cases(["file", "mysql"], [], urls, "t", unpinned=False, over=[broker])
        return [case for case in made if case.broker]

    redis = behind("redis")
    assert [case.name for case in redis] == [
        f"logweir to mysql over redis{where}{state}"
        for where in ("", ", forwarded elsewhere")
        for state in ("", ", dead", ", slow")
    ]
    assert redis[1].address() == ("r", 6380)
    assert redis[1].at(7).options["queue"]["url"] == "redis://:p@127.0.0.1:7/1"
    assert redis[1].at(7).options["url"] == urls["mysql"]
    monkeypatch.delenv(brokers.VIA, raising=False)
    assert [case.state for case in behind("kafka")] == ["alive", "alive"]
    monkeypatch.setenv(brokers.VIA, "9192:9193")
    kafka = behind("kafka")
    assert [case.state for case in kafka] == ["alive", "dead", "slow"] * 2
    assert (kafka[1].address(), kafka[1].relay_port) == (("127.0.0.1", 9192), 9193)
    assert kafka[1].at(9193).options["queue"]["brokers"] == ["127.0.0.1:9193"]


def test_a_forwarder_in_the_service_has_a_bar_of_its_own_and_that_of_kafka_none() -> None:
    load = Latencies(100, 1.0, 1.0, 2.0, 3.0, 4.0, 0.1)
    queues: dict[str, dict[str, Any]] = {
        "redis": {"type": "redis"},
        "kafka": {"type": "kafka"},
        "both": {"type": "redis", "deliver": "elsewhere"},
    }
    todo = [Case("none", "none"), Case("structlog", "structlog")]
    todo += [Case(name, "logweir", {"type": "mysql", "queue": queue}) for name, queue in queues.items()]
    report = make_report({case.name: [Figures(9.0, load, load, 1.0)] for case in todo}, todo, 1000.0, [])
    assert {bar.series.name: bar.limit for bar in report.bars if "processor" in bar.series.name} == {
        "redis / structlog, processor above none": 2.0,
        "both / structlog, processor above none": 1.0,
    }
    assert "kafka / structlog, processor above none" in {series.name for series in report.ratios}


def test_processor_time_is_compared_above_no_logging_turn_by_turn() -> None:
    todo = [
        Case("none", "none"),
        Case("structlog", "structlog"),
        Case("to file", "logweir", {"type": "file"}),
    ]
    load = Latencies(100, 1.0, 1.0, 2.0, 3.0, 4.0, 0.1)
    figures = {
        "none": [Figures(9.0, load, load, 200.0), Figures(9.0, load, load, 100.0)],
        "structlog": [Figures(9.0, load, load, 240.0), Figures(9.0, load, load, 180.0)],
        "to file": [Figures(9.0, load, load, 260.0), Figures(9.0, load, load, 140.0)],
    }
    report = make_report(figures, todo, 1000.0, [])
    assert [(bar.series.values, bar.limit) for bar in report.bars] == [
        ([1.0, 1.0], 1.25),
        ([1.0, 1.0], 1.25),
        ([1.5, 0.5], 1.0),
    ]


@pytest.mark.slow
def test_a_service_is_measured_with_each_way_of_logging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_WARM_UP", 0.05)  # as much as is answered: two cores for its whole length
    report = measure(seconds=0.2, turns=1, sinks=["file"], rivals=["stdlib"], unpinned=False, urls={})
    rows = {series.name.partition(" | ")[0] for series in report.series}
    assert rows == {"none", "structlog", "stdlib", "logweir to file", "logweir to file, elsewhere"}
    assert all(value > 0 for series in report.series for value in series.values)
    assert [bar.series.name for bar in report.bars] == [
        "logweir to file / none, p99 at fifth",
        "logweir to file / none, p99 at half",
        "logweir to file / structlog, processor above none",
        "logweir to file, elsewhere / none, p99 at fifth",
        "logweir to file, elsewhere / none, p99 at half",
        "logweir to file, elsewhere / structlog, processor above none",
    ]
    assert [note.partition(",")[0] for note in report.notes] == ["not measured: redis", "not measured: kafka"]
    report.show(Console(quiet=True))
    report.save(tmp_path, "app")
    assert "logweir to file | p99 at half" in (tmp_path / "app.json").read_text()
