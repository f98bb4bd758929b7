"""What it takes to check, read and move what is stored: each command as a process, over N audit rows.

Rows are chained, ten to a trace, of a hundred days that ended a hundred days ago; half of them are of one
writer, half of another. Each command is a process of its own, of which the kernel says the processor time,
with that of processes it starts, and the most memory that one of them took; the same command over ten rows
comes before it, and its processor time is left out. The folder keeps the rows and the results: what was
measured there is not measured again unless it is named, so that ten million rows can be done in several
sittings.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from logweir.benchmarks.measure import Bar, Report, Series, environment
from logweir.event import Event, Kind, new_event_id
from logweir.sinks import registry
from logweir.sinks.contract import SinkContext
from logweir.sinks.tamper_evidence import Chaining

__all__ = ["measure"]

_BATCH = 1000
_DAY = 86_400 * 10**9
_DAYS = 100
_OF_A_TRACE = 10
_FEW = 10
_MEMORY = 150.0
_VERIFY = 12.0
_VERIFYING = ("verify", "verify, 2 jobs")
_RUN = "from logweir.__main__ import main\nimport sys\nsys.argv[0] = 'logweir'\nmain()\n"
_ROUTING = """\
service: bench
data_dir: data
audit: {chain: true}
sinks:
  store: {type: TYPE, url: "URL", table: PREFIX_store, provision: true}
  copy: {type: TYPE, url: "COPY", table: PREFIX_copy, provision: true}
  lines: {type: file, path: lines.jsonl}
routes: [{name: all, to: [store]}]
"""


@dataclass(frozen=True, slots=True)
class _Command:
    """One of the commands.

    Attributes:
        arguments: What is typed, without ``logweir``.
        rows: How many rows it deals with, out of those that there are.
        fresh: What is removed before it: sinks and folders.
    """

    arguments: Sequence[str]
    rows: Callable[[int], int] = lambda rows: rows
    fresh: Sequence[str] = ()


_COMMANDS = {
    "verify": _Command(["verify", "--sink", "store"]),
    "verify, 2 jobs": _Command(["verify", "--sink", "store", "--jobs", "2"]),
    "query all": _Command(["query", "--sink", "store", "--limit", "0", "--json"]),
    "query 100": _Command(
        ["query", "--sink", "store", "--newest-first", "--json"], lambda rows: min(100, rows)
    ),
    "query a field": _Command(
        ["query", "--sink", "store", "--field", 'user_id="7"', "--limit", "0", "--json"]
    ),
    "trace": _Command(["trace", "TRACE", "--json", "-c", "store.yaml"], lambda rows: min(_OF_A_TRACE, rows)),
    "migrate": _Command(["migrate", "--from", "store", "--to", "copy"], fresh=["copy", "data/migrations"]),
    "migrate to a file": _Command(
        ["migrate", "--from", "store", "--to", "lines"], fresh=["lines.jsonl", "data/migrations"]
    ),
    "archive": _Command(
        ["archive", "--sink", "copy", "--older-than", "90d", "--to", "archive"], fresh=["archive"]
    ),
    "restore": _Command(["restore", "--from", "archive/copy", "--to", "copy"]),
}


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one command took.

    Attributes:
        rows: How many rows it dealt with.
        of: How many there were.
        seconds: By the clock, from its start to its end.
        processor: Seconds of processor time, without those of the start.
        first: Seconds until the first line of output.
        memory: The most memory, in MB.
    """

    rows: int
    of: int
    seconds: float
    processor: float
    first: float
    memory: float


