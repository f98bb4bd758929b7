"""``logweir run``: what is divided among processes, what is refused, and what their counts are together."""

import gzip
import os
import shlex
import subprocess
import sys
import tracemalloc
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from logweir.cli import run_inputs, run_pieces, run_pipe, run_reading
from logweir.cli.app import app
from logweir.cli.run_outcome import Outcome, added, rates
from logweir.cli.run_plan import planned
from logweir.cli.run_process import Options
from logweir.config.loading import load_config
from logweir.delivery.dead_letters import DeadLetters
from logweir.encoding.events import encode_event
from logweir.event import Event
from logweir.runtime.fan_out import FanOut
from logweir.sinks.memory import MemorySink
from logweir.stores import low_water
from logweir.stores.checkpoints import Checkpoints, Mark
from logweir.testing.contract import make_event

ROUTING = "sinks: {nowhere: {type: 'null'}}\nroutes: [{name: all, to: [nowhere]}]\n"


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_pieces, "_WORTH", 1000)
    Path("routing.yaml").write_text(ROUTING)
    for name in ("a.log", "b.log"):
        Path(name).write_text("a line\n" * 2000)
    Path("same.log").hardlink_to("a.log")
    return ["a.log", "b.log", "same.log"]


def names_of(logs: list[str], *, ordered: bool = False, config: str = ROUTING) -> list[str]:
    Path("routing.yaml").write_text(config)
    with Checkpoints(Path("checkpoints")) as checkpoints:
        plan = planned(logs, load_config("routing.yaml"), checkpoints, Options(jobs=2), ordered=ordered)
    assert plan.size == 28_000
    return [piece.name for piece in plan.pieces]


def test_files_are_divided_and_none_is_read_twice_by_another_name(logs: list[str]) -> None:
    assert names_of(logs) == ["a.log"] * 8 + ["b.log"] * 8


