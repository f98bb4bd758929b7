"""``logweir run`` and ``logweir demo`` on real input, as processes where it matters that they are."""

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner, Result

from logweir.cli.app import app
from logweir.delivery.dead_letters import DeadLetters
from support.programs import stored
from support.waiting import eventually

CONFIG = """\
data_dir: data
classify:
  - {kind: audit, match: {event: "fund.*"}}
sinks:
  audit_db: {type: file, path: audit.jsonl}
  logs: {type: file, path: tracing.jsonl}
routes:
  - {name: audit, match: {kind: audit}, to: [audit_db]}
  - {name: rest, match: {kind: tracing}, to: [logs]}
"""
ROOT = Path(__file__).parents[2]


def logweir(directory: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("logweir")), *arguments],
        cwd=directory,
        input=text,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def here(*arguments: str) -> Result:
    """Do what a command does, in this process and its working directory, which is the test's."""
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "routing.yaml").write_text(CONFIG)
    return tmp_path


def test_lines_of_files_and_of_stdin_are_routed(directory: Path) -> None:
    (directory / "a.log").write_text(
        "".join(json.dumps({"event": "fund.x", "n": number, "password": "p"}) + "\n" for number in range(300))
    )
    result = logweir(
        directory, "run", "a.log", "-", text='a plain line\n\n{"msg": "json", "level": "WARN"}\n'
    )
    assert result.returncode == 0, result.stderr
    assert "302 events read, 0 malformed lines" in result.stderr
    assert Counter(event.name for event in stored(directory, "audit.jsonl")) == {"fund.x": 300}
    assert {event.fields["password"] for event in stored(directory, "audit.jsonl")} == {"***"}
    assert [(event.name, event.level) for event in stored(directory, "tracing.jsonl")] == [
        ("a plain line", "info"),
        ("json", "warning"),
    ]


def test_c5_what_was_cut_is_said_at_the_end(directory: Path) -> None:
    lines = ["x" * 3_000_000, json.dumps({"event": "long", "a": "y" * 70_000}), "short"]
    (directory / "a.log").write_text("\n".join(lines))
    result = here("run", "a.log")
    assert result.exit_code == 0, result.output
    assert "3 events read, 0 malformed lines, 2 cut to fit `limits`" in " ".join(result.stderr.split())
    first, second, _ = stored(directory, "tracing.jsonl")
    for text, letter, given in ((first.name, "x", 3_000_000), (second.fields["a"], "y", 70_000)):
        kept, lost = re.fullmatch(rf"({letter}+)…\[truncated (\d+) characters\]", text).groups()
        assert len(kept) + int(lost) == given
        assert len(kept) > 16_384  # what is kept of 64 KiB depends on what it costs to search it


def test_malformed_lines_become_dead_letters_with_their_place_and_stop_nothing(directory: Path) -> None:
    (directory / "a.log").write_bytes(b'{"event": "good"}\n{broken\n{"event": "good"}\n[1]\n\xff{\n')
    result = here("run", "a.log", "--format", "json")
    assert result.exit_code == 0, result.output
    assert "2 events read, 3 malformed lines" in result.stderr
    letters = DeadLetters(directory / "data").read()
    assert [letter.place for letter in letters] == ["a.log:2", "a.log:4", "a.log:5"]
    assert letters[0].body == b"{broken"
    assert letters[0].reason.startswith("not JSON")


def test_a_secret_in_a_malformed_line_is_not_kept(directory: Path) -> None:
    (directory / "a.log").write_text('{"event": "x", "password": "hunter2", "card": "4111111111111111"\n')
    assert here("run", "a.log").exit_code == 1  # not a single line could be read
    (letter,) = DeadLetters(directory / "data").read()
    assert b"hunter2" not in letter.body
    assert b"4111111111111111" not in letter.body


def test_reading_a_file_of_our_own_twice_stores_it_once(directory: Path) -> None:
    (directory / "a.log").write_text("".join(f'{{"event": "e", "n": {number}}}\n' for number in range(50)))
    assert here("run", "a.log").exit_code == 0
    again = directory / "again"
    again.mkdir()
    (again / "routing.yaml").write_text(CONFIG)
    for _ in range(2):
        with contextlib.chdir(again):
            assert here("run", "../tracing.jsonl").exit_code == 0
    first, second = stored(directory, "tracing.jsonl"), stored(again, "tracing.jsonl")
    assert [(event.id, event.time, event.fields["n"]) for event in first] == [
        (event.id, event.time, event.fields["n"]) for event in second
    ]


