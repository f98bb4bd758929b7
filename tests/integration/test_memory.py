"""What the commands hold in memory does not grow with the number of events that pass through them."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

CONFIG = """\
data_dir: data
audit: {chain: true}
classify: [{kind: audit, match: {}}]
sinks:
  table: {type: sqlite, url: "sqlite+aiosqlite:///audit.db", provision: true}
routes: [{name: all, to: [table]}]
"""
COMMANDS = {
    "run": ["run", "a.log"],
    "query": ["query", "--limit", "0", "--json"],
    "verify": ["verify"],
    "archive": ["archive", "--sink", "table", "--older-than", "90d", "--to", "archive"],
}
#: Both fill the pages that are read at once. Events that are held, the 22,000 between them, cost at least 15 MiB.
FEW, MANY = 12_000, 34_000
#: The most that each may grow by. A query levels off later, at 127 MB.
GROWTH = {"run": 8 * 2**20, "query": 24 * 2**20, "verify": 8 * 2**20, "archive": 10 * 2**20}
#: What is asked of a million events, in bytes.
MOST = 150 * 2**20


def peaks(directory: Path, count: int) -> dict[str, int]:
    """The most memory that each command had over so many events, in bytes."""
    directory.mkdir()
    (directory / "routing.yaml").write_text(CONFIG)
    first = datetime(2025, 8, 1, tzinfo=UTC)
    with (directory / "a.log").open("w") as file:
        for number in range(count):
            moment = first + timedelta(milliseconds=number)
            line = {"timestamp": moment.isoformat(), "event": "fund.x", "n": number, "note": "x" * 100}
            file.write(json.dumps(line) + "\n")
    return {name: peak(directory, arguments) for name, arguments in COMMANDS.items()}


#: The kernel's own count begins anew with the program, where that of a child that has ended (`ru_maxrss`)
#: begins with the memory of the process that started it.
MEASURED = """
import sys
from pathlib import Path
from logweir.cli.app import main

sys.argv[0] = "logweir"
try:
    main()
finally:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            Path("peak.txt").write_text(line.split()[1])
"""


def peak(directory: Path, arguments: list[str]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int((directory / "peak.txt").read_text()) * 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(300)
def test_memory_is_flat_over_the_number_of_events(tmp_path: Path) -> None:
    few, many = peaks(tmp_path / "few", FEW), peaks(tmp_path / "many", MANY)
    grown = {name: many[name] - few[name] for name in COMMANDS}
    assert {name: by for name, by in grown.items() if by > GROWTH[name]} == {}, (few, many)
    assert {name: many[name] for name in COMMANDS if many[name] > MOST} == {}