@pytest.mark.busy
@pytest.mark.parametrize("name", ["steady.log", "steady.pipe"])
def test_a_sink_that_is_slower_than_the_time_to_wait_but_moves_is_waited_for(
    logs: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(low_water, "_LINES_AHEAD", 160)
    Path("routing.yaml").write_text(
        "sinks: {out: {type: 'support.sinks:Steady', batch: {max_events: 5}}}\n"
        "routes: [{name: all, to: [out]}]\n"
    )
    lines = "".join(f"line {number}\n" for number in range(120))
    if name.endswith("pipe"):
        os.mkfifo(name)
        Thread(target=Path(name).write_text, args=(lines,), daemon=True).start()
    else:
        Path(name).write_text(lines)
    result = CliRunner().invoke(app, ["run", name, "--timeout", "1"])
    assert result.exit_code == 0, result.output
    assert len(MemorySink.of("out").events) == 120


def test_one_process_reads_no_file_twice_by_another_name(logs: list[str]) -> None:
    Path("link.log").symlink_to("b.log")
    result = CliRunner().invoke(app, ["run", *logs, "./a.log", "link.log"])
    assert result.exit_code == 0
    assert "4,000 events read" in " ".join(result.output.split())


def test_files_whose_order_matters_or_whose_lines_belong_together_are_not_divided(logs: list[str]) -> None:
    assert names_of(logs, ordered=True) == ["a.log", "b.log"]
    assert names_of(logs, config=ROUTING + "input: {multiline: true}\n") == ["a.log", "b.log"]


@pytest.mark.parametrize(
    "options",
    [["--jobs", "0"], ["--jobs", "-1"], ["--jobs", "257"], ["--jobs", "many"], ["--jobs", "2", "--follow"]],
)
def test_a_number_of_jobs_that_makes_no_sense_is_refused(logs: list[str], options: list[str]) -> None:
    result = CliRunner().invoke(app, ["run", "a.log", *options])
    assert result.exit_code == 2
    assert "--jobs" in result.output


@pytest.mark.parametrize("seconds", ["inf", "nan", "-1", "1e10"])
def test_a_timeout_that_nobody_can_wait_for_is_refused_before_anything_is_read(
    logs: list[str], seconds: str
) -> None:
    result = CliRunner().invoke(app, ["run", "a.log", "--timeout", seconds])
    assert result.exit_code == 2
    assert "--timeout" in result.output
    assert not Path(".logweir").exists()


@pytest.mark.parametrize("command", [["run", "-"], ["explain", "-"], ["redact", "-"]])
def test_a_closed_standard_input_is_wrong_input(logs: list[str], command: list[str]) -> None:
    logweir = shlex.join([str(Path(sys.executable).with_name("logweir")), *command])
    result = subprocess.run(["sh", "-c", f"{logweir} <&-"], check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "the standard input is closed" in " ".join(result.stderr.split())


def run_with(limits: tuple[int, int], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run as a process that may open so many files, and at most so many if it asks."""
    command = [str(Path(sys.executable).with_name("logweir")), "run", *arguments]
    return subprocess.run(
        ["sh", "-c", f"ulimit -Sn {limits[0]}; ulimit -Hn {limits[1]}; exec {shlex.join(command)}"],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_more_files_than_a_process_may_open_by_default_are_read(logs: list[str], jobs: str) -> None:
    names = [f"{number}.log" for number in range(200)]
    for name in names:
        Path(name).write_text("a line\n")
    result = run_with((128, 1024), "--jobs", jobs, *names)
    assert "200 events read" in " ".join(result.stderr.split())
    assert result.returncode == 0


def test_more_files_than_a_process_may_open_at_all_are_refused_with_the_way_out(logs: list[str]) -> None:
    names = [f"{number}.log" for number in range(200)]
    for name in names:
        Path(name).write_text("a line\n")
    result = run_with((128, 128), *names)
    assert result.returncode == 2
    assert "128 can be open at once; name fewer, or allow more (`ulimit -n`" in " ".join(
        result.stderr.replace("│", "").split()
    )


@pytest.mark.parametrize("form", ["file", "range", "gz", "pipe"])
def test_a_line_without_an_end_is_read_in_parts(
    logs: list[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    for module in (run_inputs, run_pipe, run_reading):
        monkeypatch.setattr(module, "LONGEST_LINE", 100_000)
    content = b"x" * 250_000 + b"\nlast\n"
    log = Path("long.log")
    if form == "pipe":
        os.mkfifo(log)
        Thread(target=log.write_bytes, args=(content,)).start()
    else:
        log.write_bytes(gzip.compress(content) if form == "gz" else content)
    if form == "range":
        with Checkpoints(Path(".logweir/checkpoints")) as checkpoints, Path("long.log").open("rb") as file:
            checkpoints.open("long.log", file.fileno())
            checkpoints.settle(
                checkpoints.open_range("long.log", file.fileno(), 250_001), Mark(250_006, 1, b"last\n")
            )
    counts = {"range": [3], "pipe": [3, 4]}.get(form, [4])  # a pipe is read by what it has at a time
    result = CliRunner().invoke(app, ["run", "long.log"])
    assert result.exit_code == 0
    assert any(result.output.startswith(f"{count} events read") for count in counts)


def test_a_hole_at_the_beginning_of_a_file_costs_neither_memory_nor_its_first_line(
    logs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (run_inputs, run_reading):
        monkeypatch.setattr(module, "LONGEST_LINE", 1 << 20)
    Path("routing.yaml").write_text("sinks: {out: {type: memory}}\nroutes: [{name: all, to: [out]}]\n")
    with Path("hole.log").open("wb") as file:
        file.seek(50 << 20)
        file.write(b"first\nsecond\n")
    tracemalloc.start()
    try:
        result = CliRunner().invoke(app, ["run", "hole.log"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.exit_code == 0
    assert [event.name for event in MemorySink.of("out").events.values()] == ["first", "second"]
    assert peak < 20 << 20


def test_a_file_of_which_ranges_are_left_is_not_followed(logs: list[str]) -> None:
    with Checkpoints(Path(".logweir/checkpoints")) as checkpoints, Path("a.log").open("rb") as file:
        checkpoints.open("a.log", file.fileno())
        part = checkpoints.open_range("a.log", file.fileno(), 70)
        checkpoints.settle(part, Mark(140, 10, b"a line\n"))
    result = CliRunner().invoke(app, ["run", "a.log", "--follow"])
    assert result.exit_code == 2
    assert "has not come to its end" in result.output


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_file_whose_name_is_no_utf_8_is_read_and_named_by_its_escapes(logs: list[str], jobs: str) -> None:
    for number, content in enumerate((b"a line\n" * 99 + b"\n{\n", gzip.compress(b"a line\n")[:-9])):
        Path(os.fsdecode(b"caf\xe9.%d" % number)).write_bytes(content)
    command = [str(Path(sys.executable).with_name("logweir")), "run", "--jobs", jobs]
    names = [b"caf\xe9.0", b"caf\xe9.1"]
    result = subprocess.run([*command, *names], check=False, capture_output=True)
    said = " ".join(result.stderr.decode().split())
    assert result.returncode == 1
    assert "99 events read, 1 malformed line" in said
    assert "unexpected" not in said
    assert r"caf\udce9.1: its compressed data are damaged" in said
    assert [letter.place for letter in DeadLetters(Path(".logweir")).read()] == [r"caf\udce9.0:101"]


def test_f9_the_name_of_a_damaged_file_does_not_steer_the_terminal(logs: list[str]) -> None:
    name = "a\x1b[2J[red]\x9b31m.log"
    Path(name).write_bytes(gzip.compress(b"a line\n" * 2000)[:-9])
    result = CliRunner().invoke(app, ["run", name])
    assert result.exit_code == 1
    assert r"a\x1b[2J[red]\x9b31m.log: its compressed data are damaged" in result.output
    assert not {"\x1b", "\x9b"} & set(result.output)


def test_lines_whose_events_cannot_be_handed_on_are_dead_letters_and_the_run_fails(
    logs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch = FanOut.dispatch

    def refusing(fan_out: FanOut, event: Event) -> None:
        if event.name in {"bad", "bad again"}:
            raise OverflowError("timeout value is too large")
        dispatch(fan_out, event)

    monkeypatch.setattr(FanOut, "dispatch", refusing)
    own = encode_event(make_event("bad again"))
    Path("c.log").write_bytes(b"good\nbad\ngood\n" + own + b"\n")
    result = CliRunner().invoke(app, ["run", "c.log"])
    assert result.exit_code == 1
    assert "2 events read" in result.output
    assert "2 lines that no queue took (in the dead letters)" in " ".join(result.output.split())
    letters = DeadLetters(Path(".logweir")).read()
    assert [(letter.place, letter.body) for letter in letters] == [("c.log:2", b"bad"), ("c.log:4", own)]


def test_what_processes_did_is_added_up_and_one_that_failed_is_the_failure_of_all() -> None:
    one = Outcome(read=3, size=30, sinks={"a": [3, 3, 0, 0, 0, 0]}, notes=["x"])
    two = Outcome(read=4, size=40, sinks={"a": [4, 2, 2, 0, 0, 0], "b": [1, 1, 0, 0, 0, 0]}, notes=["x"])
    both = added([one, two])
    assert (both.read, both.size, both.notes, both.is_well) == (7, 70, ["x"], True)
    assert both.sinks == {"a": [7, 5, 2, 0, 0, 0], "b": [1, 1, 0, 0, 0, 0]}
    assert not added([one, Outcome(complete=False)]).is_well
    assert not added([one, Outcome(damaged=1)]).is_well
    assert not added([one, Outcome(sinks={"a": [1, 0, 0, 0, 1, 0]})]).is_well


def test_events_and_bytes_a_second_stand_under_the_table() -> None:
    text = rates(Outcome(read=5000, size=2_000_000), 2.0, 2)
    assert text == "2,500 events/s, 1.0 MB/s (2.0 MB in 2.0 s by 2 processes)"
