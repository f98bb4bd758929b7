"""Reading for ``logweir run``: lines of files and of pipes into the runtime, and how far that got.

A file is read on from its checkpoint. A pipe has none: what was read from it exists nowhere else, so that
at a signal all of it is handed on first, and what no queue takes in time becomes dead letters.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import structs

from logweir.cli.interruption import Interrupted, Interruption
from logweir.delivery.dead_letters import DeadLetter, DeadLetters
from logweir.event import Event
from logweir.integrations.log_lines import LineParser, Parsed
from logweir.runtime.current import Runtime
from logweir.stores.checkpoints import Checkpoint, Checkpoints, Mark
from logweir.stores.low_water import LowWater

__all__ = ["LineReader"]

#: Bytes between two updates of the progress bar.
_STEP = 1 << 20
_CHUNK = 1 << 16
#: Lines between two places that a checkpoint can have.
_MARKED = 64
_LETTERS_AT_ONCE = 500
#: Seconds after a signal for the hand-over of a line that the file still has.
_HAND_OVER = 1.0


class LineReader:
    """Feeds lines to the runtime and keeps count.

    Args:
        running: Takes the events.
        dead_letters: Take lines that cannot be read.
        parser: Makes what reads the lines of a file.
        checkpoints: Of files.
        interruption: Ends reading.
        patience: Seconds that a sink may take nothing.

    Attributes:
        read: How many events were made.
        malformed: How many lines could not be read.
        given_up: How many lines of a pipe no queue took in time.
        skipped: How many lines of files were stored before.
        notes: What is worth saying about the files.
    """

    def __init__(
        self,
        running: Runtime,
        dead_letters: DeadLetters,
        parser: Callable[[], LineParser],
        checkpoints: Checkpoints,
        interruption: Interruption,
        patience: float,
    ) -> None:
        self._running = running
        self._emit = running.emit
        self._redact = running.redact
        self._dead_letters = dead_letters
        self._new_parser = parser
        self._parse = parser()
        self._checkpoints = checkpoints
        self._interruption = interruption
        self._patience = patience
        self._letters: list[DeadLetter] = []
        self.low_water = LowWater(
            checkpoints, running.flush, lambda: any(sink.dropped for sink in running.metrics().sinks.values())
        )
        self.read = 0
        self.malformed = 0
        self.given_up = 0
        self.skipped = 0
        self.notes: list[str] = []

    def read_pipe(self, name: str, stream: BinaryIO, advance: Callable[[int], object]) -> None:
        """Read a stream to its end, or to a signal."""
        number = 0
        self._parse = self._new_parser()
        for lines in _lines_of_pipe(stream, self._interruption):
            taken = 0
            try:
                with self._interruption.patience(self._patience):
                    for line in lines:
                        self._take(f"{name}:{number + taken + 1}", line, None, 0)
                        taken += 1
            except Interrupted:
                reason = "the run was ended while no queue took it"
                for place, line in enumerate(lines[taken:], number + taken + 1):
                    self._set_aside(f"{name}:{place}", reason, line)
                self.given_up += len(lines) - taken
            number += len(lines)
            advance(sum(map(len, lines)))
        self._hand_on(self._parse.end(), None, 0)
        self._flush_dead_letters()

    def read_file(self, name: str, advance: Callable[[int], object]) -> None:
        """Read a file from its checkpoint to its end, or to a signal.

        Raises:
            OSError: The file or its checkpoint cannot be read, or that not written.
            Stalled: A sink has taken nothing for too long.
        """
        with Path(name).open("rb") as stream:
            checkpoint = self._checkpoints.open(name, stream.fileno())
            if checkpoint.note:
                self.notes.append(checkpoint.note)
            self.skipped += checkpoint.lines
            self.low_water.follow(checkpoint)
            self._parse = self._new_parser()
            advance(checkpoint.offset)
            try:
                with self._interruption.patience(_HAND_OVER):
                    self._read_on(name, stream, checkpoint, advance)
            except Interrupted:
                pass  # the line is read again by the next run

    def _read_on(
        self, name: str, stream: BinaryIO, checkpoint: Checkpoint, advance: Callable[[int], object]
    ) -> None:
        position, number, stored = checkpoint.begun, checkpoint.lines, checkpoint.offset
        number -= position < stored  # the last line had no end yet, and may have grown
        stream.seek(position)
        low_water, interruption, parser = self.low_water, self._interruption, self._parse
        line = b""
        done: tuple[int, int, bytes] | None = None  # a Mark, which costs more to make
        pending = 0
        try:
            for line in stream:
                number += 1
                end = position + len(line.rstrip(b"\r\n"))
                position += len(line)
                if end > stored:
                    self._take(f"{name}:{number}", line, checkpoint, end)
                if not parser.begun:  # what is begun is read again as a whole
                    done = position, number, line
                pending += len(line)
                if not number % _MARKED or pending >= _STEP:
                    self._mark(checkpoint, done)
                    advance(pending)
                    if low_water.passed(_MARKED, pending):
                        low_water.wait(self._patience, lambda: interruption.asked is not None)
                    pending = 0
                if interruption.asked is not None:
                    break
            else:
                self._hand_on(parser.end(), checkpoint, position)
                if line:
                    done = position, number, line
        finally:
            self._flush_dead_letters()
            self._mark(checkpoint, done)
            advance(pending)
        if low_water.passed(number % _MARKED, pending):  # of many small files, too
            low_water.wait(self._patience, lambda: interruption.asked is not None)

    def _mark(self, checkpoint: Checkpoint, mark: tuple[int, int, bytes] | None) -> None:
        """Let the checkpoint follow up to here, once the dead letters of the lines before are kept."""
        if mark is not None and not self._letters:
            checkpoint.read = Mark(*mark)

    def _take(self, place: str, line: bytes, checkpoint: Checkpoint | None, end: int) -> None:
        try:
            found = self._parse(line)
        except ValueError as error:
            self.malformed += 1
            self._set_aside(place, str(error), line, checkpoint.line_id(end) if checkpoint else None)
            return
        self._hand_on(found, checkpoint, end)

    def _hand_on(self, found: Sequence[Parsed], checkpoint: Checkpoint | None, end: int) -> None:
        """Emit what a line holds; a place inside the line belongs to each of its events."""
        for parsed in found:
            if parsed.own is not None:
                self._again(parsed.own)
            else:
                event_id = None if checkpoint is None else checkpoint.event_id(end, parsed.time_ns)
                self._emit(
                    parsed.name, parsed.fields, level=parsed.level, time_ns=parsed.time_ns, event_id=event_id
                )
            end -= 1
            self.read += 1  # last: an interrupted hand-over is none

    def _again(self, own: Event) -> None:
        """Hand on an event that logweir wrote: redacted by the rules of now, and the same in all else."""
        made = self._running.capture(own.name, own.fields, level=own.level, kind=own.kind)
        self._running.dispatch(
            structs.replace(
                made,
                id=own.id,
                time=own.time,
                service=own.service,
                env=own.env,
                trace_id=own.trace_id,
                span_id=own.span_id,
            )
        )

    def _set_aside(self, place: str, reason: str, line: bytes, letter_id: str | None = None) -> None:
        text = self._redact(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape"))
        body = text.encode("utf-8", "surrogateescape")
        self._letters.append(DeadLetter.of_line(place, reason, body, letter_id))
        if len(self._letters) >= _LETTERS_AT_ONCE:
            self._flush_dead_letters()

    def _flush_dead_letters(self) -> None:
        if self._letters:
            self._dead_letters.add(self._letters)
            self._letters.clear()


def _lines_of_pipe(stream: BinaryIO, interruption: Interruption) -> Iterator[list[bytes]]:
    """The lines of a stream, as many as there are at a time; after a signal, the one that was begun."""
    descriptor = stream.fileno()
    parts: list[bytes] = []
    while interruption.wait_for_input(descriptor) and (chunk := os.read(descriptor, _CHUNK)):
        first, *others = chunk.split(b"\n")
        parts.append(first)
        if others:
            *whole, rest = others
            yield [line + b"\n" for line in (b"".join(parts), *whole)]
            parts = [rest]
    if last := b"".join(parts):
        yield [last]
