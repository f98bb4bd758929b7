"""Metrics against the ground truth: what was logged, what the sink has, what the test knows to be waiting."""

import asyncio
import json
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import start_http_server
from prometheus_client.core import CollectorRegistry
from prometheus_client.exposition import generate_latest
from typer.testing import CliRunner

import logweir
from logweir.cli import metrics_client
from logweir.cli.app import app
from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.delivery.queue import DropReason
from logweir.errors import SinkUnavailable
from logweir.event import Event
from logweir.integrations.prometheus import asgi_app, collector, wsgi_app
from logweir.sinks import registry
from logweir.sinks.memory import MemorySink
from logweir.sinks.results import WriteResult
from servers.machine import free_port
from support.programs import CONFIG, start_program
from support.waiting import eventually


class Gated(MemorySink):
    """Answers when it is let through; what it answers is in the events' field ``do``."""

    gate = threading.Event()
    entered = threading.Event()

    async def write(self, batch: Sequence[Event]) -> WriteResult:
        self.entered.set()
        while not self.gate.is_set():
            await asyncio.sleep(0.001)
        does = {event.id: event.fields.get("do") for event in batch}
        for event in batch:
            if does[event.id] == "once away" and event.id not in self.events:
                self.events[event.id] = event
                raise SinkUnavailable("away for a moment")
        rejected = {index: "no" for index, event in enumerate(batch) if does[event.id] == "reject"}
        waiting = frozenset(index for index, event in enumerate(batch) if does[event.id] == "wait")
        await super().write([event for event in batch if does[event.id] not in {"reject", "wait"}])
        duplicate = frozenset(i for i, event in enumerate(batch) if does[event.id] == "once away")
        return WriteResult(
            rejected=rejected, duplicate=duplicate, retry=waiting, retry_reason="closed" if waiting else ""
        )


@pytest.fixture(autouse=True)
def _closed_gate() -> Iterator[None]:
    Gated.gate.clear()
    Gated.entered.clear()
    yield
    Gated.gate.set()


def config(**options: Any) -> dict[str, Any]:
    return {
        "data_dir": "data",
        "sinks": {
            "out": {
                "type": Gated,
                "batch": {"max_events": 10, "linger": "1ms"},
                "queue": {"max_events": 100, "when_full": "drop_newest"},
                "retry": {"initial": "1ms", "max": "1ms"},
            }
        },
        "routes": [{"name": "all", "match": {"kind": "tracing", "event": "e*"}, "to": ["out"]}],
        "drain_timeout": "500ms",
        **options,
    }


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setitem(registry._registered, "gated", Gated)
    made = config(metrics={"port": 0})
    made["sinks"]["out"]["type"] = "gated"
    return made


def scraped(url: str | None) -> dict[str, float]:
    assert url is not None
    picture = metrics_client.look(url)
    return {
        "_".join(part for part in key if part and part != "out"): value
        for key, value in picture.values.items()
    }


@pytest.mark.busy
@pytest.mark.wound("vector #10174")
@pytest.mark.parametrize("queue", ["memory", "disk"])
def test_every_metric_is_what_really_happened(queue: str, gated: dict[str, Any]) -> None:
    gated["sinks"]["out"]["queue"]["type"] = queue
    runtime = logweir.start(gated)
    runtime.emit("e-first", {})
    assert Gated.entered.wait(10)  # one event is in the sink's hands now, and stays there
    before = time.time()
    does = ["reject"] * 3 + ["once away"] * 2 + [""] * 135
    events = [runtime.emit("e", {"do": do}) for do in does]
    runtime.emit("unrouted", {})
    sink = runtime.metrics().sinks["out"]
    assert (sink.accepted, sink.queue_depth, sink.in_flight) == (101, 100, 1)
    assert sink.queue_bytes == sum(event.size for event in events[:100] if event)
    assert sink.dropped == {DropReason.QUEUE_FULL_NEWEST: 40}
    assert (sink.stored, sink.batches, sink.queue_max_events) == (0, 0, 100)
    assert 0 < sink.oldest_seconds <= time.time() - before
    found = scraped(runtime.metrics_url)
    assert (found["queue_events"], found["queue_in_flight_events"]) == (100, 1)
    assert found["queue_bytes"] == sink.queue_bytes
    assert found["events_dropped_total_queue_full_newest"] == 40

    Gated.gate.set()
    assert runtime.flush()
    metrics = runtime.metrics()
    sink = metrics.sinks["out"]
    held = len(MemorySink.of("out").events)
    assert (sink.stored + sink.duplicate, sink.duplicate, sink.dead) == (held, 2, 3) == (98, 2, 3)
    assert (sink.queue_depth, sink.in_flight, sink.queue_bytes, sink.oldest_seconds) == (0, 0, 0, 0.0)
    assert (sink.failures, sink.retried, metrics.unrouted) == (2, 20, 1)
    assert (sink.batches, sink.batch_sizes.count, sink.write_latency.count) == (11, 11, 11)
    assert sink.batch_sizes.total == 101
    assert sink.write_latency.total == sink.write_seconds >= 0
    assert sink.last_error == "away for a moment"
    assert metrics.dead_letters.waiting == {"out": 3}
    found = scraped(runtime.metrics_url)
    assert found["events_accepted_total"] == 101
    assert found["events_stored_total"] + found["events_duplicate_total"] == held
    assert found["batch_events_count"] == 11
    assert found["dead_letters"] == found["events_dead_total"] == 3
    assert found["sink_state_healthy"] == 1
    assert found["events_unrouted_total"] == 1


