"""Reading for ``logweir run``: lines of files and of pipes into the runtime, and how far that got.

A file is read on from its checkpoint. A pipe has none: what was read from it exists nowhere else, so that
at a signal all of it is handed on first, and what no queue takes in time becomes dead letters.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import structs

from logweir.cli.interruption import Interrupted, Interruption
from logweir.cli.run_inputs import DAMAGED, open_file, pipe
from logweir.cli.run_letters import LineLetters
from logweir.cli.run_pipe import events_of, lines_of
from logweir.cli.run_reading import Reading
from logweir.cli.run_renamed import Renamed
from logweir.delivery.dead_letters import DeadLetters
from logweir.diagnostics import report
from logweir.event import Event
from logweir.integrations.line_formats.continuations import Continuations
from logweir.integrations.log_lines import LineParser, Parsed
from logweir.runtime.current import Runtime
from logweir.stores.checkpoints import Checkpoint, Checkpoints, Mark
from logweir.stores.low_water import LowWater, Stalled

__all__ = ["LineReader"]

#: Bytes between two updates of the progress bar.
_STEP = 1 << 20
_CHUNK = 1 << 16
#: Lines between two places that a checkpoint can have.
_MARKED = 64
_NOT_TAKEN = "an event of it could not be made, or no queue could take it; the log says why"
#: Seconds for which a file that may be truncated is read on without a look at that.
_LOOK = 0.2
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
        patience: Seconds that a sink may take nothing; without end where files are followed.
        jobs: How many processes read: together they stay within the distance of one.
        from_start: Whether files are read from their beginnings.
        continuations: Makes what joins the lines of a file, where they are joined.

    Attributes:
        read: How many events were made.
        malformed: How many lines could not be read.
        given_up: How many lines became dead letters because no queue took their events.
        skipped: How many lines of files were stored before.
        damaged: How many files or pipes had compressed data that are damaged.
        size: How many bytes of lines were read.
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
        *,
        jobs: int = 1,
        from_start: bool = False,
        continuations: Callable[[], Continuations | None] = lambda: None,
    ) -> None:
        self._running = running
        self._emit = running.emit
        self._new_parser = parser
        self._checkpoints = checkpoints
        self._interruption = interruption
        self._patience = patience
        self._from_start = from_start
        self._continuations = continuations
        self._letters = LineLetters(dead_letters, running.redact)
        self._renamed: list[Renamed] = []
        self._stalled = False
        self.low_water = LowWater(
            checkpoints,
            running.flush,
            self._has_dropped,
            lambda: running.metrics().settled,
            leaves=math.isinf(patience),
            jobs=jobs,
        )
        self.read = 0
        self.malformed = 0
        self.given_up = 0
        self.skipped = 0
        self.damaged = 0
        self.size = 0
        self.notes: list[str] = []

    def read_pipe(self, name: str, descriptor: int, advance: Callable[[int], object]) -> None:
        """Read a pipe to its end, or to a signal.

        Raises:
            MissingDependency: A package is needed to read it.
            Unreadable: It is no log.
            Stalled: A sink has taken nothing for too long; what was read since is in the dead letters.
        """
        number = 0
        parser = self._new_parser()
        read = pipe(lambda: self._next_of(descriptor))
        try:
            for lines in events_of(lines_of(read), self._continuations()):
                number = self._take_all(name, parser, lines, number)
                size = sum(map(len, lines))
                self.size += size
                advance(size)
        except (*DAMAGED, OSError) as error:
            if self._interruption.asked is None and not self._stalled:  # else it ended early because we did
                self._note_damage(name, error)
        try:
            self._take_end(parser, partial(_place, name), number, None, 0)
        finally:
            self._letters.flush()
        if self._stalled:
            raise Stalled

    def _take_all(self, name: str, parser: LineParser, lines: list[bytes], number: int) -> int:
        """Take lines of a pipe; what no queue takes before the end of the run becomes dead letters."""
        taken = 0
        place = partial(_place, name)
        try:
            with self._interruption.patience(self._patience):
                for line in lines:
                    self._take(parser, place, number + taken + 1, line, None, 0)
                    taken += 1
        except (Interrupted, Stalled) as error:
            self._stalled = isinstance(error, Stalled)
            reason = "the run was ended while no queue took it"
            for which, line in enumerate(lines[taken:], number + taken + 1):
                self._letters.add(place(which), reason, line)
            self.given_up += len(lines) - taken
        return number + len(lines)

    def _next_of(self, descriptor: int) -> bytes:
        if self._stalled or not self._interruption.wait_for_input(descriptor):
            return b""
        return os.read(descriptor, _CHUNK)

    def read_file(
        self, name: str, advance: Callable[[int], object], start: int | None = None, end: int | None = None
    ) -> None:
        """Read a file from its checkpoint to its end, or to a signal.

        Args:
            name: The file.
            advance: Notes how many bytes were read.
            start: Where the range begins that is read, if not the whole file is.
            end: Where it ends; None for the end of the file.

        Raises:
            OSError: The file or its checkpoint cannot be read, or that not written.
            MissingDependency: A package is needed to read it.
            Unreadable: It is no log.
            Stalled: A sink has taken nothing for too long.
        """
        reading = self.open(name) if start is None else self._open_range(name, start, end)
        advance(reading.position - (start or 0))
        try:
            with self._interruption.patience(_HAND_OVER):
                self.read_on(reading, advance)
        except Interrupted:
            pass  # the line is read again by the next run
        finally:
            reading.close()

    def open(self, name: str) -> Reading:
        """Open a file at its checkpoint.

        Raises:
            OSError: The file or its checkpoint cannot be read, or that not written.
            MissingDependency: A package is needed to read it.
            Unreadable: It is no log.
        """
        source = open_file(name)
        try:
            read_at = source.read_at if source.converted else None
            checkpoint = self._checkpoints.open(name, source.descriptor, read_at, from_start=self._from_start)
            source.seek(checkpoint.begun)
        except BaseException:
            source.close()
            raise
        if checkpoint.note:
            self.notes.append(checkpoint.note)
        self.skipped += checkpoint.lines
        self.low_water.follow(checkpoint)
        return Reading(name, source, checkpoint, self._new_parser(), self._continuations())

    def _open_range(self, name: str, start: int, end: int | None) -> Reading:
        """Open a file at a range; whoever divided it has looked at its checkpoint."""
        source = open_file(name)
        try:
            checkpoint = self._checkpoints.open_range(name, source.descriptor, start)
            source.seek(checkpoint.begun)
        except BaseException:
            source.close()
            raise
        self.low_water.follow(checkpoint)
        return Reading(name, source, checkpoint, self._new_parser(), self._continuations(), end)

    def give_up(self, reading: Reading) -> None:
        """Hand on what was read of a file whose content is gone, and close it."""
        line = reading.held()
        if line:
            end = reading.position + len(line)
            self._take(reading.parser, reading.place, reading.number + 1, line, reading.checkpoint, end)
        self._take_end(reading.parser, reading.place, reading.number, reading.checkpoint, reading.position)
        self._letters.flush()
        self.low_water.drop(reading.checkpoint)
        self._checkpoints.begin_anew(reading.checkpoint, reading.source.descriptor, reading.source.read_at)
        self.notes.append(
            f"{reading.name}: it was truncated or rewritten after {reading.number:,} of its lines were read; "
            "it is read from its beginning"
        )
        reading.close()

    def part_with(self, reading: Reading) -> None:
        """Close a file that lost its name; :meth:`note_what_is_left` says what of it is not stored then."""
        others = [other for other in self._renamed if not other.is_stored]
        self._renamed = [*others, Renamed.of(reading)]
        reading.close()

    def note_what_is_left(self) -> None:
        """Note which files that lost their names are not stored to their ends, now that no more is stored."""
        self.notes += [renamed.note() for renamed in self._renamed if not renamed.is_stored]

    def read_on(
        self, reading: Reading, advance: Callable[[int], object] = lambda _: None, *, to_the_end: bool = True
    ) -> bool:
        """Read what a file has; whether that was anything.

        Args:
            reading: The file.
            advance: Notes how many bytes were read.
            to_the_end: Nothing more will come, so that a line without an end is one. Else it comes back soon,
                perhaps before the end, for the file may have been truncated meanwhile.

        Raises:
            OSError: As for :meth:`read_file`.
            Stalled: As for :meth:`read_file`.
        """
        begun = reading.position
        if not reading.source.compressed:
            self._checkpoints.keep_head(reading.checkpoint, reading.source.read_at)
        try:
            self._read_on(reading, advance, to_the_end=to_the_end)
        except (*DAMAGED, OSError) as error:
            if not reading.source.compressed or getattr(error, "errno", None):
                raise
            self._note_damage(reading.name, error)
            reading.checkpoint.complete = True
        return reading.position > begun

    def _read_on(self, reading: Reading, advance: Callable[[int], object], *, to_the_end: bool) -> None:
        checkpoint, parser, place, stored = reading.checkpoint, reading.parser, reading.place, reading.stored
        position, number = reading.position, reading.number
        interruption = self._interruption
        # What stands at this place may be of another file when a sink has held up the reading for long.
        until = math.inf if to_the_end else time.monotonic() + _LOOK
        line = b""
        done: tuple[int, int, bytes] | None = None  # a Mark, which costs more to make
        pending, marked = 0, number
        try:
            for line in reading.lines(to_the_end=to_the_end):
                number += line.count(b"\n") or 1
                end = position + len(line.rstrip(b"\r\n"))
                position += len(line)
                if end > stored:
                    self._take(parser, place, number, line, checkpoint, end)
                if not parser.begun:  # what is begun is read again as a whole
                    done = position, number, line
                pending += len(line)
                if number - marked >= _MARKED or pending >= _STEP:
                    self._mark(checkpoint, done)
                    advance(pending)
                    if self._stay_near(number - marked, pending) and not to_the_end:
                        until = 0.0
                    pending, marked = 0, number
                if interruption.asked is not None or time.monotonic() > until:
                    break
            else:
                if to_the_end:
                    self._take_end(parser, place, number, checkpoint, position)
                    done = (position, number, line) if line else done
                    checkpoint.complete = True
        finally:
            self._letters.flush()
            self._mark(checkpoint, done)
            reading.position, reading.number, reading.last = position, number, line or reading.last
            advance(pending)
        self._stay_near(number - marked, pending)  # of many small files, too

    def _stay_near(self, lines: int, size: int) -> bool:
        """Wait while reading is too far ahead of what is settled; whether it was."""
        self.size += size
        is_far_ahead = self.low_water.passed(lines, size)
        if is_far_ahead:
            self.low_water.wait(self._patience, lambda: self._interruption.asked is not None)
        return is_far_ahead

    def _note_damage(self, name: str, error: Exception) -> None:
        self.damaged += 1
        self.notes.append(
            f"{name}: its compressed data are damaged or end early ({error}); what is before that was read"
        )

    def _mark(self, checkpoint: Checkpoint, mark: tuple[int, int, bytes] | None) -> None:
        """Let the checkpoint follow up to here, once the dead letters of the lines before are kept."""
        if mark is not None and not self._letters.waiting:
            checkpoint.read = Mark(*mark)

    def _take(
        self,
        parser: LineParser,
        place: Callable[[int], str],
        number: int,
        line: bytes,
        checkpoint: Checkpoint | None,
        end: int,
    ) -> None:
        if line.startswith(b"\0"):  # the hole before what a writer adds at its old place in a truncated file
            line = line.lstrip(b"\0")
        try:
            found = parser(line)
        except ValueError as error:
            self.malformed += 1
            self._letters.add(
                place(number), str(error), line, checkpoint.line_id(end) if checkpoint else None
            )
            return
        if not self._hand_on(found, checkpoint, end):
            self._give_up(place(number), line, checkpoint, end)

    def _take_end(
        self,
        parser: LineParser,
        place: Callable[[int], str],
        number: int,
        checkpoint: Checkpoint | None,
        end: int,
    ) -> None:
        """Take the events whose end will not come."""
        found = parser.end()
        if not self._hand_on(found, checkpoint, end):
            rest = b"\n".join(parsed.name.encode("utf-8", "surrogateescape") for parsed in found)
            self._give_up(place(number), rest, checkpoint, end)

    def _give_up(self, place: str, line: bytes, checkpoint: Checkpoint | None, end: int) -> None:
        """Keep as a dead letter what would be nowhere else once the checkpoint has passed it."""
        self.given_up += 1
        self._letters.add(place, _NOT_TAKEN, line, checkpoint.line_id(end) if checkpoint else None)

    def _hand_on(self, found: Sequence[Parsed], checkpoint: Checkpoint | None, end: int) -> bool:
        """Emit what a line holds; a place inside the line belongs to each of its events.

        Returns:
            Whether all of it became events that were handed to the queues.

        Raises:
            Stalled: A queue was full for too long.
        """
        taken = 0
        for parsed in found:
            began = time.monotonic()
            if parsed.own is not None:
                made = self._again(parsed.own)
            else:
                event_id = None if checkpoint is None else checkpoint.event_id(end, parsed.time_ns)
                made = self._emit(
                    parsed.name, parsed.fields, level=parsed.level, time_ns=parsed.time_ns, event_id=event_id
                )
            end -= 1
            if time.monotonic() - began >= self._patience and self._has_dropped():
                raise Stalled
            if made is not None:
                taken += 1
                self.read += 1  # last: an interrupted hand-over is none
        return taken == len(found)

    def _has_dropped(self) -> bool:
        return any(sink.dropped for sink in self._running.metrics().sinks.values())

    def _again(self, own: Event) -> Event | None:
        """Hand on an event that logweir wrote: redacted by the rules of now, and the same in all else.

        Returns:
            The event; None if it could not be made or handed on, which is reported.
        """
        try:
            made = self._running.capture(own.name, own.fields, level=own.level, kind=own.kind)
            event = structs.replace(
                made,
                id=own.id,
                time=own.time,
                service=own.service,
                env=own.env,
                trace_id=own.trace_id,
                span_id=own.span_id,
            )
            self._running.dispatch(event)
        except Exception as error:  # noqa: BLE001 - one line is no reason to leave all others unread
            report("emit", "an event could not be captured: %r", error)
            return None
        return event


def _place(name: str, number: int) -> str:
    return f"{name}:{number}"
