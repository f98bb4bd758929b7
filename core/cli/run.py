"""``logweir run``: log lines in, routed events out.

Lines that cannot be read become dead letters with their file and number, and never stop the run. The
run waits for its sinks: where routing.yaml does not declare what a full queue does, it blocks. How far a file
is stored stands in a checkpoint: a run that was ended, by whatever, is simply begun again.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from logweir.cli.interruption import Interrupted, Interruption
from logweir.cli.options import ROUTING_FILE, ConfigOption
from logweir.cli.run_follow import Follower
from logweir.cli.run_inputs import Input, Unreadable
from logweir.cli.run_lines import LineReader
from logweir.config.input import InputConfig
from logweir.config.loading import load_config
from logweir.config.models import RoutingConfig
from logweir.delivery.dead_letters import DeadLetters
from logweir.errors import MissingDependency
from logweir.integrations.line_formats.continuations import Continuations
from logweir.integrations.log_lines import LineFormat, LineParser
from logweir.runtime import current as runtime
from logweir.runtime.current import Runtime
from logweir.stores.checkpoints import Checkpoints
from logweir.stores.low_water import Stalled
from logweir.telemetry.model import Metrics

__all__ = ["run"]

#: A run prefers waiting to dropping: how long it waits for one place in a queue.
_PATIENCE = 3600.0
#: Seconds for the sinks after a signal, until a second one.
_AFTER_SIGNAL = 0.5
_CTRL_C = 128 + signal.SIGINT


_Files = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files or named pipes of log lines, also compressed (gz, bz2, xz, zst) or in UTF-16; - is stdin."
    ),
]
_Format = Annotated[
    LineFormat | None,
    typer.Option(
        "--format",
        help="Who wrote the lines; by default `input.format` of routing.yaml, or `auto`, which recognises "
        "each line.",
    ),
]
_Follow = Annotated[
    bool, typer.Option("-f", "--follow", help="Go on with what is added to the files, until Ctrl-C.")
]
_FromStart = Annotated[
    bool, typer.Option("--from-start", help="Read files from their beginnings, whatever is stored.")
]
_Checkpoint = Annotated[
    Path | None,
    typer.Option(help="Directory of the checkpoints of files; by default `checkpoints` in data_dir."),
]


def run(
    files: _Files = None,
    config: ConfigOption = ROUTING_FILE,
    line_format: _Format = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for sinks that take nothing.")] = 60.0,
    follow: _Follow = False,
    from_start: _FromStart = False,
    checkpoint: _Checkpoint = None,
) -> None:
    """Route the lines of files (or stdin) to the sinks of routing.yaml.

    Begun again, it goes on in each file behind what is stored. A pipe has no checkpoint. Lines of pino, zap,
    ECS, CloudTrail, journald, nginx and many others are understood: see --format.
    """
    names = ["-" if _is_stdin(name) else name for name in files or ["-"]]
    _require_files(names, follow=follow)
    settings = _patient(load_config(config))
    console = Console(stderr=True)
    checkpoints = Checkpoints(checkpoint or settings.data_dir / "checkpoints")
    with checkpoints, Interruption() as interruption:
        _claim(names, checkpoints)
        running = runtime.start(settings)
        reader = LineReader(
            running,
            DeadLetters(settings.data_dir),
            lambda: LineParser(line_format or settings.input.format, settings.input),
            checkpoints,
            interruption,
            math.inf if follow else timeout,
            from_start=from_start,
            continuations=partial(_continuations, settings.input),
        )
        follower = Follower(reader, names, interruption, partial(_say, console)) if follow else None
        complete = _work(reader, names, running, interruption, timeout, console, follower)
    _finish(reader, running.metrics(), interruption.asked, console, complete=complete)


def _finish(
    reader: LineReader, metrics: Metrics, ended_by: int | None, console: Console, *, complete: bool
) -> None:
    """Say what was done, and end with the code that says whether it was all."""
    console.print(_summary(reader, metrics, ended_by))
    for note in reader.notes:
        _say(console, note)
    if ended_by is not None:
        _end_by(ended_by)
    nothing_fits = reader.malformed and not reader.read
    if not complete or nothing_fits or reader.damaged or any(sink.dropped for sink in metrics.sinks.values()):
        raise typer.Exit(1)


def _say(console: Console, note: str) -> None:
    console.print(f"logweir: {escape(note)}", soft_wrap=True)


def _work(
    reader: LineReader,
    names: list[str],
    running: Runtime,
    interruption: Interruption,
    timeout: float,
    console: Console,
    follower: Follower | None,
) -> bool:
    """Read, wait for the sinks, stop; whether everything was stored."""
    delivered, drain = False, timeout
    reader.low_water.start()
    try:
        if follower is not None:
            follower.run()
        else:
            delivered = _read_all(reader, names, interruption, console)
        if delivered:
            with interruption.patience(_AFTER_SIGNAL):
                delivered = running.flush(timeout)
    except Stalled:
        reader.notes.append(
            f"no sink has taken anything for {timeout:g} s: the run has ended; begun again, it goes on there"
        )
    except Interrupted:
        pass
    finally:
        reader.low_water.stop()
        if not delivered:
            drain = min(timeout, running.config.drain_timeout)
        stopped = runtime.stop(drain)
        if stopped:
            reader.low_water.finish()
    return delivered and stopped


def _read_all(reader: LineReader, names: list[str], interruption: Interruption, console: Console) -> bool:
    """Read the files one after the other; whether it came to the end of the last."""
    with _progress(console) as progress:
        total = sum(Path(name).stat().st_size for name in names if _is_file(name)) or None
        task = progress.add_task("reading", total=total)
        for name in names:
            if interruption.asked is not None:
                break
            try:
                _read_one(reader, name, lambda step: progress.advance(task, step))
            except (MissingDependency, Unreadable) as error:
                raise typer.BadParameter(f"{name}: {error}") from None
    return interruption.asked is None


def _end_by(signum: int) -> None:
    """End as the signal would have ended the process, now that nothing is left to do."""
    if signum == signal.SIGINT:
        raise typer.Exit(_CTRL_C)
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)


def _read_one(reader: LineReader, name: str, advance: Callable[[int], object]) -> None:
    if _is_file(name):
        reader.read_file(name, advance)
    elif name == "-":
        reader.read_pipe(name, sys.stdin.buffer.fileno(), advance)
    else:
        # Opened without waiting for a writer, so that a signal is heard while there is none.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.set_blocking(descriptor, True)
            reader.read_pipe(name, descriptor, advance)
        finally:
            os.close(descriptor)


def _is_stdin(name: str) -> bool:
    """Whether this is the standard input by another name, and no file that could have a checkpoint."""
    return name in {"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"} and not _is_file(name)


def _is_file(name: str) -> bool:
    return name != "-" and Path(name).is_file()


def _require_files(names: list[str], *, follow: bool) -> None:
    """Refuse what cannot be read, before anything is."""
    for name in names:
        path = Path(name)
        if _is_file(name):
            try:
                Input(os.open(name, os.O_RDONLY | os.O_CLOEXEC)).close()
            except (OSError, MissingDependency, Unreadable) as error:
                raise typer.BadParameter(f"{name}: {error}") from None
        elif follow and (name == "-" or path.exists() or not path.absolute().parent.is_dir()):
            raise typer.BadParameter(
                f"{name} cannot be followed; name a file (a pipe is read to its end anyway, without -f)"
            )
        elif not follow and name != "-" and (not path.exists() or path.is_dir() or path.is_socket()):
            raise typer.BadParameter(f"{name}: no such file; name a file of lines, or - for stdin")


def _claim(names: list[str], checkpoints: Checkpoints) -> None:
    for name in names:
        if _is_file(name) and not checkpoints.claim(Path(name).stat()):
            raise typer.BadParameter(
                f"{name}: another `logweir run` is reading it, with the same checkpoint; wait for its "
                "end, or end it"
            )


def _continuations(config: InputConfig) -> Continuations | None:
    joins = config.multiline or config.multiline_start is not None
    return Continuations(config.multiline_start) if joins else None


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


def _summary(reader: LineReader, metrics: Metrics, ended_by: int | None) -> Table:
    title = f"{reader.read:,} events read, {reader.malformed:,} malformed lines"
    if reader.malformed:
        title += " (in the dead letters)"
    if reader.given_up:
        title += f", {reader.given_up:,} lines that no queue took (in the dead letters)"
    if reader.skipped:
        title += f", {reader.skipped:,} lines stored before"
    if metrics.unrouted:
        title += f", {metrics.unrouted:,} taken by no route"
    if metrics.truncated:
        title += f", {metrics.truncated:,} cut to fit `limits`"
    if ended_by is not None:
        title += f"; ended by {signal.Signals(ended_by).name}"
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