def test_d1_d4_what_is_set_aside_shows_in_metrics_top_and_check(gated: dict[str, Any]) -> None:
    Gated.gate.set()
    runtime = logweir.start(gated)
    runtime.emit("e", {"do": "wait"})
    runtime.emit("e", {})
    eventually(lambda: runtime.metrics().sinks["out"].put_off >= 2)
    sink = runtime.metrics().sinks["out"]
    assert (sink.state.value, sink.last_error, sink.set_aside, sink.stored) == ("degraded", "closed", 1, 1)
    assert sink.failures >= 2
    found = scraped(runtime.metrics_url)
    assert (found["queue_set_aside_events"], found["sink_state_degraded"]) == (1, 1)
    assert found["events_put_off_total"] >= 2
    assert runtime.metrics_url is not None
    shown = top("--json", "--url", runtime.metrics_url, "--interval", "0.1")
    assert '"state": "degraded"' in shown.stdout
    assert '"set_aside": 1.0' in shown.stdout
    port = runtime.metrics_url.split(":")[2].split("/")[0]
    Path("routing.yaml").write_text(
        f"sinks: {{m: {{type: memory}}}}\nroutes: [{{name: a, to: m}}]\nmetrics: {{port: {port}}}\n"
    )
    checked = CliRunner().invoke(app, ["check"])
    assert "sink 'out' has put off 1 event of the running process" in checked.output
    assert not runtime.flush(0.1)
    runtime.stop(0.1)
    checked = CliRunner().invoke(app, ["check"])
    assert "put off" not in checked.output


def test_counts_go_on_over_a_reload(gated: dict[str, Any]) -> None:
    Gated.gate.set()
    runtime = logweir.start(gated)
    for _ in range(3):
        runtime.emit("e", {})
        assert runtime.flush()
        gated["sinks"]["out"]["batch"]["max_events"] += 1
        runtime.reload(gated)
    runtime.emit("e", {})
    assert runtime.flush()
    sink = runtime.metrics().sinks["out"]
    assert (sink.accepted, sink.stored, sink.batch_sizes.count, sink.batch_sizes.total) == (4, 4, 4, 4)


def test_letters_of_other_processes_are_seen_when_metrics_are_served(gated: dict[str, Any]) -> None:
    runtime = logweir.start(gated)
    DeadLetters(runtime.config.data_dir).add(
        [DeadLetter.of_line("a:1", "r", b"x"), DeadLetter("gone", "r", b"y", "", "i", 1)]
    )
    eventually(lambda: 'logweir_dead_letters{sink="gone"} 1.0' in get(runtime.metrics_url)[2])
    assert 'logweir_dead_letters{sink=""} 1.0' in get(runtime.metrics_url)[2]
    assert runtime.metrics().dead_letters.waiting == {"": 1, "gone": 1}
    assert runtime.metrics().dead_letters.oldest_seconds > 1e9


