"""``logweir run`` that is ended in the middle and begun again: every line is stored once."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from logweir.delivery.dead_letters import DeadLetters
from support.log_runs import (
    finished,
    numbers_in_file,
    numbers_in_table,
    ran,
    size,
    start,
    write_config,
    write_lines,
)
from support.waiting import eventually

pytestmark = [pytest.mark.busy, pytest.mark.timeout(300)]

KILLS = 3 if os.environ.get("LOGWEIR_SOAK") == "long" else 2

SLOW = """\
import time
from logweir.sinks.contract import SinkConfig, WriteResult
from logweir.sinks.threaded import SyncSink

class Slow(SyncSink):
    Config = SinkConfig
    def write(self, batch):
        open("taken", "w").close()
        time.sleep(3600)
        return WriteResult()
"""


@pytest.mark.soak
@pytest.mark.parametrize("queue", ["memory", "disk"])
def test_f6_a_run_killed_at_random_points_and_begun_again_stores_every_line_once(
    tmp_path: Path, queue: str
) -> None:
    write_config(tmp_path, queue)
    log = tmp_path / "a.log"
    write_lines(log, range(6_000))
    dice = random.Random(6)
    for _ in range(KILLS):
        process = start(tmp_path, "a.log")
        goal = size(tmp_path / "out.jsonl") + dice.randrange(1, 200_000)
        while size(tmp_path / "out.jsonl") < goal and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        finished(process)
    ran("a.log")
    assert numbers_in_file(tmp_path, torn=KILLS) == list(range(6_000))
    assert numbers_in_table(tmp_path) == list(range(6_000))
    assert DeadLetters(tmp_path / "data").read() == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_f6_a_run_ended_by_a_signal_gives_a_summary_and_goes_on_when_begun_again(
    tmp_path: Path, signum: signal.Signals
) -> None:
    write_config(tmp_path, "memory, max_events: 500}, batch: {max_events: 20")  # in no hurry to be done
    write_lines(tmp_path / "a.log", range(15_000))
    process = start(tmp_path, "a.log")
    eventually(lambda: size(tmp_path / "out.jsonl"))
    process.send_signal(signum)
    said = finished(process)
    assert process.returncode == (130 if signum == signal.SIGINT else -signal.SIGTERM)
    assert f"ended by {signum.name}" in said
    assert "Traceback" not in said
    first = len(numbers_in_file(tmp_path))
    assert first == len(numbers_in_table(tmp_path))
    assert 0 < first < 15_000
    write_config(tmp_path, "memory")
    _, said = ran("a.log")
    assert f"{first:,} lines stored before" in said  # nothing was dropped, and nothing is read again
    assert numbers_in_file(tmp_path) == list(range(15_000))
    assert numbers_in_table(tmp_path) == list(range(15_000))


def test_f6_a_run_over_what_is_stored_reads_nothing_and_over_a_grown_or_rotated_file_what_is_new(
    tmp_path: Path,
) -> None:
    write_config(tmp_path, "memory")
    log = tmp_path / "a.log"
    write_lines(log, range(20))
    assert "20 events read" in ran("a.log")[1]
    assert "0 events read, 0 malformed lines, 20 lines stored before" in ran("a.log")[1]
    write_lines(log, range(20, 25))
    assert "5 events read" in ran("a.log")[1]
    log.rename(tmp_path / "a.log.1")
    write_lines(log, range(25, 27))
    assert "2 events read, 0 malformed lines, 25 lines" in ran("a.log", "a.log.1")[1]
    log.write_text("")
    write_lines(log, range(27, 28))
    _, said = ran("a.log")
    assert "1 event read" in said
    assert "a.log: it was truncated" in said
    assert numbers_in_file(tmp_path) == numbers_in_table(tmp_path) == list(range(28))


def test_f6_a_second_run_over_a_file_that_is_being_read_is_refused_until_the_first_is_dead(
    tmp_path: Path,
) -> None:
    write_config(tmp_path, "memory")
    write_lines(tmp_path / "a.log", range(300))
    first = start(tmp_path, "a.log", "-", stdin=subprocess.PIPE)  # the pipe keeps it from ending
    eventually(lambda: len(numbers_in_table(tmp_path)) == 300)
    (tmp_path / "same.log").hardlink_to(tmp_path / "a.log")
    code, said = ran("same.log")
    assert code == 2, said
    assert "same.log: another `logweir run` is reading it" in said
    assert "Traceback" not in said
    first.kill()
    finished(first)
    code, said = ran("same.log")
    assert code == 0, said
    assert numbers_in_table(tmp_path) == list(range(300))


def test_f6_a_line_that_cannot_be_read_is_one_dead_letter_however_often_it_is_read(tmp_path: Path) -> None:
    write_config(tmp_path, "memory")
    (tmp_path / "a.log").write_text('{"broken\n')
    for directory in ("one", "two"):  # as after a kill before the first checkpoint was written
        ran("a.log", "--checkpoint", directory)
    assert len(DeadLetters(tmp_path / "data").read()) == 1


def test_f6_sigterm_drops_nothing_that_was_read_from_a_pipe(tmp_path: Path) -> None:
    write_config(tmp_path, "memory")
    process = start(tmp_path, "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    write_lines(tmp_path / "a.log", range(300))
    process.stdin.write((tmp_path / "a.log").read_text() + '{"event": "y", "n": 300}')
    process.stdin.flush()
    eventually(lambda: size(tmp_path / "out.jsonl"))
    process.send_signal(signal.SIGTERM)
    said = finished(process)
    assert process.returncode == -signal.SIGTERM
    assert "301 events read" in said
    assert numbers_in_file(tmp_path) == numbers_in_table(tmp_path) == list(range(301))


def start_with_a_slow_sink(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    (directory / "slow_sink.py").write_text(SLOW)
    (directory / "routing.yaml").write_text(
        "data_dir: data\ndrain_timeout: 500ms\nsinks:\n"
        '  slow: {type: "slow_sink:Slow", queue: {type: memory, max_events: 5}, batch: {max_events: 1}}\n'
        "routes: [{name: all, to: [slow]}]\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    return start(directory, *arguments, stdin=subprocess.PIPE, env=environment)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_over_files_ends_where_a_small_queue_is_full_for_as_long_as_it_waits(
    tmp_path: Path, jobs: str
) -> None:
    write_lines(tmp_path / "a.log", range(50))
    process = start_with_a_slow_sink(tmp_path, "a.log", "--timeout", "1", "--jobs", jobs)
    said = finished(process)
    assert process.returncode == 1
    assert "no sink has taken anything for 1 s" in said
    assert DeadLetters(tmp_path / "data").read() == []
    write_config(tmp_path, "memory")
    assert "50 events read" in ran("a.log")[1]
    assert numbers_in_file(tmp_path) == numbers_in_table(tmp_path) == list(range(50))


def test_a_run_over_a_pipe_ends_where_a_small_queue_is_full_for_as_long_as_it_waits(tmp_path: Path) -> None:
    process = start_with_a_slow_sink(tmp_path, "-", "--timeout", "1")
    assert process.stdin is not None
    process.stdin.write("".join(f'{{"event": "y", "n": {n}}}\n' for n in range(50)) + "last")
    process.stdin.flush()
    assert process.wait(60) == 1  # though the pipe is open
    said = finished(process)
    letters = DeadLetters(tmp_path / "data").read()
    assert letters[-1].body == b"last"
    assert f"{len(letters)} lines that no queue took (in the dead letters)" in said
    assert len(letters) + int(said.split(" events read")[0].split()[-1]) == 51


def test_f6_a_pipe_whose_queue_is_full_at_sigterm_loses_nothing(tmp_path: Path) -> None:
    process = start_with_a_slow_sink(tmp_path, "-", "--timeout", "1")
    assert process.stdin is not None
    process.stdin.write("".join(f'{{"event": "y", "n": {n}}}\n' for n in range(50)))
    process.stdin.flush()
    eventually((tmp_path / "taken").exists)
    process.send_signal(signal.SIGTERM)
    said = finished(process)
    letters = len(DeadLetters(tmp_path / "data").read())
    assert f"{letters} lines that no queue took (in the dead letters)" in said
    assert letters + int(said.split(" events read")[0].split()[-1]) == 50