def test_a_file_that_is_not_there_is_wrong_input(directory: Path) -> None:
    result = logweir(directory, "run", "absent.log")
    assert result.returncode == 2
    assert "absent.log: no such file" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_run_that_cannot_store_everything_fails(directory: Path) -> None:
    (directory / "routing.yaml").write_text(
        CONFIG.replace("path: tracing.jsonl", "path: /proc/nowhere/x.jsonl")
    )
    result = logweir(directory, "run", "-", "--timeout", "0.5", text="line\n" * 10)
    assert result.returncode == 1
    assert "10 events were not delivered before the stop; kept on disk" in result.stderr


def test_the_demo_proves_what_it_claims(tmp_path: Path) -> None:
    result = logweir(tmp_path, "demo", "--requests", "100", "-c", str(ROOT / "routing.yaml"))
    assert result.returncode == 0, result.stderr
    assert "each stored exactly once" in " ".join(result.stdout.split())
    (trace,) = re.findall(
        r"^One refund, across the sinks.*\n\$ .*logweir (trace .+)$", result.stdout, re.MULTILINE
    )
    again = here(*shlex.split(trace))
    assert "fund.refund [audit_db]" in again.stdout, again.output


@pytest.mark.parametrize("folder", [".", "mine"])
def test_the_demo_empties_no_folder_but_its_own(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "thesis.txt").write_text("three years")
    result = here("demo", "--directory", folder, "-c", str(ROOT / "routing.yaml"))
    assert result.exit_code == 2
    assert "is not a folder of the demo" in " ".join(result.stderr.replace("│", " ").split())
    assert (tmp_path / folder / "thesis.txt").exists()


def test_a_wrong_file_is_wrong_input_for_every_command(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text("sinks: [")
    for command in (["run", "-"], ["check"], ["explain", "{}"], ["demo"]):
        result = here(*command)
        assert result.exit_code == 2, command
        assert "routing.yaml:1:9: not valid YAML" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.busy
def test_d8_a_demo_ended_by_sigterm_ends_its_server(directory: Path) -> None:
    command = [str(Path(sys.executable).with_name("logweir")), "demo", "--requests", "100000"]
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert "listens on" in demo.stdout.readline()
        (server,) = psutil.Process(demo.pid).children()
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 128 + signal.SIGTERM
    eventually(lambda: not server.is_running())


@pytest.mark.parametrize(
    "command",
    [
        ["run", "a.log", "b.log", "--jobs", "2"],
        ["verify", "--jobs", "2"],
        ["worker", "--processes", "2"],
    ],
    ids=lambda command: command[0],
)
def test_a_module_that_lies_where_a_command_is_run_is_not_taken_for_one_of_ours(
    tmp_path: Path, command: list[str]
) -> None:
    queue = "queue: {type: disk, deliver: elsewhere}" if command[0] == "worker" else ""
    (tmp_path / "routing.yaml").write_text(f"""\
data_dir: data
imports: [mine]
audit: {{chain: true, chain_key: "0123456789abcdef0123"}}
sinks:
  one: {{type: sqlite, url: "sqlite+aiosqlite:///one.db", provision: true, {queue}}}
  two: {{type: sqlite, url: "sqlite+aiosqlite:///two.db", provision: true, {queue}}}
routes:
  - {{name: all, to: [one, two]}}
""")
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text('{"event": "x"}\n')
    (tmp_path / "mine.py").touch()
    if command[0] == "verify":
        assert logweir(tmp_path, "run", "a.log").returncode == 0
    for name in ("mine", "msgspec"):
        (tmp_path / f"{name}.py").write_text(f"import os; open(f'{name}.{{os.getpid()}}', 'x').close()\n")
    program = [str(Path(sys.executable).with_name("logweir")), *command]
    with subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        # The parent has imported the module that the file names, and so has each process.
        eventually(lambda: len([*tmp_path.glob("mine.*[0-9]")]) >= 3 or any(tmp_path.glob("msgspec.[0-9]*")))
        process.send_signal(signal.SIGTERM)
    assert not [*tmp_path.glob("msgspec.[0-9]*")]


def test_run_says_on_a_terminal_that_it_waits_for_lines(directory: Path) -> None:
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("logweir")), "run"]
    with subprocess.Popen(command, cwd=directory, stdin=theirs, stderr=subprocess.PIPE, text=True) as process:
        os.close(theirs)
        assert process.stderr is not None
        assert (
            process.stderr.readline()
            == "reading lines from this terminal, until Ctrl-D; name files to read those\n"
        )
        os.write(ours, b'{"event": "typed"}\n\x04')
        assert "1 event read" in process.stderr.read()
    os.close(ours)
    assert process.returncode == 0
    assert [event.name for event in stored(directory, "tracing.jsonl")] == ["typed"]
