"""Running ``logweir run`` over numbered lines, and what it has stored of them."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from logweir.cli.app import app
from logweir.encoding.events import decode_event
from logweir.event import Event
from support.programs import ended_with_the_test

__all__ = [
    "finished",
    "numbers_in_file",
    "numbers_in_table",
    "ran",
    "size",
    "start",
    "write_config",
    "write_lines",
]

CONFIG = """\
data_dir: data
drain_timeout: 5s
classify:
  - {kind: audit, match: {event: "fund.*"}}
sinks:
  table: {type: sqlite, url: "sqlite+aiosqlite:///audit.db", provision: true, queue: {type: QUEUE}}
  lines: {type: file, path: out.jsonl, queue: {type: QUEUE}}
routes:
  - {name: all, to: [table, lines]}
"""


def start(directory: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(  # type: ignore[call-overload]
        [str(Path(sys.executable).with_name("logweir")), "run", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    return ended_with_the_test(process)


def finished(process: subprocess.Popen[str]) -> str:
    _, said = process.communicate(timeout=280)
    return " ".join(said.split())


def ran(*arguments: str) -> tuple[int, str]:
    """Run to the end in this process, in its working directory: where no process is to be ended, none is started.

    Returns:
        The exit code, and what was said.
    """
    done = CliRunner().invoke(app, ["run", *arguments])
    return done.exit_code, " ".join(done.output.split())


def write_config(directory: Path, queue: str) -> None:
    (directory / "routing.yaml").write_text(CONFIG.replace("QUEUE", queue))


def write_lines(path: Path, numbers: range) -> None:
    """Lines with a time and without, of both kinds, some of them plain and one that cannot be read."""
    with path.open("a") as file:
        for n in numbers:
            timed = {"ts": 1_767_323_045 + n} if n % 2 else {}
            file.write(json.dumps({"event": "fund.x" if n % 3 else "y", "n": n, **timed}) + "\n")


def numbers_in_table(directory: Path) -> list[int]:
    """What the table has; it may not be there yet."""
    try:
        with sqlite3.connect(f"file:{directory / 'audit.db'}?mode=ro", uri=True) as connection:
            table = connection.execute(
                "SELECT name FROM sqlite_master WHERE name IN ('audit_log', 'events', 'log_events')"
            ).fetchone()[0]
            column = "extra_info" if table == "audit_log" else "fields"
            rows = connection.execute(f"SELECT * FROM {table}")
            place = [described[0] for described in rows.description].index(column)
            return sorted(_number(json.loads(row[place])) for row in rows)
    except (sqlite3.OperationalError, TypeError):
        return []


def _number(fields: dict[str, object]) -> int:
    value = fields.get("n")
    assert type(value) is int, fields
    return value


def numbers_in_file(directory: Path, torn: int = 0) -> list[int]:
    """What the file has, beside at most so many lines that a kill has ended in the middle of a write."""
    events, unfinished = list[Event](), 0
    for line in (directory / "out.jsonl").read_bytes().splitlines():
        try:
            events.append(decode_event(line))
        except ValueError:
            unfinished += 1
    assert unfinished <= torn
    return sorted(_number(event.fields) for event in events)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