def test_letters_beyond_their_bounds_go_at_the_start(gated: dict[str, Any]) -> None:
    letters = DeadLetters(Path("data"))
    letters.add([DeadLetter("out", "r", b"y", "", "i", 1)])
    runtime = logweir.start({**gated, "dead_letters": {"keep": "90d"}})
    eventually(lambda: scraped(runtime.metrics_url)["dead_letters_expired_total"] == 1)
    assert runtime.metrics().dead_letters.expired == {"out": 1}
    assert letters.read() == []


# -- serving --------------------------------------------------------------------------------------------


def get(url: str | None, **headers: str) -> tuple[int, str, str]:
    assert url is not None
    with urlopen(Request(url, headers=headers), timeout=10) as answer:
        return answer.status, answer.headers["Content-Type"], answer.read().decode()


def test_metrics_are_off_unless_declared() -> None:
    runtime = logweir.start({"sinks": {"m": {"type": "memory"}}, "routes": [{"name": "a", "to": ["m"]}]})
    assert runtime.metrics_url is None
    assert not [thread for thread in threading.enumerate() if thread.name == "logweir-metrics"]


def test_the_server_answers_as_it_is_asked_and_nothing_else(gated: dict[str, Any]) -> None:
    runtime = logweir.start(gated)
    url = runtime.metrics_url
    status, content_type, text = get(url)
    assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "logweir_events_accepted_total{" in text
    assert get(url, Accept="application/openmetrics-text; version=1.0.0")[2].endswith("# EOF\n")
    assert url is not None
    with pytest.raises(HTTPError, match="404"):
        get(url.replace("/metrics", "/etc/passwd"))


