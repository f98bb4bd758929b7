"""The stdout sink: lines for collectors and for people."""

import io
import json
import multiprocessing
import os
import select
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from logweir.errors import SinkUnavailable
from logweir.event import Event, Kind
from logweir.sinks.results import HealthStatus
from logweir.sinks.stdout import StdoutConfig, StdoutSink
from logweir.testing.contract import make_event

MOMENT = 1_764_000_000_123_456_789


def printed(capfd: pytest.CaptureFixture[str], *events: Event, **options: Any) -> list[str]:
    StdoutSink(StdoutConfig(**options)).write(events)
    return capfd.readouterr().out.splitlines()


def test_json_is_flat_and_a_line_for_each_event(capfd: pytest.CaptureFixture[str]) -> None:
    (line, _) = printed(
        capfd, make_event("a", kind=Kind.AUDIT, time_ns=MOMENT, amount=5, nested={"a": 1}), make_event()
    )
    found = json.loads(line)
    assert len(found.pop("id")) == 36
    assert found == {
        "time": "2025-11-24T16:00:00.123456789Z",
        "kind": "audit",
        "level": "info",
        "event": "a",
        "service": "contract-service",
        "env": "test",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "amount": 5,
        "nested": {"a": 1},
    }


def test_no_field_takes_the_place_of_another(capfd: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(capfd, make_event("a", {"field_kind": 1, "kind": 2, "env": 3}))
    found = json.loads(line)
    assert (found["kind"], found["field_kind"], found["field_field_kind"]) == ("tracing", 1, 2)
    assert (found["env"], found["field_env"]) == ("test", 3)


def test_console_is_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    event = make_event("order paid", time_ns=MOMENT, amount=5, who="Zoë")
    assert printed(capfd, event, format="console") == [
        "16:00:00.123 info     tracing order paid                     amount=5 who=Zoë"
    ]


def test_console_quotes_what_is_no_word_and_shows_the_logger_first(capfd: pytest.CaptureFixture[str]) -> None:
    event = make_event("a", {"text": "two words", "empty": "", "pair": "a=b", "logger": "shop", "list": [1]})
    (line,) = printed(capfd, event, format="console")
    assert line.split("a  ", 1)[1].lstrip() == '[shop] text="two words" empty="" pair="a=b" list=[1]'


def test_console_shows_a_traceback_with_its_lines_and_none_of_them_looks_like_an_event(
    capfd: pytest.CaptureFixture[str],
) -> None:
    text = 'Traceback (most recent call last):\n  File "a.py"\nValueError: x\n16:00:00.123 info \x1b[2J'
    first, *below = printed(capfd, make_event("a", {"exception": text, "stack": "b.py"}), format="console")
    assert "exception" not in first
    assert below == [
        "    Traceback (most recent call last):",
        '      File "a.py"',
        "    ValueError: x",
        r"    16:00:00.123 info \x1b[2J",
        "    b.py",
    ]


@pytest.mark.parametrize(
    ("environment", "terminal", "colors"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_console_has_colors_on_a_terminal(
    environment: dict[str, str], terminal: bool, colors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", stream)
    StdoutSink(StdoutConfig(format="console")).write([make_event("a", who="Ann")])
    assert ("\x1b[36mwho\x1b[0m=\x1b[35mAnn\x1b[0m" in stream.getvalue()) is colors


@pytest.mark.parametrize("colors", [True, False])
def test_colors_can_be_asked_for_and_forbidden(colors: bool, capfd: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(capfd, make_event("a"), format="console", colors=colors)
    assert ("\x1b[" in line) is colors


def test_no_one_can_forge_a_line_or_steer_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    event = make_event("a\nb\r\x1b[2J", {"k\n": "\x9b2J\u202e\u2028"})
    (line,) = printed(capfd, event, format="console")
    assert line.isprintable()
    assert line.split()[3:] == [r"a\nb\r\x1b[2J", r"k\n=\x9b2J\u202e\u2028"]


def test_an_event_that_is_not_json_is_rejected_and_the_others_are_written(
    capfd: pytest.CaptureFixture[str],
) -> None:
    sink = StdoutSink(StdoutConfig())
    result = sink.write([make_event("a"), make_event("b", value=object()), make_event("c")])
    assert result.rejected == {1: "cannot be written as JSON: TypeError"}
    assert [json.loads(line)["event"] for line in capfd.readouterr().out.splitlines()] == ["a", "c"]


def test_stderr_can_be_chosen(capfd: pytest.CaptureFixture[str]) -> None:
    StdoutSink(StdoutConfig(stream="stderr")).write([make_event("to stderr")])
    out, err = capfd.readouterr()
    assert (out, "to stderr" in err) == ("", True)


def test_what_the_application_printed_before_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        stream.write("printed\n")
        StdoutSink(StdoutConfig()).write([make_event("logged")])
        monkeypatch.undo()
    first, second = (tmp_path / "out").read_text().splitlines()
    assert first == "printed"
    assert "logged" in second


def test_a_stream_without_a_descriptor_serves_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    StdoutSink(StdoutConfig()).write([make_event("Zoë")])
    assert json.loads(stream.getvalue())["event"] == "Zoë"


def test_a_reader_that_is_gone_makes_the_sink_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SinkUnavailable, match="stdout cannot be written: Broken pipe"):
            StdoutSink(StdoutConfig()).write([make_event()])


def test_a_pipe_that_does_not_block_gets_every_line_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    batch = [make_event(str(number), body="x" * 1000) for number in range(500)]
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        thread = threading.Thread(target=StdoutSink(StdoutConfig()).write, args=(batch,))
        thread.start()
        names = [json.loads(source.readline())["event"] for _ in batch]
        thread.join()
    assert names == [event.name for event in batch]


def test_a_pipe_gets_whole_lines_in_pieces_that_no_other_writer_can_tear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe2(os.O_DIRECT)  # a read returns what was written at once
    batch = [make_event(str(number), body="x" * (37 * number % 1500)) for number in range(300)]
    with os.fdopen(reader, "rb", buffering=0) as source, os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        thread = threading.Thread(target=StdoutSink(StdoutConfig()).write, args=(batch,))
        thread.start()
        names: list[str] = []
        pieces = 0
        while len(names) < len(batch):
            piece = source.read(2**20)
            assert piece.endswith(b"\n")
            assert len(piece) <= select.PIPE_BUF
            names += [json.loads(line)["event"] for line in piece.splitlines()]
            pieces += 1
        thread.join()
    assert names == [event.name for event in batch]
    assert pieces < len(batch) / 2


def test_sinks_of_one_process_do_not_tear_each_others_lines_however_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        batches = [[make_event(name, body="x" * 9000) for _ in range(100)] for name in ("a", "b", "c")]
        threads = [
            threading.Thread(target=StdoutSink(StdoutConfig()).write, args=(batch,)) for batch in batches
        ]
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(source.read)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            stream.close()
            names = Counter(json.loads(line)["event"] for line in found.result().splitlines())
    assert names == {"a": 100, "b": 100, "c": 100}


def write_to(descriptor: int, name: str) -> None:
    sys.stdout = os.fdopen(descriptor, "w")
    sink = StdoutSink(StdoutConfig())
    for _ in range(10):
        sink.write([make_event(name, body="x" * 500) for _ in range(200)])


def test_processes_that_share_a_pipe_do_not_tear_each_others_lines() -> None:
    reader, writer = os.pipe()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_to, args=(writer, name)) for name in ("a", "b", "c")]
    for process in processes:
        process.start()
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        names = Counter(json.loads(line)["event"] for line in source)
    for process in processes:
        process.join()
    assert names == {"a": 2000, "b": 2000, "c": 2000}


@pytest.mark.parametrize("closed", [True, False])
def test_a_stream_that_is_closed_or_absent_is_reported(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream if closed else None)
    sink = StdoutSink(StdoutConfig())
    with pytest.raises(SinkUnavailable, match="stdout cannot be written: it is closed"):
        sink.write([make_event()])
    assert sink.check().status is HealthStatus.DOWN


def test_a_stand_in_that_logs_what_is_printed_is_passed_by(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Redirected(io.StringIO):  # as Celery's workers have it
        def fileno(self) -> Any:
            return None

    with os.fdopen(os.dup(1), "w") as real:
        monkeypatch.setattr(sys, "__stdout__", real)
        monkeypatch.setattr(sys, "stdout", Redirected())
        assert len(printed(capfd, make_event("a"))) == 1
