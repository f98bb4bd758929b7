"""The benchmark of the application, at a tiny size: how fast is no matter of tests, how it measures is."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

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
        "logweir to file, unpinned",
        "logweir to loki, unpinned",
    ]
    assert {"none", "structlog", "none, unpinned"} < set(names)


def test_a_relay_takes_the_place_of_the_store_in_its_url() -> None:
    case = Case("a", "logweir", {"type": "mysql", "url": "mysql+aiomysql://u:p@db/x"})
    assert case.address() == ("db", 3306)
    assert case.at(1234).options["url"] == "mysql+aiomysql://u:p@127.0.0.1:1234/x"


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


def test_a_service_is_measured_with_each_way_of_logging(tmp_path: Path) -> None:
    report = measure(seconds=0.6, turns=1, sinks=["file"], rivals=["stdlib"], unpinned=False, urls={})
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
    assert any("brokers" in note for note in report.notes)
    report.show(Console(quiet=True))
    report.save(tmp_path, "app")
    assert "logweir to file | p99 at half" in (tmp_path / "app.json").read_text()