def test_a_port_in_use_is_reported_and_the_service_goes_on(
    gated: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    Gated.gate.set()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        runtime = logweir.start({**gated, "metrics": {"port": port}})
        assert runtime.metrics_url is None
        assert (
            f"metrics are not served: 127.0.0.1:{port} cannot be listened at (Address already in use)"
            in caplog.text
        )
        runtime.emit("e", {})
        assert runtime.flush()
    runtime.reload({**gated, "metrics": {"port": port}})  # now it is free
    assert runtime.metrics_url == f"http://127.0.0.1:{port}/metrics"


async def test_on_an_event_loop_nothing_of_the_metrics_touches_the_disk(gated: dict[str, Any]) -> None:
    port = await asyncio.to_thread(free_port)  # which asks the system
    Gated.gate.set()
    async with logweir.running({**gated, "metrics": {"port": port}}) as runtime:
        url = f"http://127.0.0.1:{port}/metrics"
        await asyncio.to_thread(lambda: eventually(lambda: runtime.metrics_url == url))
        assert (await asyncio.to_thread(scraped, url))["processes"] == 1


def test_a_reload_moves_stops_and_starts_the_server(gated: dict[str, Any]) -> None:
    runtime = logweir.start(gated)
    first = runtime.metrics_url
    runtime.reload({**gated, "service": "other"})
    assert runtime.metrics_url == first
    runtime.reload({**gated, "metrics": {"port": 0, "host": "::1"}})
    second = runtime.metrics_url
    assert second is not None
    assert second.startswith("http://[::1]:")
    assert get(second)[0] == 200
    with pytest.raises(OSError, match="refused"):
        get(first)
    runtime.reload({**gated, "metrics": None})
    assert runtime.metrics_url is None
    runtime.reload(gated)
    assert get(runtime.metrics_url)[0] == 200
    last = runtime.metrics_url
    logweir.stop()
    with pytest.raises(OSError, match="refused"):
        get(last)


def test_metrics_that_cannot_be_read_are_an_answer_too(
    gated: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = logweir.start(gated)
    monkeypatch.setattr(runtime, "metrics", None)
    with pytest.raises(HTTPError, match="500: the metrics could not be read"):
        get(runtime.metrics_url)
    monkeypatch.undo()
    assert "the metrics could not be read: TypeError" in caplog.text


def test_clients_that_dawdle_do_not_keep_others_from_being_answered(gated: dict[str, Any]) -> None:
    runtime = logweir.start(gated)
    assert runtime.metrics_url is not None
    port = int(runtime.metrics_url.split(":")[2].split("/")[0])
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    assert get(runtime.metrics_url)[0] == 200
    for connection in idle:
        connection.close()


def test_a_forked_child_serves_its_own_counts_and_gives_back_the_port(gated: dict[str, Any]) -> None:
    Gated.gate.set()
    runtime = logweir.start(gated)
    for _ in range(5):
        runtime.emit("e", {})
    assert runtime.flush()
    parents = runtime.metrics_url
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            runtime.emit("e", {})
            assert runtime.flush()
            found = scraped(runtime.metrics_url)
            os.write(writing, f"{found['events_stored_total']} {runtime.metrics_url != parents}".encode())
            runtime.stop(1.0)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == "1.0 True"
    os.waitpid(child, 0)
    assert scraped(parents)["events_stored_total"] == 5


def test_a_forked_child_counts_with_its_parent_at_one_port_and_in_mounted_applications(
    gated: dict[str, Any],
) -> None:
    Gated.gate.set()
    port = free_port()
    runtime = logweir.start({**gated, "metrics": {"port": port}})
    for _ in range(5):
        runtime.emit("e", {})
    assert runtime.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            runtime.emit("e", {})
            assert runtime.flush()
            os.read(reading, 1)
            runtime.stop(1.0)
        finally:
            os._exit(0)

    def mounted() -> str:
        return b"".join(wsgi_app({}, lambda *_: None)).decode()  # type: ignore[arg-type, return-value]

    eventually(lambda: "logweir_processes 2.0" in mounted())
    eventually(lambda: 'logweir_events_stored_total{sink="out"} 6.0' in mounted())
    assert scraped(runtime.metrics_url)["events_stored_total"] == 6
    assert runtime.metrics().sinks["out"].stored == 5
    os.write(writing, b"x")
    os.waitpid(child, 0)
    found = scraped(runtime.metrics_url)
    assert (found["events_stored_total"], found["processes"]) == (6, 1)
    os.close(reading)
    os.close(writing)


def test_the_port_of_a_killed_parent_is_free_while_its_child_lives(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    program = start_program(
        tmp_path,
        """
        logweir.start("routing.yaml")
        if not os.fork():
            print("ready", flush=True)  # the child says so: it has let go of what it inherited
        sys.stdin.read()
        """,
        config=f"{CONFIG}metrics: {{port: {port}}}\n",
        stdin=subprocess.PIPE,
    )
    assert program.stdin
    assert program.stdout
    assert program.stdout.readline() == "ready\n"
    program.kill()
    program.wait()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
        again.listen()
    program.communicate()  # ends the child


# -- inside the application -----------------------------------------------------------------------------


async def call_asgi(method: str = "GET") -> tuple[int, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await asgi_app()({"type": "http", "method": method, "headers": []}, asyncio.Event().wait, send)  # type: ignore[arg-type]
    return sent[0]["status"], sent[1]["body"]


def call_wsgi() -> tuple[str, bytes]:
    statuses: list[str] = []
    body = b"".join(wsgi_app({}, lambda status, _headers: statuses.append(status)))  # type: ignore[arg-type,return-value]
    return statuses[0], body


async def test_the_applications_own_server_can_answer(gated: dict[str, Any]) -> None:
    assert (await call_asgi())[0] == 503
    assert call_wsgi()[0] == "503 Service Unavailable"
    registry = CollectorRegistry()
    registry.register(collector())
    assert generate_latest(registry) == b""
    async with logweir.running({**gated, "metrics": None}):
        for status, body in (await call_asgi(), call_wsgi()):
            assert str(status)[:3] == "200"
            assert b"logweir_events_stored_total" in body
        assert (await call_asgi("HEAD")) == (200, b"")
        assert b"logweir_events_stored_total" in generate_latest(registry)


# -- logweir top ----------------------------------------------------------------------------------------


def top(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["top", "--interval", "0.1", *arguments], env={"COLUMNS": "160"})


@pytest.mark.busy
def test_top_shows_each_sink_once(gated: dict[str, Any]) -> None:
    runtime = logweir.start(gated)
    for _ in range(120):
        runtime.emit("e", {})
    assert Gated.entered.wait(10)
    runtime.emit("unrouted", {})
    result = top("--once", "--url", str(runtime.metrics_url))
    assert result.exit_code == 0, result.output
    (row,) = [line.split() for line in result.stdout.splitlines() if line.startswith("out")]
    sink = runtime.metrics().sinks["out"]
    assert row[1:3] == ["healthy", str(sink.queue_depth)]
    assert row[-2:] == [str(sum(sink.dropped.values())), "0"]
    assert "1 events unrouted" in result.stdout


def test_top_shows_each_process_on_request(gated: dict[str, Any]) -> None:
    runtime = logweir.start(gated)
    result = top("--processes", "--json", "--url", str(runtime.metrics_url))
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row.get("process"), row["sink"]) for row in rows] == [(None, "out"), (os.getpid(), "out")]
    result = top("--processes", "--once", "--url", str(runtime.metrics_url))
    assert [line.split()[0] for line in result.stdout.splitlines()][:3] == [
        "process",
        "all",
        str(os.getpid()),
    ]


def test_top_measures_rates_and_latencies_between_two_looks() -> None:
    text = """
logweir_events_stored_total{{sink="a"}} {stored}
logweir_sink_state{{sink="a",state="healthy"}} 1
logweir_write_duration_seconds_bucket{{le="0.01",sink="a"}} {fast}
logweir_write_duration_seconds_bucket{{le="1.0",sink="a"}} {all}
logweir_write_duration_seconds_bucket{{le="+Inf",sink="a"}} {all}
"""
    before = metrics_client._read(10.0, text.format(stored=100, fast=50, all=50))
    now = metrics_client._read(12.0, text.format(stored=500, fast=50, all=54))
    row = metrics_client.SinkRow.between("a", before, now)
    assert (row.stored_per_second, row.state) == (200.0, "healthy")
    assert row.write_p50 == pytest.approx(0.01 + 0.99 / 2)  # the old, fast writes are no longer what happens
    again = metrics_client.SinkRow.between("a", now, now)
    assert again.stored_per_second == 0
    assert again.write_p50 is not None
    assert again.write_p50 < 0.01  # nothing happened in between: all writes count


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--url", "http://127.0.0.1:1", "--once"], 1, "no metrics at http://127.0.0.1:1/metrics"),
        (["--url", "http://127.0.0.1:1"], 1, "is the process running"),
        (["--url", "file:///etc/passwd", "--once"], 2, "is no URL"),
        (["--once"], 2, "serves no metrics"),
        (["--once", "-c", "absent.yaml"], 2, "absent.yaml"),
    ],
)
def test_top_says_what_is_wrong(arguments: list[str], code: int, message: str) -> None:
    Path("routing.yaml").write_text("sinks: {m: {type: memory}}\nroutes: [{name: a, to: m}]\n")
    result = top(*arguments)
    assert (result.exit_code, "Traceback" in result.output) == (code, False)
    assert message in " ".join(result.output.replace("│", " ").split())


