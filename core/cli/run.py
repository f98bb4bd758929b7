"""``logweir run``: log lines in, routed events out.

Lines that cannot be read become dead letters with their file and number, and never stop the run. The
run waits for its sinks: where routing.yaml does not declare what a full queue does, it blocks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.integrations.log_lines import LineFormat, parse_line
from logweir.runtime import current as runtime
from logweir.runtime.current import Runtime
from logweir.telemetry.model import Metrics

__all__ = ["run"]

#: Bytes between two updates of the progress bar.
_STEP = 1 << 20
#: A run prefers waiting to dropping: how long it waits for one place in a queue.
_PATIENCE = 3600.0
_LETTERS_AT_ONCE = 500


def run(
    files: Annotated[
        list[str] | None, typer.Argument(help="Files of JSON lines or plain lines; - is stdin.")
    ] = None,
    config: ConfigOption = ROUTING_FILE,
    line_format: Annotated[LineFormat, typer.Option("--format", help="How lines are read.")] = "auto",
    timeout: Annotated[float, typer.Option(help="Seconds to wait at the end for the sinks.")] = 60.0,
) -> None:
    """Route the lines of files (or stdin) to the sinks of routing.yaml."""
    names = files or ["-"]
    _require_files(names)
    settings = _patient(load_config(config))
    console = Console(stderr=True)
    running = runtime.start(settings)
    reader = _Reader(running, DeadLetters(settings.data_dir), line_format)
    try:
        reader.read_all(names, console)
        delivered = running.flush(timeout)
    finally:
        delivered_at_stop = runtime.stop(timeout)
    metrics = running.metrics()
    console.print(_summary(reader, metrics))
    if not (delivered and delivered_at_stop) or any(sink.dropped for sink in metrics.sinks.values()):
        raise typer.Exit(1)


def _require_files(names: list[str]) -> None:
    for name in names:
        if name != "-" and not Path(name).is_file():
            raise typer.BadParameter(f"{name}: no such file; name a file of lines, or - for stdin")


def _patient(config: RoutingConfig) -> RoutingConfig:
    """Block at a full queue unless the file says otherwise: importing is no request that must not wait."""
    sinks = {
        name: sink
        if sink.queue.when_full
        else sink.model_copy(
            update={"queue": sink.queue.model_copy(update={"when_full": "block", "block_timeout": _PATIENCE})}
        )
        for name, sink in config.sinks.items()
    }
    return config.model_copy(update={"sinks": sinks})


class _Reader:
    """Feeds lines to the runtime and keeps count."""

    def __init__(self, running: Runtime, dead_letters: DeadLetters, line_format: LineFormat) -> None:
        self._emit = running.emit
        self._redact = running.redact
        self._dead_letters = dead_letters
        self._format = line_format
        self._letters: list[DeadLetter] = []
        self.read = 0
        self.malformed = 0

    def read_all(self, names: list[str], console: Console) -> None:
        with _progress(console) as progress, ExitStack() as opened:
            total = sum(Path(name).stat().st_size for name in names if name != "-") or None
            task = progress.add_task("reading", total=total)
            for name in names:
                stream = sys.stdin.buffer if name == "-" else opened.enter_context(Path(name).open("rb"))
                for step in self._read(name, stream):
                    progress.advance(task, step)
        self._flush_dead_letters()

    def _read(self, name: str, stream: BinaryIO) -> Iterator[int]:
        """Feed one stream; yield the bytes read now and then."""
        pending = 0
        emit = self._emit
        line_format = self._format
        for number, line in enumerate(stream, 1):
            pending += len(line)
            try:
                parsed = parse_line(line, line_format)
            except ValueError as error:
                self._malformed(f"{name}:{number}", str(error), line)
            else:
                if parsed is not None:
                    self.read += 1
                    emit(
                        parsed.name,
                        parsed.fields,
                        level=parsed.level,
                        time_ns=parsed.time_ns,
                        event_id=parsed.event_id,
                    )
            if pending >= _STEP:
                yield pending
                pending = 0
        yield pending

    def _malformed(self, place: str, reason: str, line: bytes) -> None:
        self.malformed += 1
        text = self._redact(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape"))
        self._letters.append(DeadLetter.of_line(place, reason, text.encode("utf-8", "surrogateescape")))
        if len(self._letters) >= _LETTERS_AT_ONCE:
            self._flush_dead_letters()

    def _flush_dead_letters(self) -> None:
        if self._letters:
            self._dead_letters.add(self._letters)
            self._letters = []


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _summary(reader: _Reader, metrics: Metrics) -> Table:
    title = f"{reader.read:,} events read, {reader.malformed:,} malformed lines"
    if reader.malformed:
        title += " (in the dead letters)"
    if metrics.unrouted:
        title += f", {metrics.unrouted:,} taken by no route"
    if metrics.truncated:
        title += f", {metrics.truncated:,} cut to fit `limits`"
    table = Table(title=title, title_justify="left")
    table.add_column("sink")
    for heading in ("accepted", "stored", "duplicate", "retried", "dropped", "dead"):
        table.add_column(heading, justify="right")
    for name, sink in metrics.sinks.items():
        counts = (
            sink.accepted,
            sink.stored,
            sink.duplicate,
            sink.retried,
            sum(sink.dropped.values()),
            sink.dead,
        )
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table
