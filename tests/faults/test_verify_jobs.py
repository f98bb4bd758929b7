"""``logweir verify --jobs``: processes that are killed, or lose their parent, never make anything look verified."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from logweir.cli.app import app
from support.chains import KEY, Place, audit_event
from support.programs import ended_with_the_test
from support.waiting import eventually

pytestmark = [pytest.mark.busy, pytest.mark.timeout(300)]

SECRET = KEY.get_secret_value()
CONFIG = f"""\
service: shop
audit: {{chain: true, chain_key: "{SECRET}"}}
sinks:
  first: {{type: sqlite, url: "sqlite+aiosqlite:///first.db", table: audit_log, provision: true}}
  second: {{type: sqlite, url: "sqlite+aiosqlite:///second.db", table: audit_log, provision: true}}
routes: [{{name: all, to: [first, second]}}]
"""
_ROWS = 12_000
_FEW = 3


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two chains in one file, which are divided, and a short one in another."""
    folder = tmp_path_factory.mktemp("stores")

    async def fill() -> None:
        for name, counts in (("first", (_ROWS * 2 // 3, _ROWS // 3)), ("second", (_FEW,))):
            for count in counts:
                place = Place("sqlite", f"sqlite+aiosqlite:///{folder / name}.db", "audit_log")
                async with place.opened(key=KEY) as sink:
                    for start in range(0, count, 1000):
                        numbers = range(start, min(start + 1000, count))
                        await sink.write([audit_event(number) for number in numbers])

    asyncio.run(fill())
    return folder


@pytest.fixture
def folder(stores: Path, tmp_path: Path) -> Path:
    """Copies of them, with a routing file."""
    (tmp_path / "routing.yaml").write_text(CONFIG)
    for name in ("first.db", "second.db"):
        with (
            closing(sqlite3.connect(stores / name)) as source,
            closing(sqlite3.connect(tmp_path / name)) as to,
        ):
            source.backup(to)
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("logweir")), "verify", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return ended_with_the_test(process)


def finished(process: subprocess.Popen[str]) -> str:
    said = "".join(process.communicate(timeout=280))
    assert "Traceback" not in said, said
    return said


def processes_of(parent: subprocess.Popen[str]) -> list[int]:
    try:
        return [
            int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        ]
    except FileNotFoundError:
        return []


def reads(pid: int) -> bool:
    """Whether a process has opened the table."""
    try:
        return any(str(link.readlink()).endswith("first.db") for link in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "first.db")) as database, database:
        for statement in statements:
            database.execute(statement)


LONGER = "(SELECT writer FROM audit_log_chain WHERE writer != 'beginning' ORDER BY seq DESC LIMIT 1)"


@pytest.mark.parametrize(
    "tamperings",
    [
        [],
        [f"UPDATE audit_log SET status = 'x' WHERE chain_seq = 6001 AND chain_writer = {LONGER}"],
        ["DELETE FROM audit_log WHERE chain_seq IN (2, 5000, 7999)"],
        ["DELETE FROM audit_log_chain WHERE seq = 8000"],
        [f"DELETE FROM audit_log WHERE chain_writer = {LONGER} AND chain_seq > 100"],
        [
            f"UPDATE audit_log SET chain_seq = -1 WHERE chain_seq = 30 AND chain_writer = {LONGER}",
            f"UPDATE audit_log SET chain_seq = 30 WHERE chain_seq = 7000 AND chain_writer = {LONGER}",
            f"UPDATE audit_log SET chain_seq = 7000 WHERE chain_seq = -1 AND chain_writer = {LONGER}",
        ],
        [f"DELETE FROM audit_log WHERE chain_writer != {LONGER}"],
        ["UPDATE audit_log SET action = 'x' WHERE chain_seq % 10 = 0"],
    ],
    ids=["nothing", "changed", "deleted", "headless", "cut", "swapped", "rowless", "many"],
)
def test_several_processes_say_and_end_as_one_does(
    folder: Path, tamperings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder, *tamperings)
    together = start(folder, "--jobs", "3")
    monkeypatch.chdir(folder)
    alone = CliRunner().invoke(app, ["verify"])
    again = finished(together)
    assert together.returncode == alone.exit_code == bool(tamperings)
    assert sorted(again.splitlines()) == sorted(alone.output.splitlines())
    assert again.index("first: ") < again.index("second: 3 rows of 1 chain verified: sound")


def test_heads_are_saved_and_compared(folder: Path) -> None:
    options = ("--sink", "first", "--jobs", "2")
    assert "first: 2 heads saved in heads.jsonl" in finished(
        start(folder, *options, "--save-heads", "heads.jsonl")
    )
    change(
        folder,
        f"DELETE FROM audit_log WHERE chain_writer = {LONGER}",
        f"DELETE FROM audit_log_chain WHERE writer = {LONGER}",
    )
    assert "verified: sound" in finished(start(folder, *options))
    cut = start(folder, *options, "--heads", "heads.jsonl")
    assert "has been cut off" in finished(cut)
    assert cut.returncode == 1
    (folder / "heads.jsonl").write_text("nothing")
    refused = start(folder, *options, "--heads", "heads.jsonl")
    finished(refused)
    assert refused.returncode == 2


@pytest.mark.parametrize("when", ["at its start", "while it reads"])
def test_a_process_that_is_killed_is_said_and_nothing_it_had_is_verified(folder: Path, when: str) -> None:
    parent = start(folder, "--jobs", "2")
    eventually(lambda: processes_of(parent))
    (pid, *_) = processes_of(parent)
    if when == "while it reads":
        eventually(lambda: reads(pid) or not runs(pid))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    said = finished(parent)
    if "SIGKILL" not in said and when == "while it reads":  # it was done already
        assert parent.returncode == 0
        return
    assert parent.returncode == 1
    assert f"process {pid} ended by SIGKILL: what it was to verify" in said
    assert "first: 12,000 rows" not in said


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes_without_a_word_of_python(folder: Path, signum: signal.Signals) -> None:
    parent = start(folder, "--jobs", "2")
    eventually(lambda: len(processes_of(parent)) == 2)
    processes = processes_of(parent)
    parent.send_signal(signum)
    said = finished(parent)
    assert parent.returncode == (130 if signum == signal.SIGINT else -signum)
    assert "verified" not in said
    assert not any(map(runs, processes))


def test_processes_end_by_themselves_when_their_parent_is_killed(folder: Path) -> None:
    parent = start(folder, "--jobs", "2")
    eventually(lambda: len(processes_of(parent)) == 2)
    processes = processes_of(parent)
    parent.kill()
    finished(parent)
    eventually(lambda: not any(map(runs, processes)))


def test_no_secret_is_on_a_command_line(folder: Path) -> None:
    parent = start(folder, "--jobs", "2")
    eventually(lambda: processes_of(parent))
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_of(parent)]
    assert lines
    assert not any(SECRET.encode() in line or b"sqlite" in line for line in lines)
    finished(parent)


def test_a_sink_that_cannot_be_read_ends_with_one_after_those_before_it(folder: Path) -> None:
    (folder / "second.db").unlink()
    alone, together = start(folder), start(folder, "--jobs", "2")
    said, again = finished(alone), finished(together)
    assert together.returncode == alone.returncode == 1
    assert again == said
    assert "first: 12,000 rows of 2 chains verified: sound" in again
