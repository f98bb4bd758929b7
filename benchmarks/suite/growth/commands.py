"""The read side as a person has it: ``logweir query``, ``trace``, ``tail``, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from logweir.benchmarks.suite.freshness import new_event
from logweir.benchmarks.suite.natives.base import Native
from logweir.benchmarks.suite.results import Label, Measure
from logweir.benchmarks.suite.store import Store, opened
from logweir.errors import LogweirError
from logweir.process.own_modules import command_of

__all__ = ["measure_commands"]

_MIB = 2**20
#: A command that has read for so long is ended: its rate until then is what counts.
_LONGEST = 60.0
_TAIL_EVENTS, _TAIL_DEADLINE = 5, 60.0
_CHUNK = 1 << 16


@dataclass(slots=True)
class _Read:
    """What came out of a command.

    Attributes:
        first_ms: Until the first row, with the start of the interpreter; None without a row.
        seconds: Until the end, or until it was ended.
        rows: How many there were.
        peak: Bytes of memory at most.
    """

    first_ms: float | None = None
    seconds: float = 0.0
    rows: int = 0
    peak: float = 0.0


async def measure_commands(
    native: Native, store: str, volume: int, trace_id: str, folder: Path
) -> list[Measure]:
    """Run the three commands on a store.

    Raises:
        LogweirError: One failed, or did not find what is there.
    """
    with _routing_file(native, store, folder) as path:
        query = await _read(["query", "--limit", "0", "--json", "-c", str(path)])
        trace = await _read(["trace", trace_id, "--json", "-c", str(path)])
        lags = await _tail(native, store, path)
    found = [*_figures("query", query), *_figures("trace", trace), ("tail", "first_row", "ms", lags)]
    return [_measure(native, volume, *figure) for figure in found]


@contextmanager
def _routing_file(native: Native, store: str, folder: Path) -> Iterator[Path]:
    path = folder / f"{native.spec.name}.routing.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # the URL may hold a password
    routing = {
        "version": 1,
        "data_dir": str(folder / "data"),
        "sinks": {"store": native.sink_settings(store)},
        "routes": [{"name": "all", "match": {}, "to": ["store"]}],
    }
    path.write_text(yaml.safe_dump(routing))
    try:
        yield path
    finally:
        path.unlink()


def _figures(command: str, read: _Read) -> list[tuple[str, str, str, list[float]]]:
    if read.first_ms is None:
        raise LogweirError(f"`logweir {command}` found nothing")
    return [
        (command, "first_row", "ms", [read.first_ms]),
        (command, "seconds", "s", [read.seconds]),
        (command, "rate", "rows/s", [read.rows / max(read.seconds, 1e-9)]),
        (command, "peak_memory", "MiB", [read.peak / _MIB]),
    ]


def _measure(native: Native, volume: int, command: str, what: str, unit: str, values: list[float]) -> Measure:
    labels: dict[str, Label] = {"volume": volume, "command": command, "what": what}
    return Measure(backend=native.spec.name, name="command", labels=labels, unit=unit, values=values)


@asynccontextmanager
async def _running(arguments: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command_of("logweir", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _read(arguments: Sequence[str]) -> _Read:
    found = _Read()
    began = time.perf_counter()
    async with _running(arguments) as process:
        assert process.stdout is not None  # noqa: S101 - asked for
        assert process.stderr is not None  # noqa: S101 - idem
        watched = psutil.Process(process.pid)
        ended_by_us = False
        while chunk := await process.stdout.read(_CHUNK):
            now = time.perf_counter() - began
            found.rows += chunk.count(b"\n")
            if found.first_ms is None and found.rows:
                found.first_ms = now * 1000
            found.seconds = now
            found.peak = max(found.peak, _memory(watched))
            if now > _LONGEST:
                ended_by_us = True
                process.kill()
                break
        if not ended_by_us and await process.wait():
            said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()[-1:]
            raise LogweirError(f"`logweir {arguments[0]}` failed: {' '.join(said)}")
    return found


def _memory(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss)
    except psutil.Error:
        return 0.0


async def _tail(native: Native, store: str, routing: Path) -> list[float]:
    """Milliseconds from the store's confirmation of an event to its line in a running ``logweir tail``."""
    lags: list[float] = []
    command = ["tail", "--json", "--interval", "0.1", "-c", str(routing)]
    async with _running(command) as process, opened(native, store) as writer:
        assert process.stdout is not None  # noqa: S101 - asked for
        await _until_it_follows(writer, process.stdout)
        for _ in range(_TAIL_EVENTS):
            event = new_event()
            await writer.sink.write([event])
            written = time.perf_counter()
            await _shown(process.stdout, event.id, _TAIL_DEADLINE)
            lags.append((time.perf_counter() - written) * 1000)
    return lags


async def _until_it_follows(writer: Store, output: asyncio.StreamReader) -> None:
    """What is written before it follows is never shown, so write until something is."""

    async def write() -> None:
        while True:
            await writer.sink.write([new_event()])
            await asyncio.sleep(0.5)

    writing = asyncio.ensure_future(write())
    try:
        await _shown(output, "", _TAIL_DEADLINE)
    finally:
        writing.cancel()
        await asyncio.wait([writing])


async def _shown(output: asyncio.StreamReader, event_id: str, seconds: float) -> None:
    """Wait until an event is shown, past those before it; any, if no id is given."""
    try:
        async with asyncio.timeout(seconds):
            while line := await output.readline():
                if event_id in {"", json.loads(line).get("id")}:
                    return
    except TimeoutError:
        pass
    raise LogweirError("`logweir tail` did not show an event that was written")
