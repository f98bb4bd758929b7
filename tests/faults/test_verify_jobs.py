"""``logweir verify --jobs``: processes that are killed, or lose their parent, never make anything look verified."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from logweir.cli import verify as verifying
from logweir.cli import verify_jobs
from logweir.cli.app import app
from support.chains import KEY, Place, audit_event
from support.programs import ended_with_the_test
from support.waiting import eventually

pytestmark = [pytest.mark.busy, pytest.mark.timeout(300)]

SECRET = KEY.get_secret_value()


def config_of(*sinks: str) -> str:
    """A routing file with sinks that have a file of their own each."""
    of_sinks = "".join(
        f'  {name}: {{type: sqlite, url: "sqlite+aiosqlite:///{name}.db", table: audit_log, provision: true}}\n'
        for name in sinks
    )
    return f"""\
service: shop
audit: {{chain: true, chain_key: "{SECRET}"}}
sinks:
{of_sinks}routes: [{{name: all, to: [{", ".join(sinks)}]}}]
"""


#: Enough that a process is seen while it reads them, and a fifth of them, for parts that are a fifth as long.
_MANY, _ENOUGH = 12_000, 2_400
SHORTER_PARTS = verify_jobs._WORTH * _ENOUGH // _MANY
_FEW = 3


def fill(folder: Path, rows: int) -> Path:
    """Make two chains in one file, one twice as long as the other, and a short one in another file."""

    async def write() -> None:
        for name, counts in (("first", (rows * 2 // 3, rows // 3)), ("second", (_FEW,))):
            for count in counts:
                place = Place("sqlite", f"sqlite+aiosqlite:///{folder / name}.db", "audit_log")
                async with place.opened(key=KEY) as sink:
                    for start in range(0, count, 1000):
                        numbers = range(start, min(start + 1000, count))
                        await sink.write([audit_event(number) for number in numbers])

    asyncio.run(write())
    return folder


@pytest.fixture(scope="module")
def long_stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("long_stores"), _MANY)


@pytest.fixture(scope="module")
def short_stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("short_stores"), _ENOUGH)


def copy(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def copied(stores: Path, to: Path) -> Path:
    """Copy the files into a folder with a routing file."""
    (to / "routing.yaml").write_text(config_of("first", "second"))
    for name in ("first.db", "second.db"):
        copy(stores / name, to / name)
    return to


@pytest.fixture
def folder(long_stores: Path, tmp_path: Path) -> Path:
    """Chains that take a while, of which a program divides the first."""
    return copied(long_stores, tmp_path)


@pytest.fixture
def short(short_stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with chains a fifth as long, which are divided into parts a fifth as long.

    The parent is called in this process, and starts the others as it does everywhere.
    """
    monkeypatch.setattr(verify_jobs, "_WORTH", SHORTER_PARTS)
    return copied(short_stores, tmp_path)


def verify(*arguments: str) -> Result:
    """Call the command here, where its parts may be shorter; what it starts are processes."""
    done = CliRunner().invoke(app, ["verify", *arguments])
    assert "Traceback" not in done.output, done.output
    return done


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


def change(database_file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database_file)) as database, database:
        for statement in statements:
            database.execute(statement)


LONGER = "(SELECT writer FROM audit_log_chain WHERE writer != 'beginning' ORDER BY seq DESC LIMIT 1)"


#: Statements by what they do to the first file; of "many" there are more findings than are listed.
TAMPERINGS: dict[str, list[str]] = {
    "nothing": [],
    "changed": [f"UPDATE audit_log SET status = 'x' WHERE chain_seq = 1201 AND chain_writer = {LONGER}"],
    "deleted": ["DELETE FROM audit_log WHERE chain_seq IN (2, 1000, 1599)"],
    "headless": ["DELETE FROM audit_log_chain WHERE seq = 1600"],
    "cut": [f"DELETE FROM audit_log WHERE chain_writer = {LONGER} AND chain_seq > 100"],
    "swapped": [
        f"UPDATE audit_log SET chain_seq = -1 WHERE chain_seq = 30 AND chain_writer = {LONGER}",
        f"UPDATE audit_log SET chain_seq = 30 WHERE chain_seq = 1400 AND chain_writer = {LONGER}",
        f"UPDATE audit_log SET chain_seq = 1400 WHERE chain_seq = -1 AND chain_writer = {LONGER}",
    ],
    "rowless": [f"DELETE FROM audit_log WHERE chain_writer != {LONGER}"],
    "many": ["UPDATE audit_log SET action = 'x' WHERE chain_seq % 2 = 0"],
}


