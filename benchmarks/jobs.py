"""What a second process gains ``logweir run``: one file by ``--jobs 1`` and ``--jobs 2``, in turns.

The clock is the wall's, from the first line to the last that is stored: a run over two files of one line,
by as many processes, is measured before each and left out. Beside it stands what a second process gains a
loop that only computes: on a busy machine that is less than 2, and no run can gain more.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from logweir.benchmarks.measure import Bar, Report, Series, take_turns
from logweir.benchmarks.run import write_lines

__all__ = ["measure"]

_SINKS = {
    "null": '{type: "null"}',
    "file": "{type: file, path: stored/out.jsonl}",
    "sqlite": '{type: sqlite, url: "sqlite+aiosqlite:///stored/audit.db", provision: true}',
}
_CONFIG = """\
service: bench
data_dir: stored
sinks: {one: SINK}
routes: [{name: all, match: {kind: tracing}, to: [one]}]
"""
_RUN = "from logweir.cli.app import main\nimport sys\nsys.argv[0] = 'logweir'\nmain()\n"
_LOOP = "n = 0\nfor i in range(STEPS): n += i * i % 7\n"
_BAR = 1.7


def measure(
    *, events: int = 200_000, runs: int = 5, sinks: Sequence[str] = tuple(_SINKS), steps: int = 30_000_000
) -> Report:
    """Measure all in turn.

    Args:
        events: How many lines the file has.
        runs: How many turns count.
        sinks: Which of null, file and sqlite.
        steps: How long the loop is that only computes.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_lines(folder / "events.jsonl", events)
        for each in "ab":
            write_lines(folder / f"{each}.jsonl", 1)
        processor: dict[str, list[float]] = {}
        contenders: list[tuple[str, Callable[[], float]]] = [
            (f"{sink}, --jobs {jobs}", _run(folder, sink, jobs, events, processor))
            for sink in sinks
            for jobs in (1, 2)
        ]
        contenders += [(f"a loop, {count} at once", _loop(count, steps)) for count in (1, 2)]
        series = take_turns(contenders, runs, "events/s")
    gains = [two.ratio(one) for one, two in zip(series[::2], series[1::2], strict=True)]
    bars = [Bar(gain, _BAR, at_most=False) for gain in gains[:-1]]
    spent = [
        Series(f"{name}, processor", "µs/event", [1e6 * each / events for each in seconds[1:]])
        for name, seconds in processor.items()
    ]
    series += spent
    # What two processes spend for an event together may be no more than so much of what one spends.
    bars += [Bar(two.ratio(one), 2 / _BAR) for one, two in zip(spent[::2], spent[1::2], strict=True)]
    notes = [f"a loop that only computes gains {gains[-1].median:.2f} by a second process; {events:,} lines"]
    return Report("logweir run --jobs", series, bars, notes)


def _run(
    folder: Path, sink: str, jobs: int, events: int, processor: dict[str, list[float]]
) -> Callable[[], float]:
    spent = processor.setdefault(f"{sink}, --jobs {jobs}", [])

    def run() -> float:
        (folder / "routing.yaml").write_text(_CONFIG.replace("SINK", _SINKS[sink]))
        command = [sys.executable, "-c", _RUN, "run", "--jobs", str(jobs)]
        start, start_processor = _timed([[*command, "a.jsonl", "b.jsonl"]], folder)
        seconds, processor_seconds = _timed([[*command, "events.jsonl"]], folder)
        spent.append(processor_seconds - start_processor)
        return events / max(seconds - start, seconds / 10)  # on a busy machine the start may take longer

    return run


def _loop(count: int, steps: int) -> Callable[[], float]:
    command = [sys.executable, "-c", _LOOP.replace("STEPS", str(steps))]
    return lambda: count * steps / _timed([command] * count, None)[0]


def _timed(commands: Sequence[Sequence[str]], folder: Path | None) -> tuple[float, float]:
    """Run commands at once; the seconds of the wall and of the processor."""
    if folder is not None:
        shutil.rmtree(folder / "stored", ignore_errors=True)
        (folder / "stored").mkdir()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    started = [
        subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - ours
        for command in commands
    ]
    for process in started:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, process.args)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
