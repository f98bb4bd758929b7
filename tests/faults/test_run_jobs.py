"""``logweir run --jobs``: several processes read, any of them may be killed, and every line is stored once."""

import gzip
import os
import random
import signal
import subprocess
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

_LINES = 12_000
_ROUNDS = 20 if os.environ.get("LOGWEIR_SOAK") == "long" else 1


def processes_of(run: subprocess.Popen[str]) -> list[int]:
    """The processes that a run has started."""
    try:
        return [int(pid) for pid in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def runs(pid: int) -> bool:
    """Whether a process is there, and not a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.soak
@pytest.mark.parametrize("whom", ["the parent", "a process"])
def test_a_run_of_several_processes_killed_at_random_points_and_begun_again_stores_every_line_once(
    tmp_path: Path, whom: str
) -> None:
    write_config(tmp_path, "memory")
    write_lines(tmp_path / "a.log", range(_LINES))
    dice = random.Random(whom)
    for _ in range(_ROUNDS):
        run = start(tmp_path, "a.log", "--jobs", "2")
        before = size(tmp_path / "out.jsonl")
        goal = before + dice.randrange(1, 400_000)
        eventually(lambda: size(tmp_path / "out.jsonl") >= goal or run.poll() is not None)  # noqa: B023 - asked now
        processes = processes_of(run)
        if whom == "the parent" or not processes:
            run.kill()
            finished(run)
        else:
            os.kill(dice.choice(processes), signal.SIGKILL)
            said = finished(run)
            assert "Traceback" not in said
            if "ended by SIGKILL" in said:  # it was not done already
                assert run.returncode == 1
        # Those that lost their parent end by themselves; until then they keep the file.
        eventually(lambda: not any(map(runs, processes)))  # noqa: B023 - asked now
    said = finished(start(tmp_path, "a.log", *([] if whom == "the parent" else ["--jobs", "3"])))
    assert numbers_in_table(tmp_path) == list(range(_LINES)), said
    assert numbers_in_file(tmp_path, torn=2 * _ROUNDS) == list(range(_LINES))
    assert DeadLetters(tmp_path / "data").read() == []
    assert not [*(tmp_path / "data" / "checkpoints").glob("*.ranges")]


def test_a_run_of_several_processes_ended_by_sigterm_says_how_far_it_got_and_one_process_goes_on(
    tmp_path: Path,
) -> None:
    write_config(tmp_path, "memory, max_events: 500}, batch: {max_events: 20")  # in no hurry to be done
    write_lines(tmp_path / "a.log", range(_LINES))
    run = start(tmp_path, "a.log", "--jobs", "2")
    eventually(lambda: size(tmp_path / "out.jsonl"))
    run.send_signal(signal.SIGTERM)
    said = finished(run)
    assert run.returncode == -signal.SIGTERM, said
    assert "ended by SIGTERM" in said
    assert "Traceback" not in said
    first = len(numbers_in_table(tmp_path))
    assert 0 < first < _LINES
    write_config(tmp_path, "memory")
    assert f"{first:,} lines stored before" in ran("a.log")[1]
    assert numbers_in_table(tmp_path) == numbers_in_file(tmp_path) == list(range(_LINES))


def test_files_pipes_and_compressed_files_are_read_beside_each_other_and_added_up(tmp_path: Path) -> None:
    write_config(tmp_path, "memory")
    write_lines(tmp_path / "a.log", range(300))
    with (tmp_path / "a.log").open("a") as file:
        file.write('{"broken\n')
    write_lines(tmp_path / "b.log", range(300, 500))
    (tmp_path / "b.gz").write_bytes(gzip.compress((tmp_path / "b.log").read_bytes()))
    write_lines(tmp_path / "c.log", range(500, 550))
    with (tmp_path / "c.log").open("rb") as piped:
        run = start(tmp_path, "a.log", "b.gz", "-", "--jobs", "4", stdin=piped)
    said = finished(run)
    assert run.returncode == 0, said
    assert "550 events read, 1 malformed line " in said
    assert "of 4 processes 3 had something to read" in said
    assert "events/s" in said
    assert "by 3 processes" in said
    assert len(DeadLetters(tmp_path / "data").read()) == 1
    assert numbers_in_table(tmp_path) == list(range(550))