def test_top_finds_the_port_in_the_file(gated: dict[str, Any]) -> None:
    runtime = logweir.start(gated)
    assert runtime.metrics_url is not None
    port = runtime.metrics_url.split(":")[2].split("/")[0]
    Path("routing.yaml").write_text(
        f"sinks: {{m: {{type: memory}}}}\nroutes: [{{name: a, to: m}}]\nmetrics: {{port: {port}, host: 0.0.0.0}}\n"
    )
    result = top("--json")
    assert result.exit_code == 0, result.output
    assert '"sink": "out"' in result.stdout


def test_a_version_that_knows_only_the_sum_is_said_to(
    gated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = logweir.start(gated)
    monkeypatch.setattr("logweir.telemetry.server._BY_PROCESS", "?of=nobody")
    result = top("--processes", "--once", "--url", str(runtime.metrics_url))
    assert result.exit_code == 1
    assert "leave out --processes" in " ".join(result.output.split())


def test_what_answers_something_else_is_said_to(gated: dict[str, Any]) -> None:
    server, thread = start_http_server(0, "127.0.0.1", registry=CollectorRegistry())
    try:
        result = top("--once", "--url", f"http://127.0.0.1:{server.server_port}/metrics")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert result.exit_code == 1
    assert "are not the metrics of logweir" in result.stderr


@pytest.mark.parametrize(
    "answer", [b"5.7.44 a database\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nlogweir_", b""]
)
def test_top_says_so_where_an_answer_is_cut_short_or_is_no_http(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1000)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        result = top("--once", "--url", f"http://127.0.0.1:{server.getsockname()[1]}/metrics")
        thread.join()
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "no metrics at" in result.stderr


def test_nothing_is_said_about_a_server_that_starts_well(
    gated: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        logweir.start(gated)
    assert "metrics are served at http://127.0.0.1:" in caplog.text  # a free port must be reported