@dataclass(frozen=True)
class Together:
    """What several processes have done to a sink for each tampering, and to one that is sound, at once.

    Attributes:
        folder: Where the routing file and the databases are.
        done: What the command said, and its exit code.
        is_sound: What it made of each sink.
    """

    folder: Path
    done: Result
    is_sound: dict[str, bool]

    def said_of(self, sink: str) -> list[str]:
        return [line for line in self.done.output.splitlines() if line.startswith(f"{sink}: ")]


@pytest.fixture(scope="module")
def together(short_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    """Verify all tampered sinks by the same three processes, whose start costs more than what they read."""
    folder = tmp_path_factory.mktemp("together")
    for name, statements in TAMPERINGS.items():
        copy(short_stores / "first.db", folder / f"{name}.db")
        change(folder / f"{name}.db", *statements)
    copy(short_stores / "second.db", folder / "second.db")
    (folder / "routing.yaml").write_text(config_of(*TAMPERINGS, "second"))
    is_sound = dict[str, bool]()
    one = verifying._verify

    async def noted(name: str, *arguments: Any) -> bool:
        is_sound[name] = await one(name, *arguments)
        return is_sound[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(verify_jobs, "_WORTH", SHORTER_PARTS)
        with patch.context() as spied:
            spied.setattr(verifying, "_verify", noted)
            done = verify("--jobs", "3")
        yield Together(folder, done, is_sound)


@pytest.mark.parametrize("name", TAMPERINGS)
def test_several_processes_say_and_end_as_one_does(
    together: Together, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(together.folder)
    alone = verify("--sink", name)
    assert alone.exit_code == (not together.is_sound[name]) == bool(TAMPERINGS[name])
    assert sorted(together.said_of(name)) == sorted(alone.output.splitlines())


def test_several_processes_say_nothing_else_and_each_sink_in_its_turn(together: Together) -> None:
    assert together.done.exit_code == 1
    said = [line.partition(": ")[0] for line in together.done.output.splitlines()]
    assert [name for name, _ in groupby(said)] == [*TAMPERINGS, "second"]
    assert together.said_of("second") == ["second: 3 rows of 1 chain verified: sound"]


def test_several_processes_end_with_zero_where_all_is_sound(short: Path) -> None:
    together, alone = verify("--jobs", "2"), verify()
    assert together.exit_code == alone.exit_code == 0
    assert together.output == alone.output
    assert together.output.index("first: ") < together.output.index("second: ")


def test_heads_are_saved_and_compared(short: Path) -> None:
    options = ("--sink", "first", "--jobs", "2")
    assert "first: 2 heads saved in heads.jsonl" in verify(*options, "--save-heads", "heads.jsonl").output
    change(
        short / "first.db",
        f"DELETE FROM audit_log WHERE chain_writer = {LONGER}",
        f"DELETE FROM audit_log_chain WHERE writer = {LONGER}",
    )
    assert "verified: sound" in verify(*options).output
    cut = verify(*options, "--heads", "heads.jsonl")
    assert "has been cut off" in cut.output
    assert cut.exit_code == 1
    (short / "heads.jsonl").write_text("nothing")
    assert verify(*options, "--heads", "heads.jsonl").exit_code == 2


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
    assert "first: 12,000 rows of 2 chains verified: sound" in finished(parent)
    assert parent.returncode == 0


def test_a_sink_that_cannot_be_read_ends_with_one_after_those_before_it(short: Path) -> None:
    (short / "second.db").unlink()
    alone, together = verify(), verify("--jobs", "2")
    assert together.exit_code == alone.exit_code == 1
    assert together.output == alone.output
    assert "first: 2,400 rows of 2 chains verified: sound" in alone.output