def measure(
    *, rows: int = 100_000, url: str | None = None, folder: Path | None = None, only: Sequence[str] = ()
) -> Report:
    """Fill a table, and run every command over it.

    Args:
        rows: How many rows there are to be.
        url: A database as its sink takes it; a SQLite file in the folder by default.
        folder: Where rows and results are kept; a temporary one by default.
        only: Which commands, also if they were measured before; by default those that were not.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            return measure(rows=rows, url=url, folder=Path(name), only=only)
    kept = folder / f"results-{rows}.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    few, all_rows = _Place(folder / f"few-{rows}", _FEW, url), _Place(folder / str(rows), rows, url)
    for name in only or [name for name in _COMMANDS if name not in found]:
        if name not in _COMMANDS:
            raise typer.BadParameter(f"there is no command {name!r} here; there are {', '.join(_COMMANDS)}")
        start = few.run(_COMMANDS[name]).processor
        measured = all_rows.run(_COMMANDS[name], start)
        found[name] = {**asdict(measured), "backend": all_rows.backend}
        kept.write_text(json.dumps(found, indent=2) + "\n")
    return _report(rows, all_rows.backend, {name: found[name] for name in _COMMANDS if name in found})


def _report(rows: int, backend: str, found: dict[str, Any]) -> Report:
    series = list[Series]()
    bars = list[Bar]()
    if all(name in found for name in _VERIFYING):
        alone, together = (found[name]["seconds"] for name in _VERIFYING)
        series.append(Series("verify, 2 jobs / verify: rows/s", "×", [alone / together]))
    for name, each in found.items():
        series.append(Series(name, "rows/s", [each["rows"] / each["seconds"]]))
        bars.append(Bar(Series(f"{name}: memory", "MB", [each["memory"]]), _MEMORY))
        if name in _VERIFYING:
            bars.append(Bar(Series(f"{name}: processor", "µs/row", [_processor(each)]), _VERIFY))
    notes = [
        f"{name}: {each['seconds']:.1f} s, first output after {each['first']:.1f} s, "
        f"{_processor(each):.1f} µs of processor a row"
        for name, each in found.items()
    ]
    return Report(f"{rows:,} rows in {backend}", series, bars, notes)


def _processor(each: dict[str, Any]) -> float:
    return float(1e6 * each["processor"] / each["of"])


class _Place:
    """A folder with a routing file, and the rows of its sink ``store``."""

    def __init__(self, folder: Path, rows: int, url: str | None) -> None:
        self._folder, self._rows = folder, rows
        folder.mkdir(parents=True, exist_ok=True)
        self._urls = {name: url or f"sqlite+aiosqlite:///{folder / name}.db" for name in ("store", "copy")}
        backend = make_url(self._urls["store"]).get_backend_name()
        self.backend = "mysql" if backend == "mariadb" else backend
        self._prefix = f"moving_{folder.name.replace('-', '_')}"
        routing = _ROUTING.replace("TYPE", self.backend).replace("PREFIX", self._prefix)
        routing = routing.replace("URL", self._urls["store"]).replace("COPY", self._urls["copy"])
        (folder / "routing.yaml").write_text(routing)
        # Of all sinks a trace is asked for, and the others have nothing yet.
        alone = [line for line in routing.splitlines() if not line.startswith(("  copy", "  lines"))]
        (folder / "store.yaml").write_text("\n".join(alone))
        asyncio.run(self._fill())

    def run(self, command: _Command, start: float = 0.0) -> _Measured:
        """Run one command; ``start`` is the processor time that is left out."""
        for name in command.fresh:
            self._remove(name)
        trace = _trace(self._rows // 2)
        arguments = [trace if each == "TRACE" else each for each in command.arguments]
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-c", _RUN, *arguments], cwd=self._folder, stdout=subprocess.PIPE
        )
        assert process.stdout is not None  # noqa: S101 - for the type checker
        first = time.perf_counter() - began if process.stdout.read(1) else 0.0
        while process.stdout.read(1 << 20):
            pass
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        spent = max(usage.ru_utime + usage.ru_stime - start, 0.0)
        seconds = time.perf_counter() - began
        return _Measured(command.rows(self._rows), self._rows, seconds, spent, first, usage.ru_maxrss / 1024)

    def _remove(self, name: str) -> None:
        if name == "copy":
            asyncio.run(self._drop("copy"))
            for known in (self._folder / "data" / "chains").glob("copy-*"):  # that the table was there
                known.unlink()
        path = self._folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    async def _drop(self, name: str) -> None:
        engine = create_async_engine(self._urls[name])
        async with engine.begin() as connection:
            for suffix in ("", "_chain", "_chain_gone", "_chain_ids", "_chain_closed"):
                await connection.execute(text(f"DROP TABLE IF EXISTS {self._prefix}_{name}{suffix}"))
        await engine.dispose()

    async def _fill(self) -> None:
        """Write the rows that are missing, by as many writers as there are halves."""
        sink_class: Any = registry.resolve(self.backend)
        options = {"url": self._urls["store"], "table": f"{self._prefix}_store", "provision": True}
        half = (self._rows + 1) // 2
        there = -1
        while there < self._rows:
            sink = sink_class(sink_class.Config(**options), SinkContext(chaining=Chaining()))
            await sink.open()
            there = await self._count() if there < 0 else there
            until = half if there < half else self._rows
            while there < until:
                number = min(_BATCH, until - there)
                await sink.write([_event(each, self._rows) for each in range(there, there + number)])
                there += number
            await sink.close()

    async def _count(self) -> int:
        engine = create_async_engine(self._urls["store"])
        async with engine.connect() as connection:
            found = await connection.execute(text(f"SELECT count(*) FROM {self._prefix}_store"))  # noqa: S608 - ours
            count = int(found.scalar_one())
        await engine.dispose()
        return count


def _trace(number: int) -> str:
    return f"{number // _OF_A_TRACE + 1:032x}"


def _event(number: int, of: int) -> Event:
    return Event(
        new_event_id(),
        time.time_ns() - 2 * _DAYS * _DAY + number * _DAYS * _DAY // of,
        Kind.AUDIT,
        "info",
        "fund.transfer",
        "bench",
        "bench",
        _trace(number),
        f"{number:016x}",
        {"user_id": str(number % 1000), "status": "success", "amount": number * 1.25, "to": "account-17"},
        300,
    )


def main(
    rows: Annotated[int, typer.Option(help="How many rows there are to be.", min=1)] = 100_000,
    folder: Annotated[Path | None, typer.Option(help="Keeps rows and results, to go on there.")] = None,
    url: Annotated[str | None, typer.Option(help="A database; a SQLite file by default.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(_COMMANDS)}; may be repeated.")
    ] = None,
) -> None:
    """Measure the commands that check, read and move what is stored."""
    console = Console()
    console.print("  ".join(f"{key} {value}" for key, value in environment().items()), highlight=False)
    measure(rows=rows, url=url, folder=folder, only=only or ()).show(console)


if __name__ == "__main__":
    typer.run(main)
