"""Running the tests of a room against one mutant after the other, where an earlier run ended."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mutants.mutations import Mutant, mutants_of
from mutants.plugin import MUTANT, RECORD

__all__ = ["ROOMS", "Outcome", "Room", "run"]

ROOT = Path(__file__).parents[2]
#: Of a room, without the files of which all mutants are tried.
_SAMPLE = 150
_SEED = 20_261_126
#: Tests that reach a line may take so long together; the fastest are preferred.
_SECONDS = 40.0
_OPTIONS = ("-q", "-p", "mutants.plugin", "-p", "no:cacheprovider", "-p", "no:randomly")
#: What is imported before pytest is not rewritten, and need not be.
_IN_A_FORK = ("-x", "-W", "ignore::pytest.PytestAssertRewriteWarning", *_OPTIONS)
_PYTHON_PATH = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))


@dataclass(frozen=True, slots=True)
class Room:
    """A folder of code, and the tests that must notice when it is broken.

    Attributes:
        code: The folder.
        tests: The folders and files of its tests, as pytest is given them.
        whole: The files of which every mutant is tried.
    """

    code: str
    tests: tuple[str, ...]
    whole: tuple[str, ...] = ()


ROOMS = {
    "capture": Room("core/capture", ("tests/unit/capture", "tests/unit/integrations")),
    "routing": Room("core/routing", ("tests/unit/routing",)),
    "delivery": Room(
        "core/delivery",
        ("tests/unit/delivery",),
        whole=("receipts.py", "spool/committer.py", "channel.py", "worker.py"),
    ),
    # What only a process of its own shows, such as its end, is not seen here.
    "runtime": Room(
        "core/runtime",
        (
            "tests/unit/runtime",
            "tests/unit/process/test_life.py",
            "tests/integration/test_runtime.py",
            "tests/integration/test_feedback.py",
            "tests/integration/test_lost_rows.py",
            "-k",
            "not (lost_rows and (mysql or mariadb or postgresql))",
        ),
    ),
    # What a chain is for is tested on all databases; here SQLite must do.
    "chain": Room(
        "sinks/sql/chain",
        (
            "tests/unit/sinks/sql",
            "tests/integration/test_audit_chain.py",
            "tests/integration/test_chain_tampering.py",
            "tests/integration/test_lost_rows.py",
            "-k",
            "not ((audit_chain or chain_tampering or lost_rows) and (mysql or mariadb or postgresql))",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the tests said of a mutant.

    Attributes:
        file: The file, from the root of the repository.
        mutant: The change.
        state: ``killed``, ``survived``, or ``unreached`` by any test.
    """

    file: str
    mutant: Mutant
    state: str


def run(name: str, kept: Path, *, jobs: int, most: int | None, again: bool = False) -> Iterator[Outcome]:
    """Yield the outcome of each chosen mutant of a room; those known from an earlier run come first.

    Args:
        name: The room.
        kept: The folder of the outcomes so far.
        jobs: How many tests run at once.
        most: The most mutants to try now; None is all.
        again: Whether to try those again that no test has noticed so far.
    """
    room = ROOMS[name]
    kept.mkdir(exist_ok=True)
    journal = kept / f"{name}.jsonl"
    known = _known(journal)
    chosen = [(file, mutant) for file, mutant in _chosen(room)]
    fresh = []
    for file, mutant in chosen:
        state = known.get(_key(file, mutant))
        if state is None or (again and state != "killed"):
            fresh.append((file, mutant))
        else:
            yield Outcome(file, mutant, state)
    if not fresh:
        return
    record = _record(room)
    with journal.open("a") as lines, ThreadPoolExecutor(jobs) as pool:
        tried = pool.map(lambda each: _try(*each, record), fresh[:most])
        for outcome in tried:
            line = {"key": _key(outcome.file, outcome.mutant), "state": outcome.state}
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            yield outcome


def _chosen(room: Room) -> list[tuple[str, Mutant]]:
    whole, others = list[tuple[str, Mutant]](), list[tuple[str, Mutant]]()
    for path in sorted((ROOT / room.code).rglob("*.py")):
        file = str(path.relative_to(ROOT))
        if path.name != "__init__.py":
            within = str(path.relative_to(ROOT / room.code))
            found = whole if within in room.whole else others
            found += [(file, mutant) for mutant in mutants_of(path.read_bytes())]
    random.Random(_SEED).shuffle(others)
    return whole + others[:_SAMPLE]


def _key(file: str, mutant: Mutant) -> str:
    """A mutant of this very source: what was found of another version is not known of this one."""
    facts = [file, sha256((ROOT / file).read_bytes()).hexdigest(), asdict(mutant)]
    return sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _known(journal: Path) -> dict[str, str]:
    if not journal.exists():
        return {}
    return {line["key"]: line["state"] for line in map(json.loads, journal.read_text().splitlines())}


def _record(room: Room) -> dict[str, Any]:
    """Run the sound code once, and return which test reaches which lines in how many seconds.

    What fails though nothing is broken, as on a busy machine, is not asked.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "record.json")
        command = [sys.executable, "-m", "pytest", *_OPTIONS, *room.tests]
        environment = {**os.environ, RECORD: f"{file}::{ROOT / room.code}", "PYTHONPATH": _PYTHON_PATH}
        subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, timeout=1800, check=False
        )
        if not file.exists():
            raise SystemExit(f"no test has run; see: pytest {shlex.join(room.tests)}")
        found: dict[str, Any] = json.loads(file.read_text())
    for test in found["failed"]:
        print(f"not asked, for it fails without any mutant: {test}", flush=True)  # noqa: T201
        found["tests"].pop(test, None)
    if _forks().run([*_IN_A_FORK, *list(found["tests"])[:3]], {}, timeout=300):
        raise SystemExit(
            f"the tests of {room.code} cannot be run one by one; see: pytest {shlex.join(room.tests)}"
        )
    return found


def _try(file: str, mutant: Mutant, record: dict[str, Any]) -> Outcome:
    place = f"{ROOT / file}:{mutant.line}"
    seconds = record["seconds"]
    reaching = sorted(
        (test for test, lines in record["tests"].items() if place in lines), key=seconds.__getitem__
    )
    if not reaching:
        return Outcome(file, mutant, "unreached")
    tests, spent = list[str](), 0.0
    for test in reaching:
        if tests and spent + seconds[test] > _SECONDS:
            break
        tests.append(test)
        spent += seconds[test]
    given = {MUTANT: json.dumps({"path": str(ROOT / file), **asdict(mutant)})}
    # A test that hangs has noticed something too.
    limit = f"--timeout={15 + 3 * seconds[tests[-1]]:.0f}"
    failed = _forks().run([*_IN_A_FORK, limit, *tests], given, timeout=30 + 3 * spent)
    return Outcome(file, mutant, "killed" if failed else "survived")


class _Forks:
    """A process of :mod:`mutants.forks`, which ends with its standard input."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mutants.forks"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _PYTHON_PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], *, timeout: float) -> int:
        """Run pytest; returns its exit status."""
        assert self._process.stdin
        assert self._process.stdout
        asked = {"arguments": arguments, "environment": environment, "timeout": timeout}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


_of_this_thread = threading.local()


def _forks() -> _Forks:
    if not hasattr(_of_this_thread, "forks"):
        _of_this_thread.forks = _Forks()
    forks: _Forks = _of_this_thread.forks
    return forks
