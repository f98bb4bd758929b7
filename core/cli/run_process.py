"""One process of ``logweir run``: a runtime, what is read into it, and the wait for its sinks."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from logweir.cli.interruption import Interrupted, Interruption
from logweir.cli.run_inputs import Unreadable
from logweir.cli.run_lines import LineReader
from logweir.cli.run_outcome import Outcome
from logweir.cli.run_pieces import Piece
from logweir.cli.standard_input import standard_input
from logweir.config.input import InputConfig
from logweir.config.models import RoutingConfig
from logweir.delivery.dead_letters import DeadLetters
from logweir.errors import MissingDependency
from logweir.integrations.line_formats.continuations import Continuations
from logweir.integrations.log_lines import LineFormat, LineParser
from logweir.runtime import current as runtime
from logweir.runtime.current import Runtime
from logweir.stores.checkpoints import Checkpoints
from logweir.stores.low_water import Stalled

__all__ = ["Options", "is_file", "joins_lines", "read_here", "read_pieces"]

#: What following waits for one place in a queue: longer than any machine runs.
_FOR_EVER = 1e9
#: Seconds for the sinks after a signal, until a second one.
_AFTER_SIGNAL = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What every process of a run is given.

    Attributes:
        line_format: Who wrote the lines; None for what routing.yaml says.
        timeout: Seconds to wait for sinks that take nothing.
        from_start: Whether files are read from their beginnings.
        follow: Whether what is added to them is read.
        jobs: How many processes read.
    """

    line_format: LineFormat | None = None
    timeout: float = 60.0
    from_start: bool = False
    follow: bool = False
    jobs: int = 1

    def parser(self, config: InputConfig) -> LineParser:
        """What reads the lines of one file."""
        return LineParser(self.line_format or config.format, config)


def read_here(
    config: RoutingConfig,
    checkpoints: Checkpoints,
    interruption: Interruption,
    options: Options,
    read: Callable[[LineReader], bool],
) -> Outcome:
    """Start a runtime, read, wait for its sinks, and stop it.

    Args:
        config: The routing file.
        checkpoints: Of the files.
        interruption: Ends it.
        options: What the command was given.
        read: Reads; whether it came to the end of everything.
    """
    patience = math.inf if options.follow else options.timeout
    running = runtime.start(_patient(config, min(patience, _FOR_EVER)))
    reader = LineReader(
        running,
        DeadLetters(config.data_dir),
        lambda: options.parser(config.input),
        checkpoints,
        interruption,
        patience,
        jobs=options.jobs,
        from_start=options.from_start,
        continuations=partial(_continuations, config.input),
    )
    complete = _work(reader, read, running, interruption, options.timeout)
    return Outcome.of(reader, running.metrics(), complete=complete)


def _work(
    reader: LineReader,
    read: Callable[[LineReader], bool],
    running: Runtime,
    interruption: Interruption,
    timeout: float,
) -> bool:
    """Read, wait for the sinks, stop; whether everything was stored."""
    delivered, drain = False, timeout
    reader.low_water.start()
    try:
        delivered = read(reader)
        if delivered:
            with interruption.patience(_AFTER_SIGNAL):
                delivered = _flushed(running, timeout)
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
        reader.note_what_is_left()
    return delivered and stopped


def _flushed(running: Runtime, timeout: float) -> bool:
    """Wait until all is settled; False when nothing at all was settled for so long."""
    settled = running.metrics().settled
    while not running.flush(timeout):
        before, settled = settled, running.metrics().settled
        if settled == before:
            return False
    return True


def read_pieces(
    reader: LineReader,
    next_piece: Callable[[], Piece | None],
    interruption: Interruption,
    advance: Callable[[int], object],
) -> bool:
    """Read one piece after the other; whether that came to the end of the last."""
    while interruption.asked is None:
        piece = next_piece()
        if piece is None:
            break
        try:
            _read_one(reader, piece, advance)
        except (MissingDependency, Unreadable) as error:
            raise typer.BadParameter(f"{piece.name}: {error}") from None
    return interruption.asked is None


def _read_one(reader: LineReader, piece: Piece, advance: Callable[[int], object]) -> None:
    name = piece.name
    if piece.descriptor is not None:
        reader.read_pipe(name, piece.descriptor, advance)
    elif is_file(name):
        reader.read_file(name, advance, piece.start, piece.end)
    elif name == "-":
        reader.read_pipe(name, standard_input().fileno(), advance)
    else:
        # Opened without waiting for a writer, so that a signal is heard while there is none.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.set_blocking(descriptor, True)
            reader.read_pipe(name, descriptor, advance)
        finally:
            os.close(descriptor)


def is_file(name: str) -> bool:
    """Whether an input is a file, which has a checkpoint."""
    return name != "-" and Path(name).is_file()


def joins_lines(config: InputConfig) -> bool:
    """Whether lines that belong together are one event, so that a file is not entered in its middle."""
    return config.multiline or config.multiline_start is not None


def _continuations(config: InputConfig) -> Continuations | None:
    return Continuations(config.multiline_start) if joins_lines(config) else None


def _patient(config: RoutingConfig, seconds: float) -> RoutingConfig:
    """Block at a full queue unless the file says otherwise: importing is no request that must not wait.

    For so long as the run waits for a sink at all; then the event is dropped, and the run ends before it.
    """
    sinks = {
        name: sink
        if sink.queue.when_full
        else sink.model_copy(
            update={"queue": sink.queue.model_copy(update={"when_full": "block", "block_timeout": seconds})}
        )
        for name, sink in config.sinks.items()
    }
    return config.model_copy(update={"sinks": sinks})
